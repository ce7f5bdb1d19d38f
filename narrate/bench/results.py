"""What was measured, as values and as `results.json`: raw times, nothing averaged away."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from narrate.errors import InputError, OutputError
from narrate.files import write_whole

__all__ = [
    "SCHEMA",
    "Axis",
    "Cell",
    "Results",
    "Run",
    "Work",
    "broken_results",
    "read_results",
    "write_file",
]

SCHEMA = 1
Axis = str | int | float


@dataclass(frozen=True, slots=True)
class Work:
    """What one run did, so that times can be set against it.

    `frames` counts all rows together, `whole_frames` those that their texts would take where no
    cap cut them short and the model did not end them, `steps` the frames of the longest row where
    all rows ran side by side. `calls`: how many equal calls the run consisted of. `apart`: it was
    done in another process, whose memory the meter does not see. `timed_s` and `peak_bytes` are
    those of one call where the case took them itself, because it goes on to check what came out.
    `parts` are seconds inside the run by name, `numbers` what else came out, such as a drift,
    `facts` what was in use.
    """

    rows: int = 0
    characters: int = 0
    frames: int = 0
    whole_frames: int = 0
    steps: int | None = None
    audio_s: float = 0.0
    calls: int = 1
    apart: bool = False
    timed_s: float | None = None
    peak_bytes: int | None = None
    parts: Mapping[str, float] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def cut_short(self) -> bool:
        """Whether a cap on frames ended its rows before their texts were over."""
        return self.frames < self.whole_frames

    @property
    def amount(self) -> tuple[int, int, int]:
        """What must be the same in every run, and in every cell that is compared."""
        return self.rows, self.characters, self.frames


@dataclass(frozen=True, slots=True)
class Run:
    """One timed run: `wall_s` of a call, the highest memory, joules of the card where it tells.

    Round 0 is the opening one, which is kept and does not count.
    """

    round: int
    wall_s: float
    peak_bytes: int | None = None
    energy_j: float | None = None
    parts: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cell:
    """One row of a table: what was varied, its runs, and why there are none where it failed."""

    group: str
    axes: Mapping[str, Axis]
    runs: tuple[Run, ...] = ()
    work: Work | None = None
    failed: str | None = None

    @property
    def counted(self) -> tuple[Run, ...]:
        """The runs that figures are made of."""
        return tuple(run for run in self.runs if run.round)

    @property
    def name(self) -> str:
        """The axes in words; unique within a group."""
        return " · ".join(f"{name} {value}" for name, value in self.axes.items())

    def and_run(self, run: Run, work: Work) -> Cell:
        """The cell with one more run; the work of every run has to be the same amount."""
        if self.work is not None and self.work.amount != work.amount:
            why = f"runs did unequal work: {self.work.amount} and {work.amount}"
            return replace(self, runs=(*self.runs, run), work=work, failed=why)
        return replace(self, runs=(*self.runs, run), work=work)


@dataclass(frozen=True, slots=True)
class Results:
    """A whole measurement; `stopped` says what ended it early."""

    part: str
    made_at: str
    command: str
    asked: Mapping[str, Any]
    environment: Mapping[str, Any]
    cells: tuple[Cell, ...]
    stopped: str | None = None

    def group(self, name: str) -> tuple[Cell, ...]:
        """The cells of one table."""
        return tuple(cell for cell in self.cells if cell.group == name)

    def text(self) -> str:
        """As JSON."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1, ensure_ascii=False) + "\n"


def read_results(path: Path) -> Results:
    """Read `results.json`, or the one in a folder; `InputError` says why it cannot be used."""
    path = path / "results.json" if path.is_dir() else path
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"the results cannot be read: {error.strerror}",
            where=str(path),
            remedy="name a results.json that `narrate bench` wrote, or its folder",
        ) from error
    except ValueError as error:
        raise broken_results(path, f"it is no JSON ({error})") from error
    if not isinstance(held, dict) or "schema" not in held:
        raise broken_results(path, "it has no schema")
    if held["schema"] != SCHEMA:
        raise InputError(
            f"these results have the schema {held['schema']}, and this narrate reads {SCHEMA}",
            where=str(path),
            remedy="use the narrate that wrote them, or measure again",
        )
    try:
        cells = tuple(_cell(one) for one in held.pop("cells"))
        return Results(**{key: one for key, one in held.items() if key != "schema"}, cells=cells)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise broken_results(path, f"{type(error).__name__}: {error}") from error


def _cell(held: Mapping[str, Any]) -> Cell:
    runs = tuple(Run(**one) for one in held["runs"])
    if any(not float(run.wall_s) >= 0 for run in runs):
        raise ValueError("a run took less than no time")
    work = None if held["work"] is None else Work(**held["work"])
    axes = dict(held["axes"])
    return Cell(str(held["group"]), axes, runs, work, held["failed"])


def broken_results(path: Path, why: str) -> InputError:
    """The error for a file that is no results, or not whole."""
    return InputError(
        f"this is no whole results file: {why}",
        where=str(path),
        remedy="name a results.json that `narrate bench` wrote, or measure again",
    )


def write_file(path: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all; `OutputError` where it cannot be."""
    try:
        write_whole(path, content)
    except OSError as error:
        raise OutputError(
            f"the report cannot be written: {error.strerror}",
            where=str(path),
            remedy="free space on the disk, or name another folder with --out",
        ) from error
