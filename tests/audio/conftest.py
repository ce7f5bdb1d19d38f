"""Takes to stitch: synthetic ones whose speech, edges and inner silence are known."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from narrate.audio.prepared import Part
from narrate.audio.takes import encode_take

TAKE_HZ = 22_050


def tone(seconds: float, *, hz: float = 440.0, level: float = 0.3, rate_hz: int = TAKE_HZ):
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return (level * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)


def silence(seconds: float, *, rate_hz: int = TAKE_HZ) -> NDArray[np.float32]:
    return np.zeros(round(seconds * rate_hz), np.float32)


@pytest.fixture
def part(tmp_path: Path) -> Callable[..., Part]:
    """Make a part: samples are written as a take, with a pause after it."""

    def make(samples, pause_s: float = 0.35, *, rate_hz: int = TAKE_HZ) -> Part:
        content = encode_take(samples, rate_hz)
        sha256 = hashlib.sha256(content).hexdigest()
        path = tmp_path / f"{sha256[:16]}.flac"
        path.write_bytes(content)
        return Part(path, pause_s, sha256)

    return make
