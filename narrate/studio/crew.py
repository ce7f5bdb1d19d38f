"""Processes that speak for this one on the same host, each with a card of its own.

Where more than one is to speak, or one on a card, none of them is the one that leads: so all load
their models at once, and what plans and stitches takes no time of who speaks. They end with the
pipe from this process, so none is left behind, and store what they have spoken. Python, torch and
a model take seconds to start; so they may stand by while the book is still being planned.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from narrate.children import wait_or_kill
from narrate.config import Job, Settings, usable_cores
from narrate.errors import UsageError
from narrate.files import size_before
from narrate.speech.devices import cuda_cards
from narrate.studio.casting import speaks_on_a_card

__all__ = ["LOG_FORMAT", "Crew", "crew", "has_crew", "old_logs", "standing_by"]

LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s"
_WARNING = re.compile(r"\S+ \S+ (?:WARNING|ERROR|CRITICAL) (.+)")

STOP_S = 10.0
OLD_AFTER_S = 24 * 3600


class Crew:
    """The processes that speak; `faults` says which of them failed, `warnings` what they warned of.

    Each is said once, a warning that several have given, too.
    """

    def __init__(self, processes: Mapping[Path, subprocess.Popen[bytes]]) -> None:
        self.processes = processes
        self._told: set[Path] = set()
        self._read = dict.fromkeys(processes, 0)
        self._warned: set[str] = set()

    @property
    def is_at_work(self) -> bool:
        """Whether any of them is left."""
        return any(process.poll() is None for process in self.processes.values())

    def faults(self) -> tuple[str, ...]:
        """Return a sentence for each process that failed since the last call."""
        failed = {log for log, process in self.processes.items() if process.poll()} - self._told
        self._told |= failed
        left = "the others go on" if self.is_at_work else "this run goes on by itself"
        return tuple(
            f"a worker ended with an error, {left}; its words are in {log}"
            for log in sorted(failed)
        )

    def warnings(self) -> tuple[str, ...]:
        """Return what their logs have of warnings since the last call."""
        found: list[str] = []
        for log, start in self._read.items():
            with contextlib.suppress(FileNotFoundError), log.open("rb") as file:
                file.seek(start)
                whole, end, _ = file.read().rpartition(b"\n")
                self._read[log] = start + len(whole) + len(end)
                lines = whole.decode(errors="replace").split("\n")
                found += [said[1] for line in lines if (said := _WARNING.match(line))]
        new = tuple(dict.fromkeys(one for one in found if one not in self._warned))
        self._warned |= set(new)
        return new


_Processes = dict[Path, subprocess.Popen[bytes]]

_waiting: dict[str, _Processes] = {}


def has_crew(job: Job) -> bool:
    """Whether a job is spoken by processes of their own, and not by the one that leads."""
    return job.workers > 1 or speaks_on_a_card(job)


@contextlib.contextmanager
def standing_by(settings: Settings, book_id: str, job: Job) -> Iterator[None]:
    """Have the processes of a job's crew load its model in the block, though there is no plan yet.

    The book's `crew` takes them, and what they still have to put away when that has ended is
    waited for at the end of this block; whoever is not wanted has done nothing else. Within such a
    block for the same book another one starts none. Errors as for `crew`.
    """
    if book_id in _waiting:
        yield
        return
    with _processes(settings, job) as processes:
        _waiting[book_id] = processes
        try:
            yield
        finally:
            if _waiting.pop(book_id, None):
                for path, process in processes.items():
                    process.kill()
                    path.unlink(missing_ok=True)


@contextlib.contextmanager
def crew(settings: Settings, book_id: str, job: Job) -> Iterator[Crew]:
    """Have a job's processes speak the book while the block runs; none where it has no crew.

    Each gets a card where there are cards. UsageError when there are, and fewer than processes.
    """
    stood_by = _waiting.pop(book_id, None)
    if stood_by is None:
        with _processes(settings, job) as processes:
            yield _begun(processes, book_id)
        return
    try:
        yield _begun(stood_by, book_id)
    except BaseException:
        _let_go(stood_by)
        raise
    _tell_to_end(stood_by)


def old_logs(settings: Settings) -> dict[Path, int]:
    """Return what workers that failed, or whose leader was killed, said a day ago, in bytes."""
    oldest = time.time() - OLD_AFTER_S
    logs = _folder(settings).glob("*.log")
    return {path: size for path in logs if (size := size_before(path, oldest)) is not None}


def _folder(settings: Settings) -> Path:
    return settings.home / "workers"


@contextlib.contextmanager
def _processes(settings: Settings, job: Job) -> Iterator[_Processes]:
    count = job.workers if has_crew(job) else 0
    cards = _cards(settings) if count else []
    if cards and count > len(cards):
        raise UsageError(
            f"{job.workers} workers need as many cards, and this run may use {len(cards)}",
            where="--workers",
            remedy=f"use --workers {len(cards)}",
        )
    folder = _folder(settings)
    processes: _Processes = {}
    with contextlib.ExitStack() as stack:
        stack.callback(_let_go, processes)
        for number in range(count):
            folder.mkdir(parents=True, exist_ok=True)
            place = {"CUDA_VISIBLE_DEVICES": cards[number]} if cards else _share_of_cores(count)
            path = folder / f"{os.getpid()}-{number}.log"
            log = stack.enter_context(path.open("wb"))
            processes[path] = _start(place, log)
            _tell(processes[path], json.dumps(job.parameters()))
        yield processes


def _cards(settings: Settings) -> list[str]:
    if settings.visible_cards is not None:
        return [name for name in settings.visible_cards.split(",") if name]
    return [str(number) for number in range(cuda_cards())]


def _share_of_cores(count: int) -> dict[str, str]:
    """Threads that wait for each other at each product, on cores that others use, are slow."""
    if "OMP_NUM_THREADS" in os.environ:
        return {}
    return {"OMP_NUM_THREADS": str(max(1, usable_cores() // count))}


def _start(place: dict[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "narrate.studio.worker"],
        env=os.environ | place,
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        start_new_session=True,  # Ctrl-C is for us; the pipe's end tells them
    )


def _begun(processes: _Processes, book_id: str) -> Crew:
    for process in processes.values():
        _tell(process, book_id)
    return Crew(processes)


def _tell(process: subprocess.Popen[bytes], words: str) -> None:
    if process.stdin:
        with contextlib.suppress(BrokenPipeError):  # it has failed, and `faults` says so
            process.stdin.write(f"{words}\n".encode())
            process.stdin.flush()


def _tell_to_end(processes: _Processes) -> None:
    for process in processes.values():
        if process.stdin:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()


def _let_go(processes: _Processes) -> None:
    """End all: tell each to stop before waiting for any."""
    _tell_to_end(processes)
    for path, process in processes.items():
        wait_or_kill(process, STOP_S)
        if process.returncode == 0:
            path.unlink(missing_ok=True)
