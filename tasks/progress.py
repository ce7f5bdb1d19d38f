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
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from narrate.studio import Report, Speaking

__all__ = ["listening", "reporting"]

ARTIFACT_EVERY_S = 3.0

_listener: contextvars.ContextVar[Callable[[Speaking], None] | None] = contextvars.ContextVar(
    "narrate_listener", default=None
)
_log = logging.getLogger("narrate.progress")
_artifacts: dict[str, UUID] = {}
"""The progress artifact of each run of this process: a step that is tried again goes on with it."""


@contextlib.contextmanager
def listening(listener: Callable[[Speaking], None]) -> Iterator[None]:
    """Hand every progress report of runs in this block to a listener as well."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@contextlib.contextmanager
def reporting() -> Iterator[Report]:
    """Yield the function that a step calls with its progress; it never blocks and never fails.

    What the user should know besides goes to the log of the step, each once.
    """
    artifact = _Artifact(str(flow_run.id))
    listener = _listener.get()
    log = get_run_logger()
    told = 0

    def report(speaking: Speaking) -> None:
        nonlocal told
        artifact.latest = speaking
        for note in speaking.notes[told:]:
            log.warning("%s", note)
        told = len(speaking.notes)
        if listener:
            listener(speaking)

    with artifact:
        yield report


class _Artifact:
    """Keeps one progress artifact up to date from a thread of its own.

    A call to the API takes milliseconds when the server is there and may hang when it is not:
    in either case it is not the speaking that waits.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.latest: Speaking | None = None
        self.shown: Speaking | None = None
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
        if known := _artifacts.get(self.run_id):
            update_progress_artifact(known, percent, description=said)
        elif isinstance(created := create_progress_artifact(percent, description=said), UUID):
            _artifacts[self.run_id] = created
        self.shown = now


def describe(now: Speaking) -> str:
    """Say in one line how far a run is."""
    eta = "" if now.eta_s is None else f", {now.eta_s:.0f} s left"
    return (
        f"{now.book}: {now.done} of {now.chunks} chunks ({now.cached} from the store), "
        f"{now.audio_s:.0f} s of audio at {now.speed:.1f}x real time{eta}"
    )
