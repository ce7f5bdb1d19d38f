"""From float to 16 bits, with dither, so that quiet passages do not turn into steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Quantiser"]

_FULL_SCALE = 32_768.0
_TILE_SAMPLES = 1 << 19  # twelve seconds, as of the room tone that lies 20 dB above
_PIECE_SAMPLES = 1 << 15  # what a core's own cache holds: twice as fast as whole blocks


class Quantiser:
    """Float32 samples in [-1, 1) to int16 with triangular dither of one step either way.

    The dither (TPDF: the sum of two uniform values, Lipshitz, Wannamaker and Vanderkooy 1992) is
    seeded and read round and round from a tile; what it adds depends on the position in the
    stream, not on how the stream is cut.
    """

    def __init__(self, seed: int) -> None:
        random = np.random.Generator(np.random.SFC64(seed))
        self._dither = random.random(_TILE_SAMPLES, np.float32)
        self._dither -= random.random(_TILE_SAMPLES, np.float32)
        self._position = 0

    def __call__(self, samples: NDArray[np.float32]) -> NDArray[np.int16]:
        """Dithered, rounded, clipped at full scale."""
        out = np.empty(len(samples), np.int16)
        done = 0
        while done < len(samples):
            dither = self._dither[self._position : self._position + _PIECE_SAMPLES]
            dither = dither[: len(samples) - done]
            piece = samples[done : done + len(dither)] * np.float32(_FULL_SCALE)
            piece += dither
            np.rint(piece, out=piece)
            np.clip(piece, -_FULL_SCALE, _FULL_SCALE - 1, out=piece)
            out[done : done + len(dither)] = piece
            done += len(dither)
            self._position = (self._position + len(dither)) % _TILE_SAMPLES
        return out
