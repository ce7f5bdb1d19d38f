"""A true-peak limiter: turns down the few peaks above a ceiling, smoothly, and says how much.

Peaks are looked for between the samples too, at four times the rate (ITU-R BS.1770-5, annex 2, says
why). What lies more than the look-ahead away from a peak is not touched.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["Limiter", "true_peaks"]

LOOK_S = 0.005
"""How long before a peak the gain begins to fall, and how long after it, it rises."""
HEARD_DB = 0.1
_TAPS = 12  # samples on either side that a value between two samples is made of
_NEAR = 0.6  # between two samples of this share of the ceiling nothing rises above it


def _phases() -> NDArray[np.float32]:
    """Weights [2 * taps, 3] of the samples around for the three values between two of them."""
    distance = np.arange(-_TAPS + 1, _TAPS + 1)[:, None] - np.array([0.25, 0.5, 0.75])
    window = np.cos(np.pi * distance / (2 * _TAPS)) ** 2
    weights = np.sinc(distance) * window
    return np.asarray(weights / weights.sum(axis=0), np.float32)


_PHASES = _phases()
_AROUND = np.arange(-_TAPS + 1, _TAPS + 1)


def true_peaks(
    samples: NDArray[np.float32], above: float
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return where the level passes `above` and what it is there, between the samples too.

    What lies between is computed beside the crests of the samples, and counts for both neighbours.
    The first and last 12 samples are not looked at.
    """
    level = np.abs(samples)
    near = np.flatnonzero(level > above * _NEAR)
    near = near[(near >= _TAPS) & (near < len(samples) - _TAPS)]
    if not near.size:
        return near, np.zeros(0, np.float32)
    crests = near[(level[near] >= level[near - 1]) & (level[near] >= level[near + 1])]
    pairs = np.unique(np.concatenate([crests - 1, crests]))
    between = np.abs(samples[pairs[:, None] + _AROUND] @ _PHASES).max(axis=1)
    peaks = np.zeros(len(samples), np.float32)
    peaks[near] = level[near]
    np.maximum.at(peaks, pairs, between)
    np.maximum.at(peaks, pairs + 1, between)
    found = np.flatnonzero(peaks > above)
    return found, peaks[found]


class Limiter:
    """A stream of mono float32 samples whose true peaks stay under `ceiling` (linear).

    `deepest_db` is the largest reduction so far, `limited_samples` how many were turned down by
    more than 0.1 dB. What comes out is as long as what went in, late by some milliseconds.
    """

    def __init__(self, ceiling: float, rate_hz: int) -> None:
        self.deepest_db = 0.0
        self.limited_samples = 0
        self._ceiling = ceiling
        self._look = max(1, round(LOOK_S * rate_hz))
        self._margin = 2 * self._look + _TAPS  # what a sample's gain depends on, on either side
        self._held = np.zeros(self._margin, np.float32)

    def feed(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what is ready."""
        held = np.concatenate([self._held, samples])
        ready = len(held) - 2 * self._margin
        if ready <= 0:
            self._held = held
            return np.zeros(0, np.float32)
        out = held[self._margin : self._margin + ready].copy()
        places, peaks = true_peaks(held, self._ceiling)
        for first, last in _groups(places, 2 * self._margin):
            self._turn_down(out, places[first:last], self._ceiling / peaks[first:last])
        self._held = held[ready:]
        return out

    def flush(self) -> NDArray[np.float32]:
        """Return the rest; nothing can be fed afterwards."""
        return self.feed(np.zeros(self._margin, np.float32))

    def _turn_down(
        self, out: NDArray[np.float32], places: NDArray[np.intp], wanted: NDArray[np.float32]
    ) -> None:
        """Apply the gain around some neighbouring peaks; `places` count from a margin before."""
        look = self._look
        start, end = int(places[0]) - 3 * look, int(places[-1]) + 3 * look + 1
        gain = np.ones(end - start + 2 * look)
        np.minimum.at(gain, places - start + look, wanted)
        # The lowest gain within `look` on both sides, then smoothed over as much: at a peak all
        # that is averaged is as low as the peak wants it, so the ceiling holds.
        lowest = _moving_minimum(gain, 2 * look + 1)
        smooth = _moving_average(_moving_average(lowest, look + 1), look + 1)
        first = start + look - self._margin
        low, high = max(0, first), min(len(out), first + len(smooth))
        if low >= high:
            return
        part = smooth[low - first : high - first]
        out[low:high] *= part.astype(np.float32)
        self.deepest_db = max(self.deepest_db, float(-20 * np.log10(part.min())))
        self.limited_samples += int((part < 10 ** (-HEARD_DB / 20)).sum())


def _groups(places: NDArray[np.intp], apart: int) -> list[tuple[int, int]]:
    """Split peaks into runs that are further apart than their gains reach."""
    if not places.size:
        return []
    cuts = [0, *(np.flatnonzero(np.diff(places) > apart) + 1).tolist(), len(places)]
    return list(pairwise(cuts))


def _moving_minimum(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """The least of every `width` neighbours, by doubling: shape [n - width + 1]."""
    span = 1
    while 2 * span <= width:
        values = np.minimum(values[:-span], values[span:])
        span *= 2
    rest = width - span
    return np.minimum(values[:-rest], values[rest:]) if rest else values


def _moving_average(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    total = np.cumsum(np.concatenate([[0.0], values]))
    return np.asarray((total[width:] - total[:-width]) / width)
