"""Kernels compiled beside each other: a rehearsal in which launches compile and nothing runs.

Triton compiles a kernel when it is first launched, one after the other, half a second to two each.
A rehearsal walks through the same computation, hands every kernel that it meets to a pool of
threads, and runs none of them; afterwards they are all there. It is a hurry and no more: a Triton
that cannot do it compiles as ever, and what goes wrong is left to the real run.

Triton's own mode for this still waits for each kernel, in order to launch it; `warmup` is its word
for a launch that does not. So launches are turned into warm-ups while a rehearsal lasts, those of
other threads excepted.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

from narrate.config import usable_cores

__all__ = ["rehearse"]

_MOST_THREADS = 16
_one_at_a_time = threading.RLock()


def rehearse(compute: Callable[[], object]) -> None:
    """Compile the kernels that `compute` launches; what else it computes comes from garbage.

    NOTE: the real run must write wherever `compute` does, and no index of a torch operation may
    come from a kernel: it would be whatever the memory held.
    """
    try:
        from triton import AsyncCompileMode
    except ImportError:
        return

    def walk() -> None:
        mode = AsyncCompileMode(_Pool(threads), ignore_errors=True)
        mode.__enter__()
        with _warm_ups(), suppress(Exception):
            compute()
        # Not a `with`: an exception that gets here is Ctrl-C's, and must not wait for the rest.
        mode.__exit__(None, None, None)

    threads = ThreadPoolExecutor(min(usable_cores(), _MOST_THREADS), "compile")
    try:
        # The mode is a context variable: in a context of its own nothing of it can stay behind.
        with suppress(Exception):
            contextvars.copy_context().run(walk)
    finally:
        threads.shutdown(cancel_futures=True)


@contextmanager
def _warm_ups() -> Iterator[None]:
    """Inside, this thread's launches compile and do not run."""
    from triton import JITFunction

    own = threading.get_ident()
    with _one_at_a_time:
        run = JITFunction.run

        def compile_only(self: Any, *args: Any, **named: Any) -> Any:
            if threading.get_ident() == own:
                named["warmup"] = True
            return run(self, *args, **named)

        JITFunction.run = compile_only
        try:
            yield
        finally:
            JITFunction.run = run


class _Compiled(Future[Any]):
    """What a thread compiles; where it fails or is called off, whoever asks compiles it himself.

    Triton keeps such a future as the kernel, for as long as the process lives.
    """

    def __init__(self, compile_it: Callable[[], Any], at_work: Future[Any]) -> None:
        super().__init__()
        self._compile_it = compile_it
        at_work.add_done_callback(self._done)

    def _done(self, at_work: Future[Any]) -> None:
        failed = at_work.cancelled() or at_work.exception() is not None
        self.set_result(None if failed else at_work.result())

    def result(self, timeout: float | None = None) -> Any:
        """The kernel; raises what compiling it raises."""
        kernel = super().result(timeout)
        return self._compile_it() if kernel is None else kernel


class _Pool(Executor):
    """Hands what is to be compiled to threads."""

    def __init__(self, threads: Executor) -> None:
        self._threads = threads

    def submit(self, fn: Callable[[], Any], /, *_: Any, **__: Any) -> Future[Any]:
        """See `Executor.submit`; Triton passes a function and no more."""
        return _Compiled(fn, self._threads.submit(fn))
