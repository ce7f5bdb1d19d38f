"""Plain lines for whoever watches without a terminal: a line a run, with the time that is left."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Self, TextIO

from narrate.bench.figures import figures_of
from narrate.bench.results import Cell

__all__ = ["Lines", "said", "seconds"]


class Lines:
    """Writes a line for each run."""

    def __init__(self, to: TextIO | None = None) -> None:
        self._to = to or sys.stderr
        self._planned, self._done = 0, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def begin(self, cells: Sequence[Cell], runs: int) -> None:
        """Say how much is planned."""
        self._planned = runs
        count = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
        print(f"{count}, {runs} runs", file=self._to, flush=True)

    def runs(self, cell: Cell) -> None:
        """Say nothing: its line comes when it has run."""

    def ran(self, cell: Cell, left_s: float | None) -> None:
        """Say what came in."""
        self._done += 1
        left = "" if left_s is None else f", {left_s:.0f} s left"
        count = f"{self._done}/{self._planned}"
        print(f"{count} {cell.group}: {cell.name}: {said(cell)}{left}", file=self._to, flush=True)


def said(cell: Cell) -> str:
    """A cell in a few words: the median, what follows from it, or why it failed."""
    figures = figures_of(cell)
    if cell.failed is not None or figures is None:
        opened = f"{seconds(cell.runs[-1].wall_s)}, not counted" if cell.runs else "waiting"
        return f"failed: {cell.failed}" if cell.failed else opened
    words = [seconds(figures.median_s)]
    if figures.ms_per_frame is not None:
        words.append(f"{figures.ms_per_frame:.2f} ms a frame")
    if figures.real_time is not None:
        words.append(f"{figures.real_time:.3g} x real time")
    return ", ".join(words)


def seconds(value: float) -> str:
    """Seconds in the unit that suits them."""
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if value * scale >= 1:
            return f"{value * scale:.3g} {unit}"
    return f"{value * 1e6:.3g} µs"
