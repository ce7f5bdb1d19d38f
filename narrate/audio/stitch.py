"""From takes to chapters, and from chapters to a book: streams, whatever the length.

take -> trim -> clicks -> fades -> gain -> + room tone -> one resampler -> limiter -> dither -> 16
bits -> file. What is held in memory is a few takes, whatever the length, and two numbers a part.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from narrate.audio import ffmpeg
from narrate.audio.limiter import Limiter
from narrate.audio.mastering import Level, Master, Mastered, gain_of
from narrate.audio.pcm import Quantiser
from narrate.audio.prepared import Part, Takes
from narrate.audio.resample import Resampler, resample
from narrate.audio.room import RoomTone
from narrate.audio.wav import RIFF_LIMIT_BYTES, WavWriter
from narrate.errors import NarrateError, StorageError

__all__ = [
    "CHAPTER_RATE_HZ",
    "STITCH_VERSION",
    "ChapterStream",
    "Joined",
    "Stitched",
    "StoppedError",
    "join_book",
    "master_chapter",
    "measure",
    "read_chapter",
    "stitch_chapter",
]

CHAPTER_RATE_HZ = 44_100
STITCH_VERSION = 3
"""Raised by hand when stitching changes what the same takes and pauses give."""

HEAD_S = 0.75
"""Room tone before a chapter's first word; shops ask for 0.5 to 1 s."""

_JOIN_BLOCK_SAMPLES = 1 << 20


class StoppedError(NarrateError):
    """The caller asked to stop; nothing was put in place."""

    exit_code = 130


@dataclass(frozen=True, slots=True)
class Stitched:
    """A chapter's file, and where each part's speech starts and ends in it, in samples.

    These are the one source of every time that is told of a chapter: what stands before the
    first part, a pause or room tone, has to be counted in them.
    """

    path: Path
    samples: int
    rate_hz: int
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    mastered: Mastered


@dataclass(frozen=True, slots=True)
class Joined:
    """A book's file, and where each chapter starts in it, in samples."""

    path: Path
    samples: int
    rate_hz: int
    starts: tuple[int, ...]


class ChapterStream:
    """Iterate to get a chapter in float32 blocks at `rate_hz`; several writers can share them.

    `voice_hz`, the takes' rate, is the first take's; others are brought to it. `starts` and `ends`
    (in output samples) grow as the parts go by. `gain` (linear) is the speech's alone. Room tone of
    one level lies under everything, not in the pauses alone: a floor that comes and goes is heard,
    and speech synthesis leaves zeros inside too. `head_s` of it comes before the first part.
    """

    def __init__(
        self,
        parts: Iterable[Part],
        *,
        rate_hz: int = CHAPTER_RATE_HZ,
        seed: int,
        gain: float = 1.0,
        head_s: float = 0.0,
        takes: Takes | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> None:
        self.rate_hz = rate_hz
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.clicks_mended = 0
        self.voice_hz = 0
        self._parts, self._seed, self._stop = parts, seed, stop
        self._gain, self._head_s = np.float32(gain), head_s
        self._takes = takes or Takes(0)

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        """Blocks of any length; raises `DamagedTakeError`, and `StoppedError` once `stop()`."""
        written = 0
        for part in self._parts:
            _go_on(self._stop, "stitching", part.audio_path)
            take = self._takes.read(part)
            if not self.voice_hz:
                self.voice_hz = take_hz = take.rate_hz
                room = RoomTone(take_hz, self._seed)
                resampler = Resampler(take_hz, self.rate_hz)
                written = round(self._head_s * take_hz)
                yield resampler.feed(room.read(written))
            speech = resample(take.speech, take.rate_hz, take_hz)
            speech *= self._gain
            self.clicks_mended += take.clicks
            block = room.read(len(speech) + round(part.pause_after_s * take_hz))
            block[: len(speech)] += speech
            self.starts.append(self._position(written, take_hz))
            self.ends.append(self._position(written + len(speech), take_hz))
            written += len(block)
            yield resampler.feed(block)
        if self.voice_hz:
            yield resampler.flush()
            _go_on(self._stop, "stitching", part.audio_path)

    def _position(self, take_samples: int, take_hz: int) -> int:
        return (take_samples * self.rate_hz + take_hz // 2) // take_hz


def measure(
    parts: Iterable[Part],
    *,
    head_s: float = 0.0,
    with_loudness: bool = False,
    takes: Takes | None = None,
    stop: Callable[[], bool] | None = None,
) -> Level:
    """Measure a chapter before it is made; only for its loudness is it put together once more."""
    parts, takes = list(parts), takes or Takes(0)
    energy_s, speech_s, pauses_s = 0.0, 0.0, head_s
    for part in parts:
        _go_on(stop, "measuring", part.audio_path)
        take = takes.read(part)
        speech = take.speech
        energy_s += float(np.dot(speech, speech)) / take.rate_hz
        speech_s += len(speech) / take.rate_hz
        pauses_s += part.pause_after_s
    loud = None
    if with_loudness:
        stream = ChapterStream(parts, seed=0, head_s=head_s, takes=takes, stop=stop)
        loud = ffmpeg.loudness(stream, stream.rate_hz)
    return Level(energy_s, speech_s, speech_s + pauses_s, loud)


def stitch_chapter(
    parts: Iterable[Part],
    out: Path,
    *,
    rate_hz: int = CHAPTER_RATE_HZ,
    seed: int,
    gain: float = 1.0,
    ceiling_dbtp: float | None = None,
    head_s: float = 0.0,
    takes: Takes | None = None,
    stop: Callable[[], bool] | None = None,
    limit_bytes: int = RIFF_LIMIT_BYTES,
) -> Stitched:
    """Write one chapter as a 16-bit mono WAV; the same parts and seed give the same bytes.

    `gain` is linear and true peaks are held under the ceiling, where there is one; `stop` is asked
    before each take and at the end. Raises `DamagedTakeError` (speak it again), `StoppedError`,
    `StorageError`, `OutputError`; then nothing under `out` has changed.
    """
    stream = ChapterStream(
        parts, rate_hz=rate_hz, seed=seed, gain=gain, head_s=head_s, takes=takes, stop=stop
    )
    quantise = Quantiser(seed)
    limiter = None if ceiling_dbtp is None else Limiter(10 ** (ceiling_dbtp / 20), rate_hz)
    with WavWriter(out, rate_hz, limit_bytes=limit_bytes) as wav:
        for block in stream:
            wav.write(quantise(limiter.feed(block) if limiter else block))
        if limiter:
            wav.write(quantise(limiter.flush()))
        if not stream.starts:
            raise ValueError("a chapter needs at least one part")
    mastered = Mastered(
        gain_db=round(20 * math.log10(gain), 3),
        limited_db=round(limiter.deepest_db, 3) if limiter else 0.0,
        limited_s=round(limiter.limited_samples / rate_hz, 3) if limiter else 0.0,
        clicks_mended=stream.clicks_mended,
        voice_hz=stream.voice_hz,
    )
    places = (tuple(stream.starts), tuple(stream.ends))
    return Stitched(out, wav.samples, rate_hz, *places, mastered)


def master_chapter(
    parts: Iterable[Part],
    out: Path,
    master: Master | None,
    seed: int,
    *,
    stop: Callable[[], bool] | None = None,
) -> Stitched:
    """Measure a chapter, then write it at the level that is wanted, with room tone at its head."""
    if master is None:
        return stitch_chapter(parts, out, seed=seed, head_s=HEAD_S, stop=stop)
    parts, takes = list(parts), Takes()
    wants_loudness = master.loudness_lufs is not None
    level = measure(parts, head_s=HEAD_S, with_loudness=wants_loudness, takes=takes, stop=stop)
    return stitch_chapter(
        parts,
        out,
        seed=seed,
        gain=gain_of(master, level),
        ceiling_dbtp=master.ceiling_dbtp,
        head_s=HEAD_S,
        takes=takes,
        stop=stop,
    )


def join_book(
    chapters: Sequence[Path],
    out: Path,
    *,
    stop: Callable[[], bool] | None = None,
    limit_bytes: int = RIFF_LIMIT_BYTES,
) -> Joined:
    """Write the whole book: the chapters' samples end to end, unchanged.

    The chapters are 16-bit mono files of one rate, else `StorageError`; other errors as for
    `stitch_chapter`.
    """
    starts: list[int] = []
    with _open_chapter(chapters[0]) as first:
        rate_hz = first.samplerate
    with WavWriter(out, rate_hz, limit_bytes=limit_bytes) as wav:
        for path in chapters:
            starts.append(wav.samples)
            for block in read_chapter(path, rate_hz, stop):
                wav.write(block)
    return Joined(out, wav.samples, rate_hz, tuple(starts))


def read_chapter(
    path: Path,
    rate_hz: int,
    stop: Callable[[], bool] | None = None,
    *,
    first: int = 0,
    last: int | None = None,
) -> Iterator[NDArray[np.int16]]:
    """Yield the samples of a chapter's file, from `first` up to `last`, by default all.

    `StorageError` where it is not whole, 16-bit mono.
    """
    with _open_chapter(path) as file:
        if file.samplerate != rate_hz:
            raise _unusable(path, f"{file.samplerate} Hz, not {rate_hz}")
        left = (file.frames if last is None else last) - first
        file.seek(min(first, file.frames))
        while left > 0:
            _go_on(stop, "reading a chapter", path)
            block = file.read(min(left, _JOIN_BLOCK_SAMPLES), dtype="int16")
            if not len(block):
                raise _unusable(path, "it ends early")
            left -= len(block)
            yield block
        _go_on(stop, "reading a chapter", path)


def _go_on(stop: Callable[[], bool] | None, doing: str, path: Path) -> None:
    """Raise StoppedError where the work is to end; asked at its end, too, before a file appears."""
    if stop is not None and stop():
        raise StoppedError(f"stopped while {doing}", where=str(path))


def _open_chapter(path: Path) -> soundfile.SoundFile:
    try:
        file = soundfile.SoundFile(path)
    except (OSError, soundfile.LibsndfileError) as error:
        raise _unusable(path, str(error)) from error
    if file.channels != 1 or file.subtype != "PCM_16":
        file.close()
        raise _unusable(path, f"{file.channels} channels, {file.subtype}")
    return file


def _unusable(path: Path, reason: str) -> StorageError:
    return StorageError(
        f"a chapter's file cannot be used: {reason}",
        where=str(path),
        remedy="delete it and run the same command again: it is made anew from its takes",
    )
