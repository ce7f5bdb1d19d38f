"""The one loop of every measurement: rounds over stages and cases, in alternating order.

A stage is what several cases need loaded; it is opened in every round, outside the clock and alone,
so that drift of the machine favours nobody and memory is counted for one model at a time. Even
rounds go backwards, so the last stage of a round is the first of the next and stays open. Each case
is warmed up before it is timed. With `opening` its first run, kept as round 0, does not count: what
a process computes for the first time at a size takes longer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
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

    `opens`: it has a run that does not count; a process of its own has nothing from before.
    `shape`: cases of a stage that have the same compute at the same sizes, so that the first of
    them warms up for all; None for a shape of its own.
    `why_not`: what is known beforehand to keep it from running.
    """

    group: str
    axes: Mapping[str, Axis]
    run: Callable[[Any], Work] = lambda _: Work()
    warm: Callable[[Any], object] = lambda _: None
    opens: bool = True
    shape: Hashable = None
    why_not: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """Cases that share something opened, such as a loaded model.

    `stays`: a run leaves it as it was; without, it is opened anew for every run.
    """

    cases: tuple[Case, ...]
    open: Callable[[], AbstractContextManager[Any]] = field(default=nullcontext)
    stays: bool = True


class Watcher(Protocol):
    """Whoever wants to see cells as they come in."""

    def begin(self, cells: Sequence[Cell], runs: int) -> None:
        """All cells that are planned, still empty, and how many runs of them."""

    def runs(self, cell: Cell) -> None:
        """A cell that is about to run; loading and warming up come before it."""

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
    openers = set(_openers(stages)) if opening else set()
    loop = _Loop(cases, openers, rounds, watch, minutes)
    stopped = None
    try:
        for stage, numbers in _visits(stages, rounds, openers):
            loop.visit(stage, numbers)
    except (KeyboardInterrupt, SystemExit) as stop:  # SystemExit is what SIGTERM becomes
        stopped = INTERRUPTED if isinstance(stop, KeyboardInterrupt) else TERMINATED
    except _OutOfTime:
        stopped = OUT_OF_TIME
    return tuple(loop.held[id(case)] for case in cases), stopped


def _openers(stages: Sequence[Stage]) -> Iterator[int]:
    """The cases that have a round 0: the first of each shape."""
    for stage in stages:
        seen: set[Hashable] = set()
        for case in stage.cases:
            if case.opens and case.why_not is None and _shape(case) not in seen:
                seen.add(_shape(case))
                yield id(case)


def _shape(case: Case) -> Hashable:
    return id(case) if case.shape is None else case.shape


def _visits(
    stages: Sequence[Stage], rounds: int, openers: set[int]
) -> list[tuple[Stage, tuple[int, ...]]]:
    """Each opening of a stage, and the rounds that it stays open for."""
    found: list[tuple[Stage, tuple[int, ...]]] = []
    for number in range(1, rounds + 1):
        for stage in stages if number % 2 else stages[::-1]:
            first = number == 1 and any(id(case) in openers for case in stage.cases)
            if stage.stays and found and found[-1][0] is stage:
                found[-1] = (stage, (*found[-1][1], number))
            elif first:
                found += [(stage, (0, 1))] if stage.stays else [(stage, (0,)), (stage, (1,))]
            else:
                found.append((stage, (number,)))
    return found


class _OutOfTime(Exception):
    """The time is up."""


class _Loop:
    def __init__(
        self,
        cases: Sequence[Case],
        openers: set[int],
        rounds: int,
        watch: Watcher,
        minutes: float | None,
    ) -> None:
        self.openers, self.watch = openers, watch
        self.held = {id(case): Cell(case.group, case.axes, failed=case.why_not) for case in cases}
        self.left = {
            id(case): 0 if case.why_not else rounds + (id(case) in openers) for case in cases
        }
        self.meter = Meter()
        self.started = time.monotonic()
        self.ends = None if minutes is None else self.started + 60 * minutes
        self.done = 0
        watch.begin(tuple(self.held.values()), sum(self.left.values()))

    def visit(self, stage: Stage, numbers: Sequence[int]) -> None:
        """Open a stage and run what is left of its cases, in each of these rounds."""
        wanted = [case for case in stage.cases if self.held[id(case)].failed is None]
        turns = [
            (number, case)
            for number, case in _ordered(wanted, numbers)
            if number or id(case) in self.openers
        ]
        if not turns:
            return
        self._check_time()
        self.watch.runs(self.held[id(turns[0][1])])
        try:
            with stage.open() as opened:
                warm: set[Hashable] = set()
                for number, case in turns:
                    if self.held[id(case)].failed is None:
                        self._check_time()
                        self._case(number, case, opened, warm, stage.stays)
        except FAILURES as error:
            for number, case in turns:
                if all(run.round != number for run in self.held[id(case)].runs):
                    self._failed(case, error)

    def _case(self, number: int, case: Case, opened: Any, warm: set[Hashable], stays: bool) -> None:
        self.watch.runs(self.held[id(case)])
        # Round 0 is a warm-up itself, unless what it warms is closed after it.
        try:
            if _shape(case) not in warm and (number or not stays):
                case.warm(opened)
            self.meter.start()
            work = case.run(opened)
            reading = self.meter.stop()
        except FAILURES as error:
            self._failed(case, error)
            return
        if stays:
            warm.add(_shape(case))
        self.left[id(case)] -= 1
        self._took_in(case, self.held[id(case)].and_run(_run(number, reading, work), work))

    def _failed(self, case: Case, error: BaseException) -> None:
        if self.held[id(case)].failed is None:
            self._took_in(case, replace(self.held[id(case)], failed=_words(error)))

    def _took_in(self, case: Case, cell: Cell) -> None:
        self.held[id(case)] = cell
        if cell.failed is not None:
            self.left[id(case)] = 0
        self.done += 1
        spent_s = time.monotonic() - self.started
        self.watch.ran(cell, spent_s / self.done * sum(self.left.values()))

    def _check_time(self) -> None:
        if self.ends is not None and time.monotonic() > self.ends:
            raise _OutOfTime


def _ordered(cases: Sequence[Case], numbers: Sequence[int]) -> Iterator[tuple[int, Case]]:
    """Runs in order: even rounds backwards, and a round 0 just before what it is for."""
    if tuple(numbers[:2]) == (0, 1):
        yield from ((number, case) for case in cases for number in (0, 1))
        numbers = numbers[2:]
    for number in numbers:
        backwards = number and number % 2 == 0
        yield from ((number, case) for case in (cases[::-1] if backwards else cases))


def _run(number: int, reading: Reading, work: Work) -> Run:
    if work.timed_s is not None:
        return Run(number, work.timed_s, work.peak_bytes, None, work.parts)
    energy_j = None if reading.energy_j is None else reading.energy_j / work.calls
    return Run(number, reading.wall_s / work.calls, reading.peak_bytes, energy_j, work.parts)


def _words(error: BaseException) -> str:
    said = " ".join(str(error).split()) or type(error).__name__
    return said if len(said) <= _MOST_WORDS else said[:_MOST_WORDS] + " …"
