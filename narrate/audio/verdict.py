"""The rules that a finished file is held against, and what each says when it is broken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import soundfile

from narrate.audio.listen import About, Heard, about, listen
from narrate.audio.tags import Mark
from narrate.errors import OutputError

__all__ = ["LIMITS", "Checked", "Expected", "Limits", "Row", "check_file", "check_length", "uneven"]


@dataclass(frozen=True, slots=True)
class Limits:
    """The levels of a preset as they must be in the encoded file; None is no limit."""

    rms_dbfs: tuple[float, float] | None
    peak_dbfs: float
    floor_dbfs: float | None


LIMITS: Mapping[str, Limits] = MappingProxyType(
    {
        "acx": Limits((-23.0, -18.0), -3.0, -60.0),
        "podcast": Limits(None, -1.0, -60.0),
        "none": Limits(None, 0.0, None),
    }
)
HEAD_S, TAIL_S = (0.5, 1.0), (1.0, 5.0)
GRID_S = 0.06  # heads and tails are measured in steps of 50 ms
LONGEST_PAUSE_S = 2.9
LONGEST_ZEROS_S = 0.05
LENGTH_S = 0.05
SHORT_S = 10.0
"""A shorter chapter has too much pause in it for an average to say anything."""
LONG_ENOUGH_S = 30.0
EVEN_DB = 1.0
MP3_KBPS, MP3_LONGEST_S = 192, 120 * 60
_RATES = {"opus": 48_000}
_SAME_MARK_MS = 1


@dataclass(frozen=True, slots=True)
class Expected:
    """What the plan says of a file: its length and its chapters; None is not known."""

    duration_s: float | None = None
    marks: tuple[Mark, ...] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A chapter of a file, and what is wrong with it."""

    chapter: str
    heard: Heard
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """A file: its own faults, and its chapters with theirs; `about` is None if it is unreadable."""

    path: Path
    about: About | None
    faults: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def good(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.faults and not any(row.faults for row in self.rows)


def check_file(path: Path, limits: Limits, expected: Expected = Expected()) -> Checked:
    """Decode and measure a file and hold it against limits and plan."""
    try:
        return _listened(path, limits, expected)
    except OutputError as error:
        return Checked(path, None, (f"{error.what}; {error.remedy}",), ())


def check_length(path: Path, expected: Expected) -> Checked:
    """Hold a WAV against its plan without listening to it."""
    try:
        info = soundfile.info(path)
    except soundfile.LibsndfileError as error:
        return Checked(path, None, (f"this is no audio file that can be read: {error}",), ())
    words = About(info.format.lower(), info.samplerate, info.channels, (), ())
    return Checked(path, words, tuple(_of_plan(words, info.duration, expected)), ())


def _listened(path: Path, limits: Limits, expected: Expected) -> Checked:
    words = about(path)
    heard = listen(path, words, LONGEST_PAUSE_S)
    titles = [mark.title for mark in words.marks] or [""]
    rows = tuple(
        Row(title, one, tuple(_of_sound(one, limits)))
        for title, one in zip(titles, heard, strict=True)
    )
    total_s = sum(one.duration_s for one in heard)
    faults = (*_of_format(path, words, total_s), *_of_plan(words, total_s, expected))
    return Checked(path, words, faults, rows)


def uneven(chapters: Iterable[tuple[str, Heard]]) -> str | None:
    """Say which chapters lie further apart in level than a decibel, short ones aside."""
    levels = [
        (heard.rms_dbfs, name) for name, heard in chapters if heard.duration_s >= LONG_ENOUGH_S
    ]
    (low_dbfs, low), (high_dbfs, high) = min(levels, default=(0, "")), max(levels, default=(0, ""))
    if high_dbfs - low_dbfs <= EVEN_DB:
        return None
    return f"chapters differ in level: {low} {low_dbfs} dBFS, {high} {high_dbfs} dBFS"


def _of_sound(heard: Heard, limits: Limits) -> Iterator[str]:
    if not heard.duration_s:
        yield "no sound: the file ends before it"
        return
    yield from _of_levels(heard, limits)
    for name, found, (least, most) in (
        ("head", heard.head_s, HEAD_S),
        ("tail", heard.tail_s, TAIL_S),
    ):
        if not least - GRID_S <= found <= most + GRID_S:
            yield f"{name} of {found} s, not {least:g} to {most:g}"
    if heard.zeros_s > LONGEST_ZEROS_S:
        yield f"digital silence of {heard.zeros_s} s"
    if heard.clipped:
        yield f"clipped at {heard.clipped} places"
    if heard.clicks:
        yield f"{len(heard.clicks)} clicks, at {_places(heard.clicks)}"
    for start, length in heard.holes[:5]:
        yield f"a hole of {length} s at {start:.2f} s"


def _of_levels(heard: Heard, limits: Limits) -> Iterator[str]:
    if limits.rms_dbfs and heard.duration_s >= SHORT_S:
        low, high = limits.rms_dbfs
        if not low <= heard.rms_dbfs <= high:
            yield f"RMS {heard.rms_dbfs} dBFS, not {low:g} to {high:g}"
    if heard.peak_dbfs > limits.peak_dbfs:
        yield f"peak {heard.peak_dbfs} dBFS, over {limits.peak_dbfs:g}"
    if limits.floor_dbfs is not None and heard.floor_dbfs > limits.floor_dbfs:
        yield f"floor {heard.floor_dbfs} dBFS, over {limits.floor_dbfs:g}"


def _of_format(path: Path, words: About, total_s: float) -> Iterator[str]:
    wanted_hz = _RATES.get(words.codec, 44_100)
    if words.rate_hz != wanted_hz:
        yield f"{words.rate_hz} Hz, not {wanted_hz}"
    if path.suffix.lower() != ".mp3":
        return
    if len(words.kbps) != 1:
        yield f"no constant bit rate: {', '.join(map(str, words.kbps)) or 'no'} kb/s"
    elif words.kbps[0] < MP3_KBPS:
        yield f"{words.kbps[0]} kb/s, under {MP3_KBPS}"
    if total_s > MP3_LONGEST_S:
        yield f"longer than {MP3_LONGEST_S // 60} minutes"


def _of_plan(words: About, total_s: float, expected: Expected) -> Iterator[str]:
    if expected.duration_s is not None and abs(total_s - expected.duration_s) > LENGTH_S:
        yield f"{total_s:.3f} s long, not {expected.duration_s:.3f}: takes and pauses"
    if expected.marks is None:
        return
    if len(words.marks) != len(expected.marks):
        yield f"{len(words.marks)} chapter marks, not {len(expected.marks)}"
        return
    for number, (found, wanted) in enumerate(zip(words.marks, expected.marks, strict=True), 1):
        if abs(found.start_ms - wanted.start_ms) > _SAME_MARK_MS:
            yield f"chapter mark {number} at {found.start_ms} ms, not {wanted.start_ms}"
        if found.title and found.title != wanted.title:
            yield f"chapter mark {number} is {found.title!r}, not {wanted.title!r}"


def _places(seconds: Sequence[float]) -> str:
    named = ", ".join(f"{place:.2f} s" for place in seconds[:5])
    return named + (" and more" if len(seconds) > 5 else "")
