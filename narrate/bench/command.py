"""One measurement from words to folder: `results.json` first, then the report and its plots."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from narrate.bench.asked import COMMANDS, Asked
from narrate.bench.machine import environment
from narrate.bench.measure import INTERRUPTED, Stage, Watcher, measure
from narrate.bench.report import write_report
from narrate.bench.results import Results, write_file

__all__ = ["ROUNDS", "Stopped", "measure_part", "part_of"]

Stages = Callable[..., AbstractContextManager[tuple[Sequence[Stage], Mapping[str, Any]]]]
ROUNDS = 3
# A part is imported when it is asked for: some of them load torch.
_PARTS: Mapping[str, str] = {
    "generate": "narrate.bench.generate",
}


class Stopped(Exception):
    """Ctrl-C, after what was measured had been written to `folder`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self.folder = folder


def part_of(asked: Asked) -> str:
    """The command that an asked-for value belongs to."""
    return next(name for name, kind in COMMANDS.items() if kind is type(asked))


def measure_part(asked: Asked, watch: Watcher) -> Path:
    """Measure what was asked for and write the report's folder; returns it.

    `UsageError` for words without a meaning. `Stopped` after Ctrl-C; what was measured is kept.
    """
    part = part_of(asked)
    made_at = datetime.now(UTC)
    folder = Path(asked.out or f"outputs/bench-{part}-{made_at:%Y%m%d-%H%M%S}")
    opener: Stages = import_module(_PARTS[part]).stages
    with opener(asked) as (stages, about):
        facts = environment(asked.commit)
        cells, stopped = measure(stages, asked.rounds(ROUNDS), watch, asked.minutes)
    results = Results(
        part=part,
        made_at=made_at.isoformat(timespec="seconds"),
        command=_command(part),
        asked=asdict(asked) | {"about": dict(about)},
        environment=facts,
        cells=cells,
        stopped=stopped,
    )
    write_file(folder / "results.json", results.text().encode())
    write_report(results, folder)
    if stopped == INTERRUPTED:
        raise Stopped(folder)
    return folder


def _command(part: str) -> str:
    words = sys.argv[sys.argv.index(part) + 1 :] if part in sys.argv else []
    return " ".join(["narrate", "bench", part, *words])
