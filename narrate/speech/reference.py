"""The recording of a voice: whatever format it has, as the model wants it, or why it cannot be.

soundfile reads WAV, FLAC, OGG and MP3; everything else goes through pydub, which asks ffmpeg.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import shutil
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr  # type: ignore[import-untyped]
from numpy.typing import NDArray

from narrate.core import Voice
from narrate.errors import VoiceError

__all__ = [
    "LONGEST_S",
    "RATE_HZ",
    "SHORTEST_S",
    "SILENCE_S",
    "Reference",
    "read_recording",
    "read_reference",
    "reference_of",
]

RATE_HZ = 24_000
SILENCE_S = 0.5
"""Silence put behind the recording: without it a model repeats the recording's last sounds first.
"""
SHORTEST_S, LONGEST_S = 1.0, 60.0
LONG_S = 30.0
SILENT_PEAK = 1e-3  # -60 dBFS
NARROW_HZ = 16_000  # rates below it cut off what makes a voice clear
_PROGRAMS = ("ffmpeg", "ffprobe")
_ADVICE = "record 5 to 15 seconds of clear speech"


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A recording as the model wants it: mono float32 at 24 kHz, within [-1, 1].

    `samples` are the recording, `padded` the same with half a second of silence behind it.
    """

    samples: NDArray[np.float32]
    notes: tuple[str, ...] = ()

    @property
    def duration_s(self) -> float:
        """Length of the recording itself, in seconds."""
        return len(self.samples) / RATE_HZ

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of the samples: two recordings that decode alike are the same."""
        return hashlib.sha256(self.samples.tobytes()).hexdigest()

    @property
    def padded(self) -> NDArray[np.float32]:
        """The recording and half a second of silence."""
        return np.concatenate([self.samples, np.zeros(round(SILENCE_S * RATE_HZ), np.float32)])


def read_recording(path: Path) -> tuple[NDArray[np.float32], int]:
    """Decode a recording as it is: samples [n, channels] and their rate in Hz.

    Stops a second past `LONGEST_S`. Raises `VoiceError` for what is no audio or cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise VoiceError(
            f"the voice's recording cannot be read: {error.strerror}",
            where=str(path),
            remedy="check the name in --voice; `narrate voice list` shows the voices kept",
        ) from error
    if not content:
        raise VoiceError("the voice's recording is empty", where=str(path), remedy=_ADVICE)
    return _decoded(path, content)


def reference_of(voice: Voice) -> Reference:
    """Read the recording of a voice; `VoiceError` where it is not the one that was heard before.

    What is made of it is kept under the voice's digest, and must be that voice.
    """
    if voice.reference_path is None:
        raise VoiceError("this voice has no recording", where=voice.name)
    reference = read_reference(voice.reference_path)
    if voice.reference_sha256 not in (None, reference.sha256):
        raise VoiceError(
            "the recording has changed since this run first looked at it",
            where=str(voice.reference_path),
            remedy="run the same command again: it takes the recording as it is now",
        )
    return reference


def read_reference(path: Path) -> Reference:
    """Decode, mix down and resample a recording; `VoiceError` says why one cannot be used."""
    samples, rate_hz = read_recording(path)
    duration_s = len(samples) / rate_hz
    _check(path, samples, duration_s)
    mono = samples.mean(axis=1, dtype=np.float32) if samples.shape[1] > 1 else samples[:, 0]
    if rate_hz != RATE_HZ:
        mono = soxr.resample(mono, rate_hz, RATE_HZ, quality="VHQ")
    notes = []
    if rate_hz < NARROW_HZ:
        notes.append(
            f"{path.name} was recorded at {rate_hz} Hz: above {rate_hz // 2} Hz there is nothing "
            "to learn from, so the voice may sound dull"
        )
    if duration_s > LONG_S:
        notes.append(
            f"{path.name} is {duration_s:.0f} s long: more than {LONG_S:.0f} s slows down every "
            "sentence and gains nothing"
        )
    return Reference(np.clip(mono, -1, 1).astype(np.float32), tuple(notes))


def _check(path: Path, samples: NDArray[np.float32], duration_s: float) -> None:
    """Refuse a recording that no voice can be taken from."""
    if not np.isfinite(samples).all():
        raise VoiceError("the recording holds values that are no numbers", where=str(path))
    if duration_s > LONGEST_S:
        raise VoiceError(
            f"the recording is longer than {LONGEST_S:.0f} s",
            where=str(path),
            remedy="cut out 5 to 15 seconds of clear speech, and the words said in them",
        )
    if duration_s < SHORTEST_S:
        raise VoiceError(
            f"the recording is {duration_s:.2f} s long, too short to take a voice from",
            where=str(path),
            remedy=_ADVICE,
        )
    if np.abs(samples).max(initial=0) < SILENT_PEAK:
        raise VoiceError("the recording is silent", where=str(path), remedy=_ADVICE)


def _decoded(path: Path, content: bytes) -> tuple[NDArray[np.float32], int]:
    """Samples [n, channels] float32 and their rate; no more than a second over the limit."""
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            most = int((LONGEST_S + 1) * file.samplerate)
            return file.read(most, dtype="float32", always_2d=True), int(file.samplerate)
    except soundfile.LibsndfileError as error:
        return _by_ffmpeg(path, str(error))


def _by_ffmpeg(path: Path, why: str) -> tuple[NDArray[np.float32], int]:
    if not all(map(shutil.which, _PROGRAMS)):
        raise VoiceError(
            "the recording is no audio that this machine can read",
            where=f"{path}: {why}",
            remedy="give a WAV, FLAC, OGG or MP3 file, or install ffmpeg for other formats",
        )
    segments, errors = _pydub()
    try:
        found = segments.from_file(str(path), duration=LONGEST_S + 1)
    except (errors.CouldntDecodeError, IndexError, KeyError, OSError) as error:
        raise VoiceError(
            "the recording is no audio",
            where=str(path),
            remedy="give a recording of the voice, such as a WAV file",
        ) from error
    samples = np.asarray(found.get_array_of_samples(), dtype=np.float32)
    full_scale = float(1 << (8 * found.sample_width - 1))
    return samples.reshape(-1, found.channels) / np.float32(full_scale), int(found.frame_rate)


def _pydub() -> tuple[Any, Any]:
    """pydub's reader and its errors, without the warnings its import prints."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            segments = importlib.import_module("pydub").AudioSegment
            return segments, importlib.import_module("pydub.exceptions")
    except ImportError as error:
        remedy = "give a WAV, FLAC, OGG or MP3 file"
        if sys.version_info >= (3, 13):
            remedy += ", or install audioop-lts"
        raise VoiceError("this format needs pydub", where=str(error), remedy=remedy) from error
