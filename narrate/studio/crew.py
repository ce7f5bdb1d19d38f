"""Further processes that speak beside this one on the same host, each with a card of its own.

They end with the pipe from this process, so none is left behind, and store what they have spoken.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from narrate.config import Settings
from narrate.errors import UsageError
from narrate.speech.devices import cuda_cards

__all__ = ["Crew", "crew"]

STOP_S = 10.0


class Crew:
    """The processes beside this one; `faults` says which of them failed, once each."""

    def __init__(self, processes: dict[Path, subprocess.Popen[bytes]]) -> None:
        self.processes = processes
        self._told: set[Path] = set()

    def faults(self) -> tuple[str, ...]:
        """Return a sentence for each process that failed since the last call."""
        failed = {log for log, process in self.processes.items() if process.poll()} - self._told
        self._told |= failed
        return tuple(
            f"a worker ended with an error, the others go on; its words are in {log}"
            for log in sorted(failed)
        )


@contextlib.contextmanager
def crew(settings: Settings, book_id: str, workers: int) -> Iterator[Crew]:
    """Have `workers` processes on the book while the block runs, this one included.

    Each further process gets the next card where there are cards; this one keeps the first.
    UsageError when there are cards, and fewer of them than processes.
    """
    cards = _cards(settings) if workers > 1 else []
    if cards and workers > len(cards):
        raise UsageError(
            f"{workers} workers need as many cards, and this process may use {len(cards)}",
            where="--workers",
            remedy=f"use --workers {len(cards)}",
        )
    folder = settings.home / "workers"
    with contextlib.ExitStack() as stack:
        processes = {}
        for number in range(1, workers):
            folder.mkdir(parents=True, exist_ok=True)
            card = {"CUDA_VISIBLE_DEVICES": cards[number]} if number < len(cards) else {}
            path = folder / f"{os.getpid()}-{number}.log"
            log = stack.enter_context(path.open("wb"))
            processes[path] = _start(book_id, card, log)
            stack.callback(_end, processes[path], path)
        stack.callback(_let_go, list(processes.values()))
        yield Crew(processes)


def _cards(settings: Settings) -> list[str]:
    if settings.visible_cards is not None:
        return [name for name in settings.visible_cards.split(",") if name]
    return [str(number) for number in range(cuda_cards())]


def _start(book_id: str, card: dict[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "narrate.studio.worker", book_id],
        env=os.environ | card,
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        start_new_session=True,  # Ctrl-C is for us; the pipe's end tells them
    )


def _let_go(processes: list[subprocess.Popen[bytes]]) -> None:
    """Tell all to stop before waiting for any."""
    for process in processes:
        if process.stdin:
            process.stdin.close()


def _end(process: subprocess.Popen[bytes], log: Path) -> None:
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.returncode == 0:
        log.unlink(missing_ok=True)
