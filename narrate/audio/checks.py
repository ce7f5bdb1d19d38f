"""What is wrong with a take, judged from its samples, its text and what the backend said of it.

A fault is a word or two, the worst first in `FAULTS`; a take without one is good. Levels are of
full scale. The bars are set so that no sound take of a language we know comes near them. Those
against the voice's own norms (`outlier`) hold only where a take is long enough to tell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from narrate.audio.measures import Frames, Measures, framed, measured
from narrate.audio.norms import Norms
from narrate.core import Spoken

__all__ = ["FAULTS", "MEANINGS", "Heard", "heard", "outlier", "severity", "worst"]

MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "nan": "some samples are no numbers",
        "empty": "there is next to nothing in it",
        "silent": "nothing can be heard",
        "too short": "its words cannot all have been said in so little time",
        "other words": "the recogniser heard other words than the text has",
        "loop": "it says the same stretch three times over, and the text does not",
        "runaway": "the model did not come to an end by itself",
        "too long": "it takes far longer than its words should",
        "hole": "there are two seconds of quiet or more inside it",
        "cut off": "it ends in the middle of a sound",
        "clipped": "it is overdriven: many samples stand at full scale",
        "other sound": "it sounds unlike the rest of this voice",
        "other level": "it is much louder or softer than the rest of this voice",
        "offset": "its wave does not swing around zero",
    }
)
"""Every fault, the one that spoils most first, and what it means to who listens."""
FAULTS = tuple(MEANINGS)

SHORTEST_S = 0.1
SILENT_PEAK = 0.001
"""-60 dBFS."""
CHARACTERS_PER_S = 45.0
"""Twice as fast as anyone reads aloud, and a Chinese character takes longer than a letter."""
SLOWEST_PACE = 1.2
"""Seconds a character, where there are no norms yet: letters that are spelled out take one."""
CLIPPED_SHARE = 0.001
"""Of the samples, at full scale."""
LONGEST_HOLE_S = 2.0
CUT_OFF_DB = -10.0
"""The last 5 ms against the loud frames: speech dies away before it ends."""
OFFSET = 0.05
TOO_LONG, TOO_SHORT = 1.8, 0.55
"""Against the pace of the voice."""
OTHER_LEVEL_DB = 9.0
OTHER_SOUND_DB = 8.0
"""Mean distance of the octaves' levels from those of the voice."""
DEVIATIONS = 6.0
"""And never less than so many of the voice's own deviations."""
TELLING_WEIGHT, TELLING_S = 30.0, 1.5
"""Shorter ones vary: `Oh!` may be drawn out, or whispered."""
_TOLD = ("nan", "loop", "runaway")


@dataclass(frozen=True, slots=True)
class Heard:
    """What was measured of a take, unless there is nothing to measure, and its worst fault."""

    measures: Measures | None
    fault: str | None


def heard(spoken: Spoken, *, varies: bool = True) -> Heard:
    """Measure and judge what a backend gave; faults it names itself count.

    A voice that never `varies` draws no lots, and so cannot go round in circles: what it says
    again stands in its text, or is how it names letters that it does not know.
    """
    told = [name for name in _TOLD if spoken.checks.get(name)]
    frames = framed(spoken.samples, spoken.rate_hz)
    found = _unusable(frames, spoken.rate_hz)
    if found is not None:
        return Heard(None, min([*told, found], key=FAULTS.index))
    measures = measured(frames, spoken.utterance.spoken)
    faults = [*told, *_faults(frames, spoken, measures, varies)]
    return Heard(measures, min(faults, key=FAULTS.index, default=None))


def outlier(measures: Measures, weight: float, norms: Norms) -> str | None:
    """Return how a take falls out of what the voice does elsewhere, or None."""
    faults = []
    if weight >= TELLING_WEIGHT:
        log_pace = math.log(measures.pace)
        ratio = math.exp(log_pace - norms.log_pace.median)
        far = norms.log_pace.deviations(log_pace) > DEVIATIONS
        if far and not TOO_SHORT <= ratio <= TOO_LONG:
            faults.append("too long" if ratio > TOO_LONG else "too short")
    if measures.speech_s >= TELLING_S:
        level = norms.level_dbfs
        if (
            abs(measures.level_dbfs - level.median) > OTHER_LEVEL_DB
            and level.deviations(measures.level_dbfs) > DEVIATIONS
        ):
            faults.append("other level")
        distance = norms.distance_db(measures.bands_db)
        if distance > OTHER_SOUND_DB and norms.distance.deviations(distance) > DEVIATIONS:
            faults.append("other sound")
    return min(faults, key=FAULTS.index, default=None)


def _unusable(frames: Frames, rate_hz: int) -> str | None:
    if frames.samples / rate_hz < SHORTEST_S:
        return "empty"
    if not math.isfinite(frames.peak):
        return "nan"
    return "silent" if frames.peak < SILENT_PEAK else None


def _faults(frames: Frames, spoken: Spoken, measures: Measures, varies: bool) -> list[str]:
    seconds = frames.samples / spoken.rate_hz
    found = {
        "too short": len(spoken.utterance.spoken) > CHARACTERS_PER_S * seconds,
        "too long": measures.pace > SLOWEST_PACE,
        "loop": varies and measures.loop_s > 0 and not _says_again(spoken.utterance.spoken),
        "hole": measures.hole_s > LONGEST_HOLE_S,
        "cut off": measures.end_db > CUT_OFF_DB,
        "clipped": frames.clipped_share > CLIPPED_SHARE,
        "offset": abs(measures.dc) > OFFSET,
    }
    return [name for name, is_so in found.items() if is_so]


def _says_again(spoken: str) -> bool:
    """Whether the text itself repeats up to four words three times over: `no, no, no`."""
    words = [word.strip(".,;:!?\"'“”‘’—…").casefold() for word in spoken.split()]
    return any(
        words[at : at + size]
        == words[at + size : at + 2 * size]
        == words[at + 2 * size : at + 3 * size]
        for size in range(1, 5)
        for at in range(len(words) - 3 * size + 1)
    )


def worst(*faults: str | None) -> str | None:
    """Return the fault that spoils most, or None."""
    return min((fault for fault in faults if fault), key=FAULTS.index, default=None)


def severity(fault: str | None) -> int:
    """Return 0 for a good take, and more the more a fault spoils."""
    return 0 if fault is None else len(FAULTS) - FAULTS.index(fault)
