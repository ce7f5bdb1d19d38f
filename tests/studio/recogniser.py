"""A recogniser for tests: it knows what it was told, by the samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

KNOWN: dict[bytes, str] = {}


def told(samples: NDArray[np.int16], words: str) -> None:
    """Remember what these samples say."""
    KNOWN[samples.tobytes()] = words


def hears(samples: NDArray[np.float32], rate_hz: int, language: str) -> str:
    """Say what was told about samples; what is unknown is silence."""
    assert rate_hz and language
    return KNOWN.get(np.rint(samples * 32_768).astype(np.int16).tobytes(), "")
