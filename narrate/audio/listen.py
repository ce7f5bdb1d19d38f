"""What is heard in a finished file, measured on what a player would play: nothing is assumed.

One pass over the decoded samples, in blocks. Levels are of full scale; ACX's definitions: RMS over
all of it, the floor as the quietest half second.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from narrate.audio import ffmpeg
from narrate.audio.clicks import TIMES_SHARPER_FINISHED, find_clicks
from narrate.audio.mpeg import bit_rates
from narrate.audio.tags import Mark, parse_marks
from narrate.errors import OutputError

__all__ = ["SUFFIXES", "About", "Heard", "about", "listen"]

SUFFIXES = (
    ".wav", ".flac", ".mp3", ".m4b", ".m4a", ".mp4", ".aac", ".opus", ".ogg", ".oga", ".wma",
)  # fmt: skip
_PLAIN = (".wav", ".flac")

_BLOCK_SAMPLES = 1 << 19
_FRAME_S = 0.05
_FLOOR_FRAMES = 10
QUIET_DBFS = -50.0
_ZERO = 1 / 65_536
_CLIPPED, _CLIPPED_RUN = 0.999, 3
_CONTEXT_S = 0.02


@dataclass(frozen=True, slots=True)
class About:
    """What a file says of itself; `kbps` has one value where the bit rate is constant."""

    codec: str
    rate_hz: int
    channels: int
    kbps: tuple[int, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Heard:
    """A stretch of a file; places are in seconds from its start.

    `zeros_s`: the longest digital silence. `holes`: where and how long it is quiet inside.
    """

    duration_s: float
    rms_dbfs: float
    peak_dbfs: float
    floor_dbfs: float
    head_s: float
    tail_s: float
    zeros_s: float
    clipped: int
    clicks: tuple[float, ...]
    holes: tuple[tuple[float, float], ...]


def about(path: Path) -> About:
    """Read a file's own words; an OutputError where it is no audio."""
    if path.suffix.lower() in _PLAIN or ffmpeg.program() is None:
        info = _info(path)
        kbps = tuple(sorted(bit_rates(path))) if path.suffix.lower() == ".mp3" else ()
        return About(info.format.lower(), info.samplerate, info.channels, kbps, ())
    said, labels = ffmpeg.describe(path)
    found = re.search(r"Audio: (\w+).*?(\d+) Hz, (\w+)", said)
    if found is None:
        raise OutputError("there is no sound in this file", where=str(path), remedy="leave it out")
    kbps = tuple(sorted(bit_rates(path))) if found[1] == "mp3" else ()
    channels = {"mono": 1, "stereo": 2}.get(found[3], 0)
    return About(found[1], int(found[2]), channels, kbps, tuple(parse_marks(labels)))


def listen(path: Path, about: About, quiet_s: float) -> list[Heard]:
    """Measure a file, each of its chapters by itself; quiet longer than `quiet_s` is a hole."""
    rate_hz = about.rate_hz
    cuts = [round(mark.start_ms * rate_hz / 1000) for mark in about.marks[1:]]
    parts = [_Part(rate_hz)]
    at = 0
    for block in _decoded(path, rate_hz):
        while cuts and cuts[0] < at + len(block):
            head = max(0, cuts.pop(0) - at)
            parts[-1].add(block[:head])
            parts.append(_Part(rate_hz))
            block, at = block[head:], at + head
        parts[-1].add(block)
        at += len(block)
    parts += [_Part(rate_hz) for _ in cuts]  # their marks lie past the end
    return [part.heard(quiet_s) for part in parts]


def _info(path: Path) -> soundfile._SoundFileInfo:
    try:
        return soundfile.info(path)
    except (OSError, soundfile.LibsndfileError) as error:
        raise OutputError(
            f"this is no audio file that can be read: {error}",
            where=str(path),
            remedy=f"make it again, or {ffmpeg.INSTALL}",
        ) from error


def _decoded(path: Path, rate_hz: int) -> Iterator[NDArray[np.float32]]:
    if path.suffix.lower() not in _PLAIN and ffmpeg.program():
        yield from ffmpeg.decode(path, rate_hz)
        return
    _info(path)
    with soundfile.SoundFile(path) as file:
        while len(block := file.read(_BLOCK_SAMPLES, dtype="float32", always_2d=True)):
            yield np.ascontiguousarray(block.mean(axis=1) if block.shape[1] > 1 else block[:, 0])


class _Part:
    """Sums over the blocks of one chapter."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._frame = round(_FRAME_S * rate_hz)
        self._context = round(_CONTEXT_S * rate_hz)
        self._samples = self._zeros = self._longest = self._clipped = 0
        self._energy = self._peak = 0.0
        self._frames: list[NDArray[np.float64]] = []
        self._rest = np.zeros(0, np.float32)
        self._before = np.zeros(0, np.float32)
        self._clicks: list[float] = []

    def add(self, block: NDArray[np.float32]) -> None:
        if not len(block):
            return
        level = np.abs(block)
        self._peak = max(self._peak, float(level.max()))
        self._energy += float(np.dot(block, block))
        self._count_zeros(level)
        if level.max() >= _CLIPPED:
            self._clipped += _long_runs(level >= _CLIPPED, _CLIPPED_RUN)
        self._find_clicks(block)
        framed = np.concatenate([self._rest, block])
        count = len(framed) // self._frame
        squares = framed[: count * self._frame].reshape(count, self._frame)
        self._frames.append(np.einsum("ij,ij->i", squares, squares, dtype=np.float64))
        self._rest = framed[count * self._frame :]
        self._samples += len(block)

    def _find_clicks(self, block: NDArray[np.float32], *, last: bool = False) -> None:
        """Look at all but the last 20 ms, which wait for what follows them."""
        joined = np.concatenate([self._before, block])
        start = self._samples - len(self._before)
        least = self._context if start else 0
        end = len(joined) - (0 if last else self._context)
        for place in find_clicks(joined, self._rate_hz, TIMES_SHARPER_FINISHED):
            if least <= place < end:
                self._clicks.append((start + place) / self._rate_hz)
        self._before = joined[-2 * self._context :]

    def _count_zeros(self, level: NDArray[np.float32]) -> None:
        sounding = np.flatnonzero(level >= _ZERO)
        if not sounding.size:
            self._zeros += len(level)
        else:
            inside = int(np.diff(sounding).max(initial=1)) - 1
            self._longest = max(self._longest, self._zeros + int(sounding[0]), inside)
            self._zeros = len(level) - 1 - int(sounding[-1])
        self._longest = max(self._longest, self._zeros)

    def heard(self, quiet_s: float) -> Heard:
        self._find_clicks(np.zeros(0, np.float32), last=True)
        frames = np.concatenate([*self._frames, np.zeros(0)])
        power = frames / self._frame
        loud = np.flatnonzero(power > 10 ** (QUIET_DBFS / 10))
        duration_s = self._samples / self._rate_hz
        head = float(loud[0]) * _FRAME_S if loud.size else duration_s
        tail = duration_s - (float(loud[-1]) + 1) * _FRAME_S if loud.size else duration_s
        gaps = np.flatnonzero(np.diff(loud) - 1 > quiet_s / _FRAME_S)
        floor = power.min(initial=1.0)
        if len(power) >= _FLOOR_FRAMES:
            floor = np.convolve(power, np.ones(_FLOOR_FRAMES) / _FLOOR_FRAMES, "valid").min()
        return Heard(
            duration_s=round(duration_s, 4),
            rms_dbfs=_db(self._energy / max(1, self._samples)),
            peak_dbfs=_db(self._peak**2),
            floor_dbfs=_db(float(floor)),
            head_s=round(head, 2),
            tail_s=round(tail, 2),
            zeros_s=round(self._longest / self._rate_hz, 4),
            clipped=self._clipped,
            clicks=tuple(round(place, 4) for place in self._clicks),
            holes=tuple((_s(loud[i] + 1), _s(loud[i + 1] - loud[i] - 1)) for i in gaps),
        )


def _s(frames: int) -> float:
    return round(float(frames) * _FRAME_S, 2)


def _long_runs(true: NDArray[np.bool_], least: int) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], true, [False]])))
    return int((np.diff(edges)[::2] >= least).sum())


def _db(power: float) -> float:
    return round(10 * float(np.log10(max(power, 1e-12))), 2)
