"""Room tone: the quiet that a pause is filled with, because digital silence sounds like a fault."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["ROOM_LEVEL_DBFS", "RoomTone"]

ROOM_LEVEL_DBFS = -72.0  # RMS; shops want a noise floor under -60, and mastering may add gain

_TILE_S = 12.0  # long enough that nobody hears it come round at this level
_LOW_CUT_HZ, _CORNER_HZ = 60.0, 400.0


class RoomTone:
    """An endless, seeded, softly falling noise of constant level at any rate.

    One circular tile is shaped in the frequency domain (so its end meets its start), and read
    round and round: constant memory, and nothing to compute while reading.
    """

    def __init__(self, rate_hz: int, seed: int, *, level_dbfs: float = ROOM_LEVEL_DBFS) -> None:
        size = round(_TILE_S * rate_hz)
        noise = np.random.Generator(np.random.PCG64(seed)).standard_normal(size)
        f_hz = np.fft.rfftfreq(size, 1 / rate_hz)
        # first order on both sides: a high-pass against rumble, then 6 dB an octave down
        shape = (f_hz / np.hypot(f_hz, _LOW_CUT_HZ)) * (_CORNER_HZ / np.hypot(f_hz, _CORNER_HZ))
        tile = np.fft.irfft(np.fft.rfft(noise) * shape, size)
        tile *= 10 ** (level_dbfs / 20) / np.sqrt(np.mean(tile**2))
        self._tile: NDArray[np.float32] = tile.astype(np.float32)
        self._position = 0

    def read(self, samples: int) -> NDArray[np.float32]:
        """The next samples (float32, shape `(samples,)`), a copy."""
        out = np.empty(samples, np.float32)
        filled = 0
        while filled < samples:
            piece = self._tile[self._position : self._position + samples - filled]
            out[filled : filled + len(piece)] = piece
            filled += len(piece)
            self._position = (self._position + len(piece)) % len(self._tile)
        return out
