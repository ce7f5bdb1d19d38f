"""From takes to chapters, and from chapters to a book: streams, whatever the length.

take -> trim -> fades -> + room tone -> one resampler -> gain -> dither -> 16 bits -> file. What is
held in memory is one take, and two numbers a part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from narrate.audio.edges import fade_edges, trim_edges
from narrate.audio.pcm import Quantiser
from narrate.audio.resample import Resampler, resample
from narrate.audio.room import RoomTone
from narrate.audio.takes import decode_take
from narrate.audio.wav import RIFF_LIMIT_BYTES, WavWriter
from narrate.errors import NarrateError, StorageError

__all__ = [
    "CHAPTER_RATE_HZ",
    "STITCH_VERSION",
    "ChapterStream",
    "Joined",
    "Part",
    "Stitched",
    "StoppedError",
    "join_book",
    "read_chapter",
    "stitch_chapter",
]

CHAPTER_RATE_HZ = 44_100
STITCH_VERSION = 2
"""Raised by hand when stitching changes what the same takes and pauses give."""

_JOIN_BLOCK_SAMPLES = 1 << 20


class StoppedError(NarrateError):
    """The caller asked to stop; nothing was put in place."""

    exit_code = 130


@dataclass(frozen=True, slots=True)
class Part:
    """One take of a chapter and the pause after it; with `sha256` the file's bytes are checked."""

    audio_path: Path
    pause_after_s: float
    sha256: str | None = None


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


@dataclass(frozen=True, slots=True)
class Joined:
    """A book's file, and where each chapter starts in it, in samples."""

    path: Path
    samples: int
    rate_hz: int
    starts: tuple[int, ...]


class ChapterStream:
    """Iterate to get a chapter in float32 blocks at `rate_hz`; several writers can share them.

    The takes' rate is the first take's; one that differs is brought to it. `starts` and `ends` (in
    output samples) grow as the parts go by. Room tone lies under everything, not in the pauses
    alone: a floor that comes and goes is heard, and speech synthesis leaves zeros inside too.
    """

    def __init__(
        self,
        parts: Iterable[Part],
        *,
        rate_hz: int = CHAPTER_RATE_HZ,
        seed: int,
        stop: Callable[[], bool] | None = None,
    ) -> None:
        self.rate_hz = rate_hz
        self.starts: list[int] = []
        self.ends: list[int] = []
        self._parts, self._seed, self._stop = parts, seed, stop

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        """Blocks of any length; raises `DamagedTakeError`, and `StoppedError` once `stop()`."""
        take_hz, written = 0, 0
        for part in self._parts:
            if self._stop is not None and self._stop():
                raise StoppedError("stopped while stitching", where=str(part.audio_path))
            samples, rate_hz = decode_take(part.audio_path, part.sha256)
            if not take_hz:
                take_hz = rate_hz
                room = RoomTone(take_hz, self._seed)
                resampler = Resampler(take_hz, self.rate_hz)
            speech = _prepared(samples, rate_hz, take_hz)
            block = room.read(len(speech) + round(part.pause_after_s * take_hz))
            block[: len(speech)] += speech
            self.starts.append(self._position(written, take_hz))
            self.ends.append(self._position(written + len(speech), take_hz))
            written += len(block)
            yield resampler.feed(block)
        if take_hz:
            yield resampler.flush()

    def _position(self, take_samples: int, take_hz: int) -> int:
        return (take_samples * self.rate_hz + take_hz // 2) // take_hz


def _prepared(samples: NDArray[np.float32], rate_hz: int, take_hz: int) -> NDArray[np.float32]:
    return resample(fade_edges(trim_edges(samples, rate_hz), rate_hz), rate_hz, take_hz)


def stitch_chapter(
    parts: Iterable[Part],
    out: Path,
    *,
    rate_hz: int = CHAPTER_RATE_HZ,
    seed: int,
    gain: float = 1.0,
    stop: Callable[[], bool] | None = None,
    limit_bytes: int = RIFF_LIMIT_BYTES,
) -> Stitched:
    """Write one chapter as a 16-bit mono WAV; the same parts and seed give the same bytes.

    `gain` is linear; `stop` is asked before each take. Raises `DamagedTakeError` (speak it again),
    `StoppedError`, `StorageError`, `OutputError`; then nothing under `out` has changed.
    """
    stream = ChapterStream(parts, rate_hz=rate_hz, seed=seed, stop=stop)
    quantise = Quantiser(seed)
    with WavWriter(out, rate_hz, limit_bytes=limit_bytes) as wav:
        for block in stream:
            wav.write(quantise(block, gain))
        if not wav.samples:
            raise ValueError("a chapter needs at least one part")
    return Stitched(out, wav.samples, rate_hz, tuple(stream.starts), tuple(stream.ends))


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
    path: Path, rate_hz: int, stop: Callable[[], bool] | None = None
) -> Iterator[NDArray[np.int16]]:
    """Yield the samples of a chapter's file; `StorageError` where it is not whole, 16-bit mono."""
    samples = 0
    with _open_chapter(path) as file:
        if file.samplerate != rate_hz:
            raise _unusable(path, f"{file.samplerate} Hz, not {rate_hz}")
        for block in _blocks(file):
            if stop is not None and stop():
                raise StoppedError("stopped while a chapter was read", where=str(path))
            samples += len(block)
            yield block
        if samples != file.frames:
            raise _unusable(path, "it ends early")


def _open_chapter(path: Path) -> soundfile.SoundFile:
    try:
        file = soundfile.SoundFile(path)
    except (OSError, soundfile.LibsndfileError) as error:
        raise _unusable(path, str(error)) from error
    if file.channels != 1 or file.subtype != "PCM_16":
        file.close()
        raise _unusable(path, f"{file.channels} channels, {file.subtype}")
    return file


def _blocks(file: soundfile.SoundFile) -> Iterator[NDArray[np.int16]]:
    while len(block := file.read(_JOIN_BLOCK_SAMPLES, dtype="int16")):
        yield block


def _unusable(path: Path, reason: str) -> StorageError:
    return StorageError(
        f"a chapter's file cannot be used: {reason}",
        where=str(path),
        remedy="delete it and run the same command again: it is made anew from its takes",
    )
