"""What a chapter's level should be, and the one gain that brings it there.

A preset names a level and a ceiling. The gain of a chapter is one number: speech is not compressed.
The peaks that it lifts over the ceiling are turned down by the limiter, which says how much.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["MASTERS", "Level", "Master", "Mastered", "gain_of"]


@dataclass(frozen=True, slots=True)
class Master:
    """A target: RMS of the whole chapter in dBFS or loudness in LUFS, and a true-peak ceiling.

    The ceiling leaves a decibel for what an encoder adds to peaks. A chapter of few words and much
    quiet is not lifted until its speech alone passes `speech_rms_dbfs`.
    """

    rms_dbfs: float | None
    loudness_lufs: float | None
    ceiling_dbtp: float
    speech_rms_dbfs: float


MASTERS: Mapping[str, Master | None] = MappingProxyType(
    {
        # ACX wants an RMS of -23 to -18 dBFS and peaks of at most -3
        "acx": Master(-21.0, None, -4.0, -17.5),
        # -19 LUFS in one channel is as loud as the -16 of podcasts in two
        "podcast": Master(None, -19.0, -2.0, -14.0),
        "none": None,
    }
)


@dataclass(frozen=True, slots=True)
class Level:
    """What was measured before: energy of all speech, its length and the chapter's, in seconds."""

    energy_s: float
    speech_s: float
    total_s: float
    loudness_lufs: float | None = None

    @property
    def rms_dbfs(self) -> float:
        """RMS over the chapter, pauses included."""
        return _db(self.energy_s / self.total_s)

    @property
    def speech_rms_dbfs(self) -> float:
        """RMS over the speech alone."""
        return _db(self.energy_s / self.speech_s)


@dataclass(frozen=True, slots=True)
class Mastered:
    """What was done to a chapter: its gain, the deepest cut of a peak, and for how long in all.

    `voice_hz` is the rate that its speech had before.
    """

    gain_db: float = 0.0
    limited_db: float = 0.0
    limited_s: float = 0.0
    clicks_mended: int = 0
    voice_hz: int = 0


def gain_of(master: Master, level: Level) -> float:
    """Return the linear gain that brings a chapter of this level to the target."""
    if master.rms_dbfs is not None:
        wanted_db = master.rms_dbfs - level.rms_dbfs
    elif master.loudness_lufs is not None and level.loudness_lufs is not None:
        wanted_db = master.loudness_lufs - level.loudness_lufs
    else:
        raise ValueError("a target in LUFS needs a measured loudness")
    most_db = master.speech_rms_dbfs - level.speech_rms_dbfs
    return float(10 ** (min(wanted_db, most_db) / 20))


def _db(power: float) -> float:
    return 10 * math.log10(max(power, 1e-12))
