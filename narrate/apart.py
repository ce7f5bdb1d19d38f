"""Functions that keep a core busy, called in processes of their own, so that all cores are.

Threads of one process take turns at Python's lock. Such a process is started when there is none,
kept for the next call, and let go when none comes for a while; it ends with the process that
started it, however that ends. It asks that one whether to stop, so it does not go on where that
one has been stopped, by a signal too.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from narrate.children import wait_or_kill
from narrate.config import usable_cores
from narrate.errors import NarrateError
from narrate.memory import keep_memory_flat

__all__ = ["AT_ONCE", "Stop", "apart"]

AT_ONCE = min(16, usable_cores())
"""What keeps a core busy takes 50 to 95 MB."""

Stop = Callable[[], bool]
T = TypeVar("T")

_KEPT_S = 5.0
_ASKED_S = 0.05
_END_S = 10.0
_ASK, _DONE, _FAILED = "ask", "done", "failed"
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

_lock = threading.Lock()
_idle: list[_Process] = []
_places = threading.BoundedSemaphore(AT_ONCE)
_clearing: threading.Timer | None = None


def apart(work: Callable[..., T], *given: Any, stop: Stop | None = None, short: bool = False) -> T:
    """Call a function of a module in another process; returns or raises what it does.

    What is `short` is called in this one: it is done before a process for it would be there.
    `work` and what it is given, returns and raises have to be such as can be pickled. With `stop`,
    `work` gets one of its own under that name: it asks this one. No more than `AT_ONCE` are at
    work, and who comes later waits. NarrateError where its process cannot be started, or was ended
    from outside, twice.
    """
    if short:
        return work(*given) if stop is None else work(*given, stop=stop)
    with _places:
        with contextlib.suppress(_GoneError):
            return (_kept() or _Process()).call(work, given, stop)
        try:
            return _Process().call(work, given, stop)
        except _GoneError as error:
            raise NarrateError(
                f"a process that was to {work.__name__.replace('_', ' ')} was ended from outside",
                remedy="look whether the machine has memory left, then run the same command "
                "again; what is done is kept",
            ) from error


class _GoneError(Exception):
    """A process is no more."""


class _Process:
    """A process that waits for work at the other end of a pipe."""

    def __init__(self) -> None:
        self.pipe, theirs = Pipe()
        try:
            with theirs:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "narrate.apart", str(theirs.fileno())],
                    env=os.environ | _ONE_THREAD,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,  # Ctrl-C is for us; it asks whether to stop
                )
        except OSError as error:
            self.pipe.close()
            raise NarrateError(
                f"no further process can be started: {error.strerror}",
                remedy="end some other programs, then run the same command again; what is done is "
                "kept",
            ) from error
        self.idle_since = time.monotonic()

    def call(self, work: Callable[..., T], given: tuple[Any, ...], stop: Stop | None) -> T:
        """Hand it work and answer what it asks; _GoneError where it is no more."""
        kind, value = None, None
        try:
            self._send((work, given, stop is not None))
            while (kind := (answer := self._receive())[0]) == _ASK:
                self._send(stop is None or stop())
            value = answer[1]
        finally:
            if kind not in (_DONE, _FAILED):
                self.end(at_once=stop is None)
        self.idle_since = time.monotonic()
        _keep(self)
        if kind == _FAILED:
            raise value
        returned: T = value
        return returned

    def _send(self, words: object) -> None:
        try:
            self.pipe.send(words)
        except OSError as error:
            raise _GoneError from error

    def _receive(self) -> tuple[str, Any]:
        try:
            kind, value = self.pipe.recv()
        except (EOFError, OSError) as error:
            raise _GoneError from error
        return kind, value

    def end(self, *, at_once: bool = False) -> None:
        """Let it end what it does, or end it; none is left behind."""
        self.pipe.close()
        if at_once:
            self.process.kill()
        wait_or_kill(self.process, _END_S)


def _kept() -> _Process | None:
    """One that has nothing to do, the last that had."""
    with _lock:
        while _idle:
            if (one := _idle.pop()).process.poll() is None:
                return one
            one.pipe.close()
    return None


def _keep(process: _Process) -> None:
    with _lock:
        _idle.append(process)
        _clear_later()


def _clear_later() -> None:
    global _clearing  # one timer for all
    if _clearing is None:
        _clearing = threading.Timer(_KEPT_S, _clear)
        _clearing.daemon = True
        _clearing.start()


def _clear() -> None:
    """Let go of those that have had nothing to do for long."""
    global _clearing  # one timer for all
    with _lock:
        _clearing = None
        latest = time.monotonic() - _KEPT_S
        old = [one for one in _idle if one.idle_since <= latest]
        _idle[:] = [one for one in _idle if one.idle_since > latest]
        if _idle:
            _clear_later()
    for one in old:
        one.end()


def _serve(pipe: Connection) -> None:
    """Do what comes until nobody is there."""
    keep_memory_flat()
    while True:
        work, given, may_stop = pipe.recv()
        asked = 0.0

        def stop() -> bool:
            nonlocal asked
            if (now := time.monotonic()) - asked < _ASKED_S:
                return False
            pipe.send((_ASK, None))
            asked = now
            return bool(pipe.recv())

        try:
            answer = (_DONE, work(*given, stop=stop) if may_stop else work(*given))
        except Exception as error:  # noqa: BLE001 - it is raised there
            answer = _failure(error)
        pipe.send(answer)


def _failure(error: Exception) -> tuple[str, Exception]:
    """An error as it can be sent: with where it came from, where nobody foresaw it."""
    if not isinstance(error, NarrateError):
        error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - whatever its class does
        return _FAILED, RuntimeError("".join(traceback.format_exception(error)))
    return _FAILED, error


def _main() -> None:
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        _serve(Connection(int(sys.argv[1])))


if __name__ == "__main__":
    _main()
