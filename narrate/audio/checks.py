"""What is wrong with a take, judged from its samples, its text and what the backend said of it.

A fault is one word, the worst first in `FAULTS`; a take without one is good. Levels are of full
scale. The bars are set so that no sound take of a language we know comes near them.
"""

from __future__ import annotations

import numpy as np

from narrate.core import Spoken

__all__ = ["FAULTS", "fault_of", "severity"]

FAULTS = ("nan", "empty", "silent", "too short", "loop", "runaway", "clipped")
"""Every fault, the one that spoils most first."""

SHORTEST_S = 0.1
SILENT_PEAK = 0.001
"""-60 dBFS."""
CHARACTERS_PER_S = 45.0
"""Twice as fast as anyone reads aloud, and a Chinese character takes longer than a letter."""
CLIPPED_LEVEL, CLIPPED_SHARE = 0.999, 0.001
_TOLD = ("nan", "loop", "runaway")


def fault_of(spoken: Spoken) -> str | None:
    """Return the worst fault of what a backend gave, or None; faults it names itself count."""
    told = [name for name in _TOLD if spoken.checks.get(name)]
    found = _heard(spoken)
    faults = [*told, *([found] if found else [])]
    return min(faults, key=FAULTS.index, default=None)


def _heard(spoken: Spoken) -> str | None:
    samples = spoken.samples
    seconds = len(samples) / spoken.rate_hz
    if seconds < SHORTEST_S:
        return "empty"
    level = np.abs(samples.astype(np.float32))
    if samples.dtype == np.int16:
        level /= 32_768.0
    if not np.isfinite(level).all():
        return "nan"
    if level.max() < SILENT_PEAK:
        return "silent"
    if len(spoken.utterance.spoken) > CHARACTERS_PER_S * seconds:
        return "too short"
    if (level >= CLIPPED_LEVEL).mean() > CLIPPED_SHARE:
        return "clipped"
    return None


def severity(fault: str | None) -> int:
    """Return 0 for a good take, and more the more a fault spoils."""
    return 0 if fault is None else len(FAULTS) - FAULTS.index(fault)
