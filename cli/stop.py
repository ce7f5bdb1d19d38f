"""Ctrl-C and SIGTERM: an exception at once, and a note of it in case the exception is lost.

Python drops an exception that a signal raises inside a finalizer (it prints that it was ignored),
and a long run calls many; whoever reports progress looks at the note as well.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType

__all__ = ["INTERRUPTED", "TERMINATED", "install", "raise_if_asked"]

INTERRUPTED, TERMINATED = 130, 143

_asked = threading.Event()


def install() -> None:
    """Have both signals stop this process in good order."""
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _terminate)


def raise_if_asked() -> None:
    """Raise KeyboardInterrupt where Ctrl-C was pressed and its exception got lost."""
    if _asked.is_set():
        raise KeyboardInterrupt


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    _asked.set()
    raise KeyboardInterrupt


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(TERMINATED)
