"""The one loop of every measurement: rounds over stages and cases, in alternating order.

A stage is what several cases need loaded; it is opened anew in every round, outside the clock, so
that drift of the machine favours nobody and memory is counted for one model at a time. Each case is
warmed up before it is timed. Even rounds go backwards. An opening round, which is none of them, is
kept and does not count.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from narrate.bench.meter import Meter, Reading
from narrate.bench.results import Axis, Cell, Run, Work
from narrate.errors import NarrateError

__all__ = [
    "FAILURES",
    "INTERRUPTED",
    "OUT_OF_TIME",
    "TERMINATED",
    "Case",
    "Stage",
    "Watcher",
    "measure",
]

# What a cell can fail with and the rest goes on: RuntimeError is torch's, for a card without
# memory and for a kernel that cannot run here.
FAILURES = (NarrateError, RuntimeError, ImportError, ValueError, AssertionError, MemoryError)
INTERRUPTED, TERMINATED = "stopped by Ctrl-C", "stopped by SIGTERM"
OUT_OF_TIME = "the time that --minutes or --quick allows was spent"
_MOST_WORDS = 300


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One cell: what is varied, how to warm up, and how to run it once on what is open.

    `opens`: it takes part in the opening round; a process of its own has nothing from before.
    `why_not`: what is known beforehand to keep it from running.
    """

    group: str
    axes: Mapping[str, Axis]
    run: Callable[[Any], Work] = lambda _: Work()
    warm: Callable[[Any], object] = lambda _: None
    opens: bool = True
    why_not: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """Cases that share something opened, such as a loaded model."""

    cases: tuple[Case, ...]
    open: Callable[[], AbstractContextManager[Any]] = field(default=nullcontext)


class Watcher(Protocol):
    """Whoever wants to see cells as they come in."""

    def begin(self, cells: Sequence[Cell], runs: int) -> None:
        """All cells that are planned, still empty, and how many runs of them."""

    def ran(self, cell: Cell, left_s: float | None) -> None:
        """A cell with one more run, or one that failed; `left_s` is a guess of what remains."""


def measure(
    stages: Sequence[Stage],
    rounds: int,
    watch: Watcher,
    minutes: float | None = None,
    *,
    opening: bool = False,
) -> tuple[tuple[Cell, ...], str | None]:
    """Run everything; returns the cells in the order of the stages, and what ended it early.

    A cell that fails says why and is left out of later rounds. Ctrl-C keeps what was measured.
    """
    cases = [case for stage in stages for case in stage.cases]
    held = {id(case): Cell(case.group, case.axes, failed=case.why_not) for case in cases}
    numbers = range(0 if opening else 1, rounds + 1)
    planned = sum(_takes_part(case, number) for case in cases for number in numbers)
    watch.begin(tuple(held.values()), planned)
    loop = _Loop(held, watch, planned, minutes)
    stopped = None
    try:
        for number in numbers:
            loop.round(number, stages[::-1] if number and number % 2 == 0 else stages)
    except (KeyboardInterrupt, SystemExit) as stop:  # SystemExit is what SIGTERM becomes
        stopped = INTERRUPTED if isinstance(stop, KeyboardInterrupt) else TERMINATED
    except _OutOfTime:
        stopped = OUT_OF_TIME
    return tuple(held[id(case)] for case in cases), stopped


def _takes_part(case: Case, number: int) -> bool:
    return case.why_not is None and (number > 0 or case.opens)


class _OutOfTime(Exception):
    """The time is up."""


class _Loop:
    def __init__(
        self, held: dict[int, Cell], watch: Watcher, planned: int, minutes: float | None
    ) -> None:
        self.held, self.watch, self.planned = held, watch, planned
        self.meter = Meter()
        self.started = time.monotonic()
        self.ends = None if minutes is None else self.started + 60 * minutes
        self.done = 0

    def round(self, number: int, stages: Sequence[Stage]) -> None:
        for stage in stages:
            cases = [case for case in stage.cases if _takes_part(case, number)]
            cases = cases[::-1] if number and number % 2 == 0 else cases
            wanted = [case for case in cases if self.held[id(case)].failed is None]
            self.done += len(cases) - len(wanted)
            if not wanted:
                continue
            self._check_time()
            try:
                with stage.open() as opened:
                    for case in wanted:
                        self._check_time()
                        self._case(number, case, opened)
            except FAILURES as error:
                for case in wanted:
                    if all(run.round != number for run in self.held[id(case)].runs):
                        self._failed(case, error)

    def _case(self, number: int, case: Case, opened: Any) -> None:
        try:
            case.warm(opened)
            self.meter.start()
            work = case.run(opened)
            reading = self.meter.stop()
        except FAILURES as error:
            self._failed(case, error)
            return
        self._took_in(case, self.held[id(case)].and_run(_run(number, reading, work), work))

    def _failed(self, case: Case, error: BaseException) -> None:
        if self.held[id(case)].failed is None:
            self._took_in(case, replace(self.held[id(case)], failed=_words(error)))

    def _took_in(self, case: Case, cell: Cell) -> None:
        self.held[id(case)] = cell
        self.done += 1
        spent_s = time.monotonic() - self.started
        self.watch.ran(cell, max(0.0, spent_s / self.done * (self.planned - self.done)))

    def _check_time(self) -> None:
        if self.ends is not None and time.monotonic() > self.ends:
            raise _OutOfTime


def _run(number: int, reading: Reading, work: Work) -> Run:
    if work.timed_s is not None:
        return Run(number, work.timed_s, work.peak_bytes, None, work.parts)
    energy_j = None if reading.energy_j is None else reading.energy_j / work.calls
    peak_bytes = None if work.apart else reading.peak_bytes
    return Run(number, reading.wall_s / work.calls, peak_bytes, energy_j, work.parts)


def _words(error: BaseException) -> str:
    said = " ".join(str(error).split()) or type(error).__name__
    return said if len(said) <= _MOST_WORDS else said[:_MOST_WORDS] + " …"
