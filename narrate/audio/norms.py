"""What a voice does: medians and deviations over some of its takes, against which one stands out.

Medians and median deviations, because the takes they come from hold the bad ones too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrate.audio.measures import Measures

__all__ = ["NORMS_FROM", "NORMS_VERSION", "Norms", "Spread", "norms_of"]

NORMS_VERSION = 1
"""Raised by hand when the same takes would give other norms."""
NORMS_FROM = 50
"""Takes that a norm needs."""

_MAD_TO_DEVIATION = 1.4826  # of a normal distribution
_LEAST_LOG_PACE, _LEAST_DB = 0.05, 0.75  # a voice that never varies would flag everything


@dataclass(frozen=True, slots=True)
class Spread:
    """A median and the standard deviation that the median deviation stands for."""

    median: float
    deviation: float

    def deviations(self, value: float) -> float:
        """How many deviations a value lies away from the median."""
        return abs(value - self.median) / self.deviation


@dataclass(frozen=True, slots=True)
class Norms:
    """How a voice speaks: pace, level, octaves, and distance from these.

    `log_pace` is of the logarithm of seconds a character: twice as fast is as odd as half.
    """

    log_pace: Spread
    level_dbfs: Spread
    bands_db: tuple[float, ...]
    distance: Spread

    def distance_db(self, bands_db: Sequence[float]) -> float:
        """Mean distance of a take's octaves from the voice's."""
        return float(np.abs(np.subtract(bands_db, self.bands_db)).mean())

    def as_values(self) -> dict[str, Any]:
        """The norms as JSON has them."""
        return asdict(self)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Norms:
        """Understand what `as_values` gave."""
        return cls(
            Spread(**values["log_pace"]),
            Spread(**values["level_dbfs"]),
            tuple(values["bands_db"]),
            Spread(**values["distance"]),
        )


def norms_of(takes: Sequence[Measures]) -> Norms:
    """The norms of a voice from takes of it, `NORMS_FROM` or more."""
    log_paces = np.log([take.pace for take in takes])
    levels = np.array([take.level_dbfs for take in takes])
    bands = np.array([take.bands_db for take in takes])
    middle = np.median(bands, axis=0)
    return Norms(
        _spread(log_paces, _LEAST_LOG_PACE),
        _spread(levels, _LEAST_DB),
        tuple(round(float(one), 3) for one in middle),
        _spread(np.abs(bands - middle).mean(axis=1), _LEAST_DB),
    )


def _spread(values: NDArray[np.float64], least: float) -> Spread:
    median = float(np.median(values))
    deviation = _MAD_TO_DEVIATION * float(np.median(np.abs(values - median)))
    return Spread(round(median, 5), round(max(deviation, least), 5))
