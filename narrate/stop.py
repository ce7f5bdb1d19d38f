"""Ctrl-C and SIGTERM: an exception at once, and once more where the exception is lost.

An exception that a signal raises can land where nobody lets it through: in a finalizer, or in a
library's own clean-up. So it is noted, whoever reports progress looks at the note, and the signal
is given again every three seconds until the exception has come out at the edge.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from types import FrameType

__all__ = [
    "INTERRUPTED",
    "TERMINATED",
    "install",
    "is_told",
    "leave_at_once",
    "must_leave_at_once",
    "quiet_the_rest",
    "raise_if_asked",
    "reached_the_edge",
    "tell",
]

INTERRUPTED, TERMINATED = 130, 143

AGAIN_AFTER_S = 3.0

_asked = threading.Event()
_arrived = threading.Event()
_told = threading.Event()
_hopeless = threading.Event()


def install() -> None:
    """Have both signals stop this process in good order."""
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _terminate)


def raise_if_asked() -> None:
    """Raise KeyboardInterrupt where Ctrl-C was pressed and its exception got lost."""
    if _asked.is_set():
        raise KeyboardInterrupt


def reached_the_edge() -> None:
    """Say that the command has ended, by the exception or without it."""
    _arrived.set()


def tell() -> None:
    """Say that the command itself has told how it was stopped, and what to do now."""
    _told.set()


def is_told() -> bool:
    """Return whether it has."""
    return _told.is_set()


def leave_at_once() -> None:
    """Say that what still waits in this process waits for somebody who will not come."""
    _hopeless.set()


def must_leave_at_once() -> bool:
    """Return whether that was said."""
    return _hopeless.is_set()


def quiet_the_rest() -> None:
    """Log nothing from here on: what still winds up would log into what is shut down already."""
    logging.disable()


def _interrupt(number: int, _frame: FrameType | None) -> None:
    _asked.set()
    _insist(number)
    raise KeyboardInterrupt


def _terminate(number: int, _frame: FrameType | None) -> None:
    _insist(number)
    raise SystemExit(TERMINATED)


def _insist(number: int) -> None:
    def again() -> None:
        if not _arrived.wait(AGAIN_AFTER_S):
            os.kill(os.getpid(), number)

    threading.Thread(target=again, daemon=True).start()
