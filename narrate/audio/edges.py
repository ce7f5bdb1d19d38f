"""The edges of a take: how much quiet is cut off, and how it comes in and goes out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["FADE_S", "fade_edges", "trim_edges"]

FADE_S = 0.005

_FRAME_S = 0.005
_MARGIN_S = 0.025  # a plosive's burst and a fricative's tail lie below any threshold
_LOUD_PERCENTILE = 95
_BELOW_SPEECH_DB = 45.0
_FLOOR_DBFS = -66.0


def trim_edges(samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    """A view without the quiet at both ends, 25 ms of it kept on each side.

    Quiet is 45 dB under the take's own loud frames (their 95th percentile, frames of 5 ms), and
    never less than -66 dBFS. A take that is quiet all through is returned whole.
    """
    frame = max(1, round(_FRAME_S * rate_hz))
    padded = np.zeros(-(-len(samples) // frame) * frame, np.float32)
    padded[: len(samples)] = samples
    frames = padded.reshape(-1, frame)
    level = np.sqrt(np.einsum("ij,ij->i", frames, frames) / frame)
    loud = float(np.percentile(level, _LOUD_PERCENTILE))
    threshold = max(loud * 10 ** (-_BELOW_SPEECH_DB / 20), 10 ** (_FLOOR_DBFS / 20))
    heard = np.flatnonzero(level > threshold)
    if not heard.size:
        return samples
    margin = round(_MARGIN_S * rate_hz)
    start = max(0, int(heard[0]) * frame - margin)
    end = min(len(samples), (int(heard[-1]) + 1) * frame + margin)
    return samples[start:end]


def fade_edges(samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    """A copy that rises and falls by a raised cosine of 5 ms, less where it is shorter than two."""
    length = min(round(FADE_S * rate_hz), len(samples) // 2)
    ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / max(1, length))).astype(
        np.float32
    )
    faded = samples.copy()
    faded[:length] *= ramp
    faded[len(faded) - length :] *= ramp[::-1]
    return faded
