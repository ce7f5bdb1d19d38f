"""Ctrl-C and SIGTERM: an exception at once, and once more where the exception is lost.

An exception that a signal raises can land where nobody lets it through: in a finalizer, or in a
library's own clean-up; where a class is made, Python turns it into another. So it is noted, whoever
reports progress looks at the note, and the signal is given again every three seconds until the
exception has come out at the edge. What must not be torn has it wait, until the second signal.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

__all__ = [
    "INTERRUPTED",
    "STOPPED",
    "TERMINATED",
    "asked",
    "deferred",
    "install",
    "is_told",
    "leave_at_once",
    "leave_on_a_signal",
    "must_leave_at_once",
    "quiet_the_rest",
    "raise_if_asked",
    "reached_the_edge",
    "tell",
]

INTERRUPTED, TERMINATED = 130, 143
STOPPED = "narrate: stopped; what was spoken is kept. Run the same command again to go on"

AGAIN_AFTER_S = 3.0
AT_ONCE_S = 0.01

_asked: list[int] = []
_arrived = threading.Event()
_told = threading.Event()
_hopeless = threading.Event()
# Both are touched by the main thread alone, in which Python runs what signals ask for.
_deferring = 0
_late: list[BaseException] = []


def leave_on_a_signal() -> None:
    """Have both signals end this process with a line, as long as there is nothing to wind up."""
    signal.signal(signal.SIGINT, _leave)
    signal.signal(signal.SIGTERM, _leave)


def install() -> None:
    """Have both signals stop this process in good order."""
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _terminate)


def raise_if_asked() -> None:
    """Raise KeyboardInterrupt where Ctrl-C was pressed and its exception got lost."""
    if INTERRUPTED in _asked:
        raise KeyboardInterrupt


def asked() -> int:
    """Return the exit code of the first stop that was asked for, 0 without any."""
    return _asked[0] if _asked else 0


@contextmanager
def deferred() -> Iterator[None]:
    """Have the exception of a first stop wait for the end of the block; other threads have none."""
    global _deferring
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _deferring += 1
    try:
        yield
    finally:
        _deferring -= 1
        if _late and not _deferring:
            raise _late.pop()


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
    import logging  # not before it is needed: a signal must be heard early

    logging.disable()


def _leave(number: int, _frame: FrameType | None) -> None:
    with suppress(OSError):
        os.write(2, f"{STOPPED}\n".encode())
    os._exit(INTERRUPTED if number == signal.SIGINT else TERMINATED)


def _interrupt(number: int, frame: FrameType | None) -> None:
    _stop(number, frame, INTERRUPTED, KeyboardInterrupt())


def _terminate(number: int, frame: FrameType | None) -> None:
    _stop(number, frame, TERMINATED, SystemExit(TERMINATED))


def _stop(number: int, frame: FrameType | None, code: int, error: BaseException) -> None:
    is_first = not _asked
    _asked.append(code)
    if _is_lost_on_an_import(number, frame):
        return
    _insist(number, AGAIN_AFTER_S)
    if not (_deferring and is_first):
        raise error
    _late.append(error)


def _is_lost_on_an_import(number: int, frame: FrameType | None) -> bool:
    """Whether this is the one place of an import where Python drops exceptions; comes again."""
    if frame is None:
        return False
    code = frame.f_code
    if (code.co_filename, code.co_name) != ("<frozen importlib._bootstrap>", "cb"):
        return False
    _insist(number, AT_ONCE_S)
    return True


def _insist(number: int, after_s: float) -> None:
    def again() -> None:
        if not _arrived.wait(after_s):
            os.kill(os.getpid(), number)

    threading.Thread(target=again, daemon=True).start()
