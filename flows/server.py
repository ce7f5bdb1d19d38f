"""Prefect's own server as a child of this process: quiet, local, and gone when we are gone.

Prefect can start one by itself, but only after it was imported, never shared out before the
work begins, and it outlives a parent that is killed. So the environment is prepared here before
the first import of prefect, the socket is opened by the parent (no two runs can want the same
port), and the child leaves as soon as the pipe from its parent breaks.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from narrate.children import wait_or_kill
from narrate.config import Settings
from narrate.errors import BackendError, StorageError
from narrate.memory import ALLOCATOR_ENVIRONMENT
from narrate.stop import leave_at_once

if TYPE_CHECKING:
    from httpx import HTTPError

__all__ = ["EmbeddedServer", "lost", "prefect_server", "prepare_environment", "without_heartbeats"]

AT_ONCE_S = 0.1
START_S = 600.0  # one that fails ends, and is seen to; a busy machine needs minutes
STOP_S = 2.0
CHECK_S = 10.0
LOG = "server.log"


class Ready(Protocol):
    """Waits until a server answers, and has something else done where there is a wait."""

    def __call__(self, meanwhile: Callable[[], object] | None = None) -> None: ...


def prepare_environment(settings: Settings, environ: MutableMapping[str, str]) -> None:
    """Set what Prefect reads when it is first imported; what the user has set stays."""
    environ["PREFECT_HOME"] = str(_home(settings, environ))
    quiet = {
        # Both are needed: with one missing, Prefect calls two hosts outside.
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_SERVER_LEVEL": "CRITICAL",
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
        "PREFECT_TASKS_DEFAULT_NO_CACHE": "true",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
        "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "100",
    }
    for name, value in quiet.items():
        environ.setdefault(name, value)


def _home(settings: Settings, environ: Mapping[str, str]) -> Path:
    named = environ.get("PREFECT_HOME")
    return Path(named).expanduser() if named else settings.home / "prefect"


def _make_home(settings: Settings) -> Path:
    """Make Prefect's folder, which it would complain to miss; returns it."""
    home = _home(settings, os.environ)
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(settings, home, error) from error
    return home


def _unusable(settings: Settings, home: Path, error: OSError) -> StorageError:
    variable = "NARRATE_HOME" if home.parent == settings.home else "PREFECT_HOME"
    return StorageError(
        f"Prefect's files cannot be written: {error.strerror}",
        where=str(error.filename or home),
        remedy=f"make the folder writable, or set {variable} to another one",
    )


def _look_at(database: Path, pragma: str) -> None:
    """Refuse a damaged database: Prefect would try it again and again, without a word."""
    if not database.exists():
        return
    try:
        with contextlib.closing(sqlite3.connect(database)) as connection:
            [found] = connection.execute(f"PRAGMA {pragma}").fetchone()
            if str(found).startswith("***"):  # a page; other findings are a matter of its schema
                raise sqlite3.DatabaseError(str(found).splitlines()[-1])
    except sqlite3.OperationalError:
        pass  # locked or read-only: the server's to say
    except sqlite3.DatabaseError as error:
        raise StorageError(
            f"Prefect's database is damaged: {error}",
            where=str(database),
            remedy="move it away, then run the same command again: it holds the history of runs, "
            "and nothing of a book",
        ) from error


class EmbeddedServer:
    """A Prefect server on a loopback port, started at once and waited for later."""

    def __init__(self, settings: Settings) -> None:
        self.home = _make_home(settings)
        database = self.home / "prefect.db"
        _look_at(database, "schema_version")
        # Some milliseconds for each megabyte of history, beside the server's start.
        beside = ThreadPoolExecutor(1)
        self._looked_through = beside.submit(_look_at, database, "quick_check(1)")
        beside.shutdown(wait=False)
        self.log = self.home / LOG
        with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
            environ = dict(os.environ)
            prepare_environment(settings, environ)
            environ.pop("PREFECT_API_URL", None)
            environ.update(ALLOCATOR_ENVIRONMENT)
            try:
                log = self.log.open("wb")
            except OSError as error:
                raise _unusable(settings, self.home, error) from error
            with log:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "narrate.flows.serve", str(listener.fileno())],
                    env=environ,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    pass_fds=[listener.fileno()],
                    start_new_session=True,  # Ctrl-C is for us; we end the server ourselves
                )

    def wait(self, meanwhile: Callable[[], object] | None = None) -> None:
        """Return when the server answers; BackendError with the place of its log if it does not.

        What is to be done `meanwhile` is done where there is a wait. Before all that, StorageError
        where its database is damaged.
        """
        self._looked_through.result()
        if meanwhile and not _answers(self.url, AT_ONCE_S):
            meanwhile()
        until = time.monotonic() + START_S
        while time.monotonic() < until and self.process.poll() is None:
            if _answers(self.url, START_S):
                return
            time.sleep(0.05)
        raise BackendError(
            "Prefect's server did not start",
            where=str(self.log),
            remedy="read that file; `--debug` shows more, and PREFECT_API_URL names another server",
        )

    def stop(self, patience_s: float = STOP_S) -> None:
        """End the server, with some time to write what it holds; its database survives either."""
        self.process.terminate()
        wait_or_kill(self.process, patience_s)
        if self.process.stdin:
            self.process.stdin.close()


@contextlib.contextmanager
def prefect_server(settings: Settings, *, debug: bool = False) -> Iterator[Ready]:
    """Have Prefect report to the user's server, or to one of our own while the block runs.

    Yields what waits until that server answers. The environment is what it was afterwards: a run
    that follows in this process has a home of its own.
    """
    there = set(os.environ)
    if not debug:
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
        # A server that goes away costs the history of a run: not worth pages on the terminal.
        os.environ.setdefault("PREFECT_INTERNAL_LOGGING_LEVEL", "CRITICAL")
        logging.raiseExceptions = False
    prepare_environment(settings, os.environ)
    prepared = set(os.environ) - there
    try:
        with _the_users_own(settings) if settings.prefect_api_url else _embedded(settings) as ready:
            yield ready
    finally:
        for name in prepared:
            os.environ.pop(name, None)


@contextlib.contextmanager
def _the_users_own(settings: Settings) -> Iterator[Ready]:
    _make_home(settings)
    url = str(settings.prefect_api_url)
    try:
        yield lambda meanwhile=None: _check(url)
    finally:
        if not _answers(url):
            leave_at_once()


@contextlib.contextmanager
def _embedded(settings: Settings) -> Iterator[Ready]:
    server = EmbeddedServer(settings)
    os.environ["PREFECT_API_URL"] = server.url
    patience_s = 0.0  # who stops a run is not kept waiting for its history
    try:
        yield server.wait
        patience_s = STOP_S
    finally:
        _send_what_is_queued()
        del os.environ["PREFECT_API_URL"]
        server.stop(patience_s)


@contextlib.contextmanager
def without_heartbeats(settings: Settings) -> Iterator[None]:
    """Run flows on our own server without heartbeats: they cost a second at the end of each.

    A server of the user's gets them; there an automation may need them to notice a dead run.
    """
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    if settings.prefect_api_url:
        yield
    else:
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            yield


def lost(settings: Settings, error: HTTPError) -> BackendError:
    """Return the error of a run whose Prefect server went away for good, or fails."""
    from httpx import HTTPStatusError

    if isinstance(error, HTTPStatusError):
        log = _home(settings, os.environ) / LOG
        return BackendError(
            f"Prefect's server failed ({error.response.status_code}); what was spoken is kept",
            where=f"PREFECT_API_URL={settings.prefect_api_url}" if settings.prefect_api_url
            else str(log),
            remedy="look whether its database is whole and can be written, and its disk has room, "
            "then run the same command again; `--debug` shows more",
        )  # fmt: skip
    return BackendError(
        "Prefect's server went away in the middle of the run; what was spoken is kept",
        where=f"PREFECT_API_URL={settings.prefect_api_url}" if settings.prefect_api_url else "",
        remedy="start it again, or unset PREFECT_API_URL, then run the same command again",
    )


def _send_what_is_queued() -> None:
    """Let Prefect's background senders finish while the server is there to hear them.

    What is left then would be tried again for minutes when Python ends.
    """
    if "prefect" in sys.modules:
        from prefect.events.worker import EventsWorker
        from prefect.logging.handlers import APILogWorker

        for worker in (APILogWorker, EventsWorker):
            drained = worker.drain_all(timeout=STOP_S)
            if isinstance(drained, tuple) and drained[1]:
                leave_at_once()


def _answers(url: str, within_s: float = CHECK_S) -> bool:
    try:
        _check(url, within_s)
    except BackendError:
        return False
    return True


def _check(url: str, within_s: float = CHECK_S) -> None:
    try:
        urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=within_s).close()
    except (OSError, ValueError) as error:
        raise BackendError(
            f"no Prefect server answers: {getattr(error, 'reason', error)}",
            where=f"PREFECT_API_URL={url}",
            remedy="start it, or unset PREFECT_API_URL to run without one",
        ) from error
