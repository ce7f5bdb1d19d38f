"""Where progress goes: to a progress artifact on the server and to whoever listens in-process."""

from __future__ import annotations

import contextlib
import contextvars
import logging
import threading
from collections.abc import Callable, Iterator
from uuid import UUID

from httpx import HTTPError
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.exceptions import PrefectException

from narrate.studio import Report, Speaking

__all__ = ["listening", "reporting"]

ARTIFACT_EVERY_S = 3.0

_listener: contextvars.ContextVar[Callable[[Speaking], None] | None] = contextvars.ContextVar(
    "narrate_listener", default=None
)
_log = logging.getLogger("narrate.progress")


@contextlib.contextmanager
def listening(listener: Callable[[Speaking], None]) -> Iterator[None]:
    """Hand every progress report of runs in this block to a listener as well."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextlib.contextmanager
def reporting(book_id: str) -> Iterator[Report]:
    """Yield the function that a step calls with its progress; it never blocks and never fails."""
    artifact = _Artifact(book_id)
    listener = _listener.get()

    def report(speaking: Speaking) -> None:
        artifact.latest = speaking
        if listener:
            listener(speaking)

    with artifact:
        yield report


class _Artifact:
    """Keeps one progress artifact up to date from a thread of its own.

    A call to the API takes milliseconds when the server is there and may hang when it is not:
    in either case it is not the speaking that waits.
    """

    def __init__(self, book_id: str) -> None:
        self.book_id = book_id
        self.latest: Speaking | None = None
        self.shown: Speaking | None = None
        self.artifact_id: UUID | None = None
        self.done = threading.Event()
        context = contextvars.copy_context()  # the run that the artifact belongs to
        self.thread = threading.Thread(target=context.run, args=(self._keep,), daemon=True)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join(ARTIFACT_EVERY_S)

    def _keep(self) -> None:
        going = True
        while going:
            going = not self.done.wait(ARTIFACT_EVERY_S)
            try:
                self._show()
            except (HTTPError, PrefectException, RuntimeError, ValueError) as error:
                _log.info("the progress artifact could not be updated: %s", error)

    def _show(self) -> None:
        now = self.latest
        if now is None or now is self.shown:
            return
        percent = 100.0 * now.done / now.chunks if now.chunks else 100.0
        said = describe(now)
        if self.artifact_id is None:
            created = create_progress_artifact(percent, description=said)
            self.artifact_id = created if isinstance(created, UUID) else None
        else:
            update_progress_artifact(self.artifact_id, percent, description=said)
        self.shown = now


def describe(now: Speaking) -> str:
    """Say in one line how far a run is."""
    eta = "" if now.eta_s is None else f", {now.eta_s:.0f} s left"
    return (
        f"{now.book}: {now.done} of {now.chunks} chunks ({now.cached} from the store), "
        f"{now.audio_s:.0f} s of audio at {now.speed:.1f}x real time{eta}"
    )
