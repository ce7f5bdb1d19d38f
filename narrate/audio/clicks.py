"""Clicks: single samples that stand out of everything around them, found and mended.

A click is a bend of the curve (its second difference) that is several times sharper than any other
within ten milliseconds. Speech bends sharply too, but again and again: voiced sounds at each pulse
of the voice, others all through.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["TIMES_SHARPER_FINISHED", "find_clicks", "mend_clicks"]

SHARPEST_BEND = 0.03
"""Of full scale: what is less is not heard as a click."""
TIMES_SHARPER = 6.0
TIMES_SHARPER_FINISHED = 8.0
"""In a finished file: resampling and encoding sharpen a plosive that passed as a take."""
_AROUND_S = 0.012
_WIDTH_S = 0.0009
_MEND_S = 0.0012


def find_clicks(
    samples: NDArray[np.float32], rate_hz: int, times_sharper: float = TIMES_SHARPER
) -> list[int]:
    """Return the positions of clicks, in samples."""
    if len(samples) < 3:
        return []
    bend = np.zeros(len(samples), np.float32)
    np.abs(np.diff(samples, 2), out=bend[1:-1])
    around, width = round(_AROUND_S * rate_hz), round(_WIDTH_S * rate_hz)
    found: list[int] = []
    for place in _candidates(bend, width, around, times_sharper):
        before = bend[max(0, place - around) : max(0, place - width)]
        after = bend[place + width + 1 : place + around]
        others = max(before.max(initial=0.0), after.max(initial=0.0))
        if bend[place] > times_sharper * others and (not found or place > found[-1] + width):
            found.append(place)
    return found


def _candidates(
    bend: NDArray[np.float32], width: int, around: int, times_sharper: float
) -> list[int]:
    """The sharpest bend of each stretch of `width` that stands out of the stretches around it.

    It looks at no more neighbours than a click is compared with, so none is missed.
    """
    count = -(-len(bend) // width)
    padded = np.zeros(count * width, np.float32)
    padded[: len(bend)] = bend
    sharpest = padded.reshape(count, width).max(axis=1)
    reach = max(2, around // width - 1)
    bordered = np.concatenate([np.zeros(reach), sharpest, np.zeros(reach)])
    others = np.zeros(count)
    for distance in range(2, reach + 1):
        np.maximum(others, bordered[reach - distance : reach - distance + count], out=others)
        np.maximum(others, bordered[reach + distance : reach + distance + count], out=others)
    out = np.flatnonzero((sharpest > SHARPEST_BEND) & (sharpest > times_sharper * others))
    return [int(i * width + padded[i * width : (i + 1) * width].argmax()) for i in out]


def mend_clicks(
    samples: NDArray[np.float32], rate_hz: int, places: list[int]
) -> NDArray[np.float32]:
    """Draw a straight line over 1.2 ms on both sides of each click; a copy."""
    mended = samples.copy()
    reach = round(_MEND_S * rate_hz)
    for place in places:
        start, end = max(0, place - reach), min(len(samples) - 1, place + reach)
        left = mended[start] if start > 0 else 0.0
        right = mended[end] if end < len(samples) - 1 else 0.0
        mended[start : end + 1] = np.linspace(left, right, end + 1 - start, dtype=np.float32)
    return mended
