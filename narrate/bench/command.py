"""One measurement from words to folder: `results.json` first, then the report and its plots."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from narrate import stop
from narrate.bench.asked import COMMANDS, Asked
from narrate.bench.machine import environment
from narrate.bench.measure import INTERRUPTED, TERMINATED, Stage, Watcher, measure
from narrate.bench.report import write_report
from narrate.bench.results import Cell, Results, write_file
from narrate.errors import UsageError

__all__ = ["ROUNDS", "Stopped", "measure_part", "part_of"]

Stages = Callable[..., AbstractContextManager[tuple[Sequence[Stage], Mapping[str, Any]]]]
ROUNDS = 3
_UNFINISHED = "the process ended before it was done"
# A part is imported when it is asked for: some of them load torch.
_PARTS: Mapping[str, str] = {
    "generate": "narrate.bench.generate",
    "attention": "narrate.bench.attention",
    "optimizations": "narrate.bench.optimizations",
    "frontend": "narrate.bench.parts",
    "store": "narrate.bench.parts",
    "stitch": "narrate.bench.parts",
    "book": "narrate.bench.parts",
}


_KEEP_EVERY_S = 5.0


class Stopped(Exception):
    """Ctrl-C or SIGTERM, after what was measured had been written to `folder`."""

    def __init__(self, folder: Path, terminated: bool) -> None:
        super().__init__(str(folder))
        self.folder, self.exit_code = folder, stop.TERMINATED if terminated else stop.INTERRUPTED


class _Keeper:
    """A watcher that keeps what is there, so that a process that is killed leaves it behind."""

    def __init__(self, watch: Watcher, results: Results, folder: Path) -> None:
        self._watch, self._results, self._folder = watch, results, folder
        self._cells: dict[tuple[str, str], Cell] = {}
        self._kept_at = time.monotonic()

    def begin(self, cells: Sequence[Cell], runs: int) -> None:
        self._cells = {(cell.group, cell.name): cell for cell in cells}
        self._watch.begin(cells, runs)

    def runs(self, cell: Cell) -> None:
        self._watch.runs(cell)

    def ran(self, cell: Cell, left_s: float | None) -> None:
        self._cells[cell.group, cell.name] = cell
        if time.monotonic() - self._kept_at > _KEEP_EVERY_S:
            self._kept_at = time.monotonic()
            held = replace(self._results, cells=tuple(self._cells.values()), stopped=_UNFINISHED)
            write_file(self._folder / "results.json", held.text().encode())
        self._watch.ran(cell, left_s)


def part_of(asked: Asked) -> str:
    """The command that an asked-for value belongs to."""
    return next(name for name, kind in COMMANDS.items() if kind is type(asked))


def measure_part(asked: Asked, watch: Watcher, arrived: Callable[[], None] = lambda: None) -> Path:
    """Measure what was asked for and write the report's folder; returns it.

    `UsageError` for words without a meaning and for a folder that holds results. `Stopped` after
    Ctrl-C or SIGTERM; what was measured is kept. `arrived` is called when either has reached us,
    before the report is drawn: who gives a signal again until it is heard would end that.
    """
    part = part_of(asked)
    made_at = datetime.now(UTC)
    folder = Path(asked.out or f"outputs/bench-{part}-{made_at:%Y%m%d-%H%M%S}")
    rounds, most = asked.rounds(ROUNDS), asked.most_minutes
    _refuse_to_replace(folder)
    opener: Stages = import_module(_PARTS[part]).stages
    with opener(asked) as (stages, about):
        facts = environment(asked.commit)
        empty = Results(
            part=part,
            made_at=made_at.isoformat(timespec="seconds"),
            command=_command(part),
            asked=asdict(asked) | {"about": dict(about)},
            environment=facts,
            cells=(),
        )
        # Now, not after an hour of measuring, it has to turn out that nothing can be written there.
        write_file(folder / "results.json", replace(empty, stopped=_UNFINISHED).text().encode())
        keeper = _Keeper(watch, empty, folder)
        cells, stopped = measure(stages, rounds, keeper, most, opening=rounds > 1)
    if stopped in (INTERRUPTED, TERMINATED):
        arrived()
    results = replace(empty, cells=cells, stopped=stopped)
    write_file(folder / "results.json", results.text().encode())
    try:
        write_report(results, folder)
    except (KeyboardInterrupt, SystemExit) as asked_to:
        raise Stopped(folder, isinstance(asked_to, SystemExit)) from None
    if stopped in (INTERRUPTED, TERMINATED):
        raise Stopped(folder, stopped == TERMINATED)
    return folder


def _refuse_to_replace(folder: Path) -> None:
    if (folder / "results.json").exists():
        raise UsageError(
            "this folder holds the results of another measurement",
            where=f"--out {folder}",
            remedy="name another folder",
        )


def _command(part: str) -> str:
    words = sys.argv[sys.argv.index(part) + 1 :] if part in sys.argv else []
    return " ".join(["narrate", "bench", part, *words])
