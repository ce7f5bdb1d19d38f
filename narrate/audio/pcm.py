"""From float to 16 bits, with dither, so that quiet passages do not turn into steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Quantiser"]

_FULL_SCALE = 32_768.0


class Quantiser:
    """Float32 samples in [-1, 1) to int16 with triangular dither of one step either way.

    The dither (TPDF: the sum of two uniform values, Lipshitz, Wannamaker and Vanderkooy 1992) is
    seeded; what it adds depends on the position in the stream, not on how the stream is cut.
    """

    def __init__(self, seed: int) -> None:
        self._random = np.random.SFC64(seed)
        self._left = np.zeros(0, np.uint32)

    def __call__(self, samples: NDArray[np.float32], gain: float = 1.0) -> NDArray[np.int16]:
        """Scaled by `gain` (linear), dithered, rounded, clipped at full scale."""
        scaled = samples * np.float32(gain * _FULL_SCALE)
        scaled += self._dither(len(samples))
        np.rint(scaled, out=scaled)
        np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1, out=scaled)
        return scaled.astype(np.int16)

    def _dither(self, samples: int) -> NDArray[np.float32]:
        missing = samples - len(self._left)
        # each 64-bit draw makes two values, each the sum of two halves of 16 bits: far finer than
        # the step they dither
        raw = self._random.random_raw(max(0, -(-missing // 2)))
        words = np.concatenate([self._left, np.asarray(raw, dtype="<u8").view("<u4")])
        used, self._left = words[:samples], words[samples:]
        dither = ((used & np.uint32(0xFFFF)) + (used >> np.uint32(16))).astype(np.float32)
        dither *= np.float32(1 / 65_536)
        dither -= np.float32(65_535 / 65_536)
        return dither
