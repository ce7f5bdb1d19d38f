"""Takes as they are joined: without the quiet at their ends, mended where they were cut, faded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from narrate.audio.clicks import find_clicks, mend_clicks
from narrate.audio.edges import fade_edges, trim_edges
from narrate.audio.takes import decode_take

__all__ = ["KEPT_BYTES", "Part", "Prepared", "Takes"]

KEPT_BYTES = 32 << 20
"""Of a chapter's takes, from the pass that measures to the pass that writes: 12 min at 22 kHz."""

_EDGE_S = 0.03  # of a take, where it was cut
_STEPS = 32_768  # of 16 bits, to either side


@dataclass(frozen=True, slots=True)
class Part:
    """One take of a chapter and the pause after it; with `sha256` the file's bytes are checked."""

    audio_path: Path
    pause_after_s: float
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A take's speech, mono at its own rate, and how many clicks were mended in it.

    It is kept as it was stored, `core` in 16 bits; only at its edges, float32, was it changed.
    """

    core: NDArray[np.int16]
    head: NDArray[np.float32]
    tail: NDArray[np.float32]
    rate_hz: int
    clicks: int

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self.core.nbytes + self.head.nbytes + self.tail.nbytes

    @property
    def speech(self) -> NDArray[np.float32]:
        """The samples in [-1, 1), a new array each time."""
        samples = self.core.astype(np.float32)
        samples /= _STEPS
        samples[: len(self.head)] = self.head
        samples[len(samples) - len(self.tail) :] = self.tail
        return samples


class Takes:
    """The takes of one chapter, prepared; the first 32 MB of them are prepared only once."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._left = kept_bytes
        self._kept: dict[tuple[Path, str | None], Prepared] = {}

    def read(self, part: Part) -> Prepared:
        """Return a part's take; `DamagedTakeError` where it is none."""
        key = (part.audio_path, part.sha256)
        known = self._kept.get(key)
        if known is None:
            known = _prepared(*decode_take(part.audio_path, part.sha256))
            if known.nbytes <= self._left:
                self._left -= known.nbytes
                self._kept[key] = known
        return known


def _prepared(samples: NDArray[np.float32], rate_hz: int) -> Prepared:
    trimmed, clicks = trim_edges(samples, rate_hz), 0
    edge = round(_EDGE_S * rate_hz)
    ends = slice(0, edge), slice(max(edge, len(trimmed) - edge), len(trimmed))
    core = np.rint(trimmed * _STEPS).astype(np.int16)
    for part in ends:
        places = find_clicks(trimmed[part], rate_hz)
        if places:
            trimmed = trimmed.copy() if not clicks else trimmed
            trimmed[part] = mend_clicks(trimmed[part], rate_hz, places)
            clicks += len(places)
    faded = fade_edges(trimmed, rate_hz)
    head, tail = (faded[part].copy() for part in ends)
    return Prepared(core, head, tail, rate_hz, clicks)
