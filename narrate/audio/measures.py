"""What is heard in a take, as a few numbers that are kept with it: the checks judge from these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

__all__ = ["BANDS_HZ", "Frames", "Measures", "framed", "measured", "weight_of"]

BANDS_HZ = (100, 200, 400, 800, 1_600, 3_200, 6_400)
"""Edges of the bands, an octave each; all rates of takes reach the highest."""

CLIPPED_LEVEL = 0.999

_FRAME_S = 0.04
# Ten seconds. Each step over an array gives Python's lock away and asks for it again, so a take
# is looked at in few long steps rather than in many that fit the nearest cache (docs/log.md).
_BLOCK_FRAMES = 256
_QUIET_DB = 40.0  # below a take's loud frames, their 90th percentile: a pause, or breath
_LEAST_LOUD_DB = 20.0  # below the loudest frame: where a take is nearly all silence
_NO_BAND_DB = 50.0  # what lies lower is nothing, however low
_END_S = 0.005
_LOOP_LAGS_S = (0.24, 4.0)
_LOOP_S, _LOOP_ROUNDS = 2.4, 3
_SAME_DB = 6.0  # a lag is no whole number of frames
_STARTING_CHARACTERS = 6
_DIGIT_WEIGHT = 5
"""A digit is read as a word; `1,813` takes longer than five letters."""


@dataclass(frozen=True, slots=True)
class Measures:
    """`speech_s` from the first loud frame to the last, `pace` of it in seconds a character.

    `level_dbfs` is the RMS of the frames that are not quiet, `bands_db` their power in octaves
    against the whole; `hole_s` the longest quiet inside; `end_db` the last 5 ms against the loud
    frames; `loop_s` the longest stretch that says the same three times over.
    """

    speech_s: float
    pace: float
    level_dbfs: float
    bands_db: tuple[float, ...]
    hole_s: float
    dc: float
    end_db: float
    loop_s: float

    def as_values(self) -> dict[str, Any]:
        """The measures as JSON has them."""
        return asdict(self)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Measures:
        """Understand what `as_values` gave."""
        return cls(**{**values, "bands_db": tuple(values["bands_db"])})


def weight_of(spoken: str) -> float:
    """How long a text should take, in letters of plain prose."""
    digits = sum(char.isdigit() for char in spoken)
    return _STARTING_CHARACTERS + len(spoken) + (_DIGIT_WEIGHT - 1) * digits


@dataclass(frozen=True, slots=True)
class Frames:
    """A take in frames of 40 ms, the last filled up with zeros; `samples` says how many there were.

    `power` [frames] is their mean square, offset and all; `bands` [frames, octaves] their power in
    octaves. `dc` is the mean, `peak` the highest level (NaN where a sample is none), and
    `clipped_share` how many samples reach full scale; `end` the last 5 ms.
    """

    samples: int
    power: NDArray[np.float32]
    bands: NDArray[np.float32]
    dc: float
    peak: float
    clipped_share: float
    end: NDArray[np.float32]


def framed(samples: NDArray[np.int16] | NDArray[np.float32], rate_hz: int) -> Frames:
    """Look at every sample once, many frames at a time."""
    size = round(_FRAME_S * rate_hz)
    count = max(1, -(-len(samples) // size))
    window = np.hanning(size).astype(np.float32)
    edges = [round(edge * size / rate_hz) for edge in BANDS_HZ]
    # Parseval, with the window's loss of 3/8 made good: comparable with a frame's mean square
    scale = np.float32(2 / (size * size * 0.375))
    power = np.empty(count, np.float32)
    bands = np.empty((count, len(edges) - 1), np.float32)
    total, peak, clipped = 0.0, 0.0, 0
    for first in range(0, count, _BLOCK_FRAMES):
        block = _as_floats(samples[first * size : (first + _BLOCK_FRAMES) * size])
        total += float(block.sum())
        high = float(np.maximum(block.max(initial=0), -block.min(initial=0)))
        peak = float(np.maximum(peak, high))
        if high >= CLIPPED_LEVEL:
            clipped += int(np.count_nonzero(np.abs(block) >= CLIPPED_LEVEL))
        if len(block) % size:
            block = np.concatenate([block, np.zeros(size - len(block) % size, np.float32)])
        frames = block.reshape(-1, size)
        some = slice(first, first + len(frames))
        power[some] = np.einsum("ij,ij->i", frames, frames) / size
        with np.errstate(invalid="ignore"):  # infinite samples: their peak tells
            spectrum = np.fft.rfft(frames * window)
            squares = np.square(spectrum.view(np.float32)[:, : 2 * edges[-1]])  # re, im, re, ...
        pairs = [2 * edge for edge in edges[:-1]]
        bands[some] = np.add.reduceat(squares, pairs, axis=1) * scale
    last = _as_floats(samples[-round(_END_S * rate_hz) :])
    most = max(1, len(samples))
    return Frames(len(samples), power, bands, total / most, peak, clipped / most, last)


def measured(frames: Frames, spoken: str) -> Measures:
    """Measure a take of finite samples that says `spoken`."""
    power = np.maximum(frames.power - np.float32(frames.dc * frames.dc), 0)
    level = _db(power)
    loud = max(float(np.percentile(level, 90)), float(level.max()) - _LEAST_LOUD_DB)
    heard = np.flatnonzero(level > loud - _QUIET_DB)
    first, last = int(heard[0]), int(heard[-1])
    active = _db(power[heard].mean())
    speech_s = (last + 1 - first) * _FRAME_S
    return Measures(
        speech_s=round(speech_s, 2),
        pace=round(speech_s / weight_of(spoken), 5),
        level_dbfs=round(float(active), 2),
        bands_db=tuple(
            round(max(float(one), -_NO_BAND_DB), 1)
            for one in _db(frames.bands[heard].mean(axis=0)) - active
        ),
        hole_s=round(float(np.diff(heard).max(initial=1) - 1) * _FRAME_S, 2),
        dc=round(frames.dc, 4),
        end_db=round(float(_db(np.mean(np.square(frames.end - np.float32(frames.dc))))) - loud, 1),
        loop_s=round(_loop_s(_db(frames.bands[first : last + 1]), loud), 2),
    )


def _as_floats(samples: NDArray[np.int16] | NDArray[np.float32]) -> NDArray[np.float32]:
    if samples.dtype == np.int16:
        return samples * np.float32(1 / 32_768)
    return samples.astype(np.float32, copy=False)


def _db(power: Any) -> Any:
    return 10 * np.log10(np.maximum(power, 1e-12))


def _loop_s(bands_db: NDArray[np.float32], loud_db: float) -> float:
    """The longest stretch in which each frame sounds like the one a fixed lag before it.

    What counts must go round three times; a stretch that is half quiet is a pause, not a loop. All
    lags and bands are looked at together, [lags, bands, frames]: a hundred small steps would keep
    other threads out.
    """
    if len(bands_db) * _FRAME_S < _LOOP_S:
        return 0.0
    shape = np.maximum(bands_db, loud_db - _QUIET_DB)
    spoken = shape.max(axis=1) > loud_db - _QUIET_DB / 2
    shape = (shape[:-2] + shape[1:-1] + shape[2:]) / 3
    first, last = (round(lag / _FRAME_S) for lag in _LOOP_LAGS_S)
    lags = np.arange(first, min(last, len(shape) // _LOOP_ROUNDS) + 1)
    by_band = np.ascontiguousarray(shape.T)
    nothing = np.full((len(by_band), lags[-1]), np.inf, np.float32)  # sounds like no frame
    earlier = sliding_window_view(np.concatenate([nothing, by_band], 1), len(shape), axis=1)
    earlier = earlier[:, lags[-1] - lags[0] :: -1].swapaxes(0, 1)
    same = np.abs(by_band - earlier).sum(1) < _SAME_DB * len(by_band)
    place = np.arange(len(shape))
    runs = place - np.maximum.accumulate(np.where(same, -1, place), axis=1)
    ends = runs.argmax(axis=1)
    lengths = runs.max(axis=1)
    starts = ends - lengths - lags + 2  # of what is said again, a frame further for the smoothing
    said = np.concatenate([[0], np.cumsum(spoken)])
    loud = said[starts + lengths] - said[starts] > 0.5 * lengths
    rounds = np.maximum(round(_LOOP_S / _FRAME_S), _LOOP_ROUNDS * lags)
    return float((lengths + lags)[loud & (lengths + lags >= rounds)].max(initial=0)) * _FRAME_S
