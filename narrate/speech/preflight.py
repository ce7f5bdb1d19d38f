"""Is this recording good to take a voice from? What is wrong, how badly, and what to do about it.

A recording is measured once; a table of rules turns each measure into a finding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from narrate.speech.caps import FRAMES_PER_S, spoken_length
from narrate.speech.reference import LONGEST_S, SHORTEST_S, read_recording

__all__ = ["Finding", "Measures", "Severity", "judge", "measure", "preflight", "worst"]

_FLOOR_DBFS = -100.0  # what digital silence counts as
_FRAME_S = 0.02
_SPEECH_BELOW_LOUD_DB = 30.0  # the quiet end of speech lies this far below its loud end
_SPEECH_ABOVE_NOISE_DB = 6.0
_GAP_S = 0.3  # a shorter quiet is part of speaking: a stop consonant, a breath
_CLIPPED_RUN = 3  # so many samples side by side at the peak are no wave any more
_CLIPPED_WITHIN = 1e-4
_SPECTRUM_SAMPLES = 1024
_TOO_LONG = f"more than {LONGEST_S:.0f} s"  # how much more is not known: no more is read
_BAND_BELOW_LOUDEST_DB = 65.0  # a spectrum this far below its loudest part holds no voice


class Severity(StrEnum):
    """How bad a finding is; `UNUSABLE` means that no voice should be taken from the recording."""

    FINE = "fine"
    WARNING = "warning"
    UNUSABLE = "unusable"


@dataclass(frozen=True, slots=True)
class Measures:
    """What was measured of a recording; levels are RMS of 20 ms frames.

    Of a recording longer than `LONGEST_S` its beginning, a second more than that.
    `clipped_share` and `silent_share` are parts of 1. `characters_per_s` is the transcript over
    the time in which somebody speaks, None without a transcript. `bandwidth_hz` is the highest
    frequency that still holds something of the voice.
    """

    duration_s: float
    rate_hz: int
    channels: int
    peak_dbfs: float
    level_dbfs: float
    noise_dbfs: float
    clipped_share: float
    silent_share: float
    bandwidth_hz: float
    characters_per_s: float | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule's answer: what was found, how bad that is, and what to do (empty when fine)."""

    name: str
    severity: Severity
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class _Rule:
    """A measure is fine within `wanted`, a warning within `usable`, and unusable outside.

    When a `gate` is unusable, the measures after it mean nothing.
    """

    name: str
    value: Callable[[Measures], float | None]
    show: Callable[[float], str]
    wanted: tuple[float, float]
    usable: tuple[float, float]
    too_low: str = ""
    too_high: str = ""
    missing: str = ""
    gate: bool = False

    def judge(self, measures: Measures) -> Finding:
        value = self.value(measures)
        if value is None:
            return Finding(self.name, Severity.WARNING, "none", self.missing)
        severity = Severity.UNUSABLE
        if self.wanted[0] <= value <= self.wanted[1]:
            severity = Severity.FINE
        elif self.usable[0] <= value <= self.usable[1]:
            severity = Severity.WARNING
        advice = self.too_low if value < self.wanted[0] else self.too_high
        return Finding(
            self.name,
            severity,
            self.show(value),
            "" if severity is Severity.FINE else advice,
        )


_RULES: Sequence[_Rule] = (
    _Rule(
        "length",
        lambda m: m.duration_s,
        lambda length_s: f"{length_s:.1f} s" if length_s <= LONGEST_S else _TOO_LONG,
        wanted=(3.0, 30.0),
        usable=(SHORTEST_S, LONGEST_S),
        too_low="record 5 to 15 seconds: a voice needs a few whole sentences",
        too_high=f"cut it to 5 to 15 seconds: each second adds {FRAMES_PER_S:g} frames of context "
        f"to every chunk (40 s: {40 * FRAMES_PER_S:.0f}) and gains nothing",
        gate=True,
    ),
    _Rule(
        "peak",
        lambda m: m.peak_dbfs,
        "{:.0f} dBFS".format,
        wanted=(-30.0, inf),
        usable=(-60.0, inf),
        too_low="record closer to the microphone or with more gain: it is quieter than the "
        "noise of most rooms",
        gate=True,
    ),
    _Rule(
        "noise",
        lambda m: m.level_dbfs - m.noise_dbfs,
        "{:.0f} dB below the voice".format,
        wanted=(25.0, inf),
        usable=(10.0, inf),
        too_low="record in a quieter room or closer to the microphone: the noise is learned with "
        "the voice",
        gate=True,
    ),
    _Rule(
        "level",
        lambda m: m.level_dbfs,
        "{:.0f} dBFS".format,
        wanted=(-36.0, -6.0),
        usable=(-60.0, inf),
        too_low="record louder: about -20 dBFS while speaking",
        too_high="record with less gain: about -20 dBFS while speaking",
    ),
    _Rule(
        "clipping",
        lambda m: 100 * m.clipped_share,
        "{:.2f} % of the samples".format,
        wanted=(0.0, 0.02),
        usable=(0.0, 3.0),
        too_high="record again with less gain: cut-off peaks are learned as part of the voice",
    ),
    _Rule(
        "silence",
        lambda m: 100 * m.silent_share,
        "{:.0f} % of the time".format,
        wanted=(0.0, 50.0),
        usable=(0.0, 90.0),
        too_high="cut the pauses and the silence at both ends",
    ),
    _Rule(
        "bandwidth",
        lambda m: m.bandwidth_hz,
        "{:.0f} Hz".format,
        wanted=(7000.0, inf),
        usable=(0.0, inf),
        too_low="record at 24 kHz or more, not from a telephone: above this frequency there is "
        "nothing to learn from, so the voice will sound dull",
    ),
    _Rule(
        "transcript",
        lambda m: m.characters_per_s,
        "{:.1f} characters a second of speech".format,
        wanted=(6.0, 28.0),
        usable=(2.5, 45.0),
        too_low="write down every word that is said: the transcript is too short for the speech",
        too_high="leave out what is not said: the transcript is too long for the speech",
        missing="add the words that are said (--voice-text, or a .txt beside the recording); "
        "without them only the sound of the voice is used, not its way of speaking",
    ),
)


def preflight(path: Path, transcript: str | None) -> tuple[Measures, tuple[Finding, ...]]:
    """Measure and judge a recording; `VoiceError` for a file that cannot be decoded."""
    samples, rate_hz = read_recording(path)
    measures = measure(samples, rate_hz, transcript)
    return measures, judge(measures)


def judge(measures: Measures) -> tuple[Finding, ...]:
    """Give a finding for each rule, the fine ones too, up to the first gate that is unusable."""
    findings = []
    for rule in _RULES:
        findings.append(rule.judge(measures))
        if rule.gate and findings[-1].severity is Severity.UNUSABLE:
            break
    return tuple(findings)


def worst(findings: Sequence[Finding]) -> Severity:
    """Return the worst severity among findings; fine where there are none."""
    order = list(Severity)
    return max((finding.severity for finding in findings), key=order.index, default=Severity.FINE)


def measure(samples: NDArray[np.float32], rate_hz: int, transcript: str | None) -> Measures:
    """Measure samples [n, channels]; the channels are mixed, as a model would hear them."""
    mono = np.nan_to_num(samples).mean(axis=1, dtype=np.float64)
    frame = max(1, round(_FRAME_S * rate_hz))
    frames = mono[: len(mono) // frame * frame].reshape(-1, frame)
    levels = _dbfs(np.sqrt(np.mean(frames**2, axis=1))) if len(frames) else np.array([_FLOOR_DBFS])
    noise, loud = (float(level) for level in np.percentile(levels, [5, 95]))
    speaking = (levels > loud - _SPEECH_BELOW_LOUD_DB) & (levels > noise + _SPEECH_ABOVE_NOISE_DB)
    voiced = frames[speaking] if speaking.any() else frames
    talking = _without_gaps(speaking, round(_GAP_S / _FRAME_S))
    speech_s = max(_FRAME_S, float(talking.sum()) * _FRAME_S)
    return Measures(
        duration_s=len(mono) / rate_hz,
        rate_hz=rate_hz,
        channels=samples.shape[1],
        peak_dbfs=float(_dbfs(np.abs(mono).max(initial=0.0))),
        level_dbfs=float(_dbfs(np.sqrt(np.mean(voiced**2)))) if voiced.size else _FLOOR_DBFS,
        noise_dbfs=noise,
        clipped_share=max(_clipped_share(channel) for channel in samples.T),
        silent_share=1.0 - float(talking.mean()),
        bandwidth_hz=_bandwidth_hz(mono, rate_hz),
        characters_per_s=None if transcript is None else spoken_length(transcript) / speech_s,
    )


def _dbfs(amplitude: NDArray[np.float64]) -> NDArray[np.float64]:
    return 20 * np.log10(np.maximum(amplitude, 10 ** (_FLOOR_DBFS / 20)))


def _clipped_share(channel: NDArray[np.float32]) -> float:
    """Part of the samples that stand in runs at the channel's own peak, wherever that lies.

    A peak cut off by a microphone and turned down afterwards is as flat as one at full scale.
    """
    peak = float(np.abs(channel).max(initial=0.0))
    if peak == 0.0:
        return 0.0
    starts, ends = _runs(np.abs(channel) >= peak * (1 - _CLIPPED_WITHIN))
    lengths = ends - starts
    return float(lengths[lengths >= _CLIPPED_RUN].sum()) / len(channel)


def _without_gaps(speaking: NDArray[np.bool_], longest: int) -> NDArray[np.bool_]:
    """Speech, with the quiet of at most `longest` frames between two stretches of it filled in."""
    filled = speaking.copy()
    starts, ends = _runs(speaking)
    for end, start in zip(ends[:-1], starts[1:], strict=True):
        if start - end <= longest:
            filled[end:start] = True
    return filled


def _runs(holds: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where the stretches of true start, and where each ends."""
    edges = np.flatnonzero(np.diff(holds.astype(np.int8), prepend=0, append=0))
    return edges[::2], edges[1::2]


def _bandwidth_hz(mono: NDArray[np.float64], rate_hz: int) -> float:
    """Highest frequency of the mean spectrum within 65 dB of its loudest part, in Hz."""
    size = _SPECTRUM_SAMPLES
    if len(mono) < size:
        return 0.0
    windows = np.lib.stride_tricks.sliding_window_view(mono, size)[:: size // 2]
    power = np.mean(np.abs(np.fft.rfft(windows * np.hanning(size), axis=1)) ** 2, axis=0)
    present = np.flatnonzero(power >= power.max() * 10 ** (-_BAND_BELOW_LOUDEST_DB / 10))
    return float(present[-1]) * rate_hz / size
