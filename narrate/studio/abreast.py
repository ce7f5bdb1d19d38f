"""Pieces of work side by side, each on a core: the first failure, or Ctrl-C, ends all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from narrate.apart import AT_ONCE, Stop

__all__ = ["BESIDE", "abreast"]

BESIDE = max(1, AT_ONCE - 1)
"""How many are at work beside who speaks."""


def abreast(work: Iterable[Callable[[Stop], object]], stop: Stop | None = None) -> None:
    """Do all of it in order, one on each core; each is handed what it asks whether to stop.

    What has not begun when one fails is not begun, and what runs is asked to stop.
    """
    halt = threading.Event()

    def stopped() -> bool:
        return halt.is_set() or (stop is not None and stop())

    with ThreadPoolExecutor(AT_ONCE, "abreast") as pool:
        running = [pool.submit(one, stopped) for one in work]
        try:
            for one in running:
                one.result()
        except BaseException:
            halt.set()
            for one in running:
                one.cancel()
            raise
