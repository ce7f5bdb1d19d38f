"""Numbers derived from raw runs: median, spread, outliers by rule, rates."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from narrate.bench.results import Cell

__all__ = ["ENERGY_FROM_S", "OUTLIER_RULE", "Figures", "figures_of", "outliers", "too_few_runs"]

ENERGY_FROM_S = 1.0
"""A card's counter moves some ten times a second: of shorter runs it says too little."""
_LEAST_RUNS = 2
"""Fewer have no spread, so that nothing can be told apart by them."""

_MADS, _LEAST_SHARE = 3.0, 0.05
_SIGMAS_PER_MAD = 1.4826  # for a normal distribution
OUTLIER_RULE = (
    "a run is marked as an outlier when it is more than 3 scaled median absolute deviations and "
    "more than 5 % away from the median of four runs or more; it is marked, never dropped"
)
_LEAST_RUNS_OF_OUTLIERS = 4


@dataclass(frozen=True, slots=True)
class Figures:
    """A cell in numbers; None where a number has no meaning for it."""

    runs: int
    median_s: float
    min_s: float
    max_s: float
    outliers: int
    characters_per_s: float | None
    real_time: float | None
    frames_per_s: float | None
    ms_per_frame: float | None
    peak_bytes: int | None
    energy_j: float | None

    @property
    def spread(self) -> float:
        """How far the slowest run is from the fastest, as a share of the median."""
        return (self.max_s - self.min_s) / self.median_s if self.median_s else 0.0


def outliers(times: Sequence[float]) -> list[int]:
    """The places of the outliers; see `OUTLIER_RULE`."""
    if len(times) < _LEAST_RUNS_OF_OUTLIERS:
        return []
    middle = statistics.median(times)
    deviation = statistics.median(abs(one - middle) for one in times) * _SIGMAS_PER_MAD
    far = max(_MADS * deviation, _LEAST_SHARE * middle)
    return [place for place, one in enumerate(times) if abs(one - middle) > far]


def too_few_runs(one: Figures, other: Figures) -> bool:
    """Whether one of the two has too few runs to tell them apart."""
    return min(one.runs, other.runs) < _LEAST_RUNS


def figures_of(cell: Cell) -> Figures | None:
    """The figures of a cell that ran; all runs but the opening one count, outliers too."""
    work = cell.work
    if not cell.counted or work is None:
        return None
    times = [run.wall_s for run in cell.counted]
    median_s = statistics.median(times)
    peaks = [run.peak_bytes for run in cell.counted if run.peak_bytes is not None]
    joules = [
        run.energy_j
        for run in cell.counted
        if run.energy_j is not None and run.wall_s >= ENERGY_FROM_S
    ]
    rate = 1 / median_s if median_s > 0 else 0.0
    return Figures(
        runs=len(times),
        median_s=median_s,
        min_s=min(times),
        max_s=max(times),
        outliers=len(outliers(times)),
        characters_per_s=None if work.cut_short else work.characters * rate or None,
        real_time=work.audio_s * rate or None,
        frames_per_s=work.frames * rate or None,
        ms_per_frame=1e3 * median_s / work.steps if work.steps else None,
        peak_bytes=max(peaks, default=None),
        energy_j=statistics.median(joules) if joules else None,
    )
