"""Waiting for what another process or thread does, by looking: never for a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(
    happened: Callable[[], T | None], patience_s: float = 60.0, every_s: float = 0.05
) -> T:
    """Return what `happened` does as soon as that is true; AssertionError when it never is."""
    pause = threading.Event()
    for _ in range(int(patience_s / every_s)):
        if found := happened():
            return found
        pause.wait(every_s)
    raise AssertionError(f"it did not happen within {patience_s:.0f} s")
