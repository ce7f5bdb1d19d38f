"""The audio in a server's answer: whole, of the kind that was asked for, and at which rate."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping

import numpy as np
import soundfile
from numpy.typing import NDArray

from narrate.speech.server_client import Answer, UnusableAnswer

__all__ = ["Sound", "read_sound"]

Sound = tuple[NDArray[np.float32], int]
"""Mono samples in [-1, 1] and their rate in Hz."""

_PCM_RATE_HZ = 24_000  # of Qwen3-TTS; raw samples do not say their own
_RATE_HEADERS = ("x-sample-rate", "x-audio-sample-rate")
_RIFF_HEAD = struct.Struct("<4sI4s")
_CHUNK_HEAD = struct.Struct("<4sI")
_UNKNOWN_SIZES = (0, 0xFFFFFFFF, 0x7FFFFFFF)  # of a WAV that was written as a stream


def read_sound(answer: Answer, audio_format: str) -> Sound:
    """Decode an answer; `UnusableAnswer` for JSON, a page, another format, or half a sound."""
    accepted, decode = _FORMATS[audio_format]
    kind = answer.content_type
    if kind not in accepted:
        said = answer.content[:200].decode("utf-8", "replace") if "json" in kind else ""
        raise UnusableAnswer(
            f"{kind or 'something without a type'} instead of {audio_format} audio"
            + (f": {' '.join(said.split())}" if said else "")
        )
    if not answer.content:
        raise UnusableAnswer("an empty answer instead of audio")
    samples, rate_hz = decode(answer)
    if rate_hz < 1 or not np.isfinite(samples).all():
        raise UnusableAnswer("audio that holds values that are no samples")
    mono = samples.mean(axis=1, dtype=np.float32) if samples.ndim > 1 else samples
    return np.clip(mono, -1.0, 1.0), rate_hz


def _wav(answer: Answer) -> Sound:
    _check_whole_wav(answer.content)
    return _by_soundfile(answer.content)


def _check_whole_wav(content: bytes) -> None:
    """Raise `UnusableAnswer` for a WAV that ends before its header says: soundfile would not."""
    if len(content) < _RIFF_HEAD.size or content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise UnusableAnswer("no WAV, although its type says so")
    at = _RIFF_HEAD.size
    while at + _CHUNK_HEAD.size <= len(content):
        name, size = _CHUNK_HEAD.unpack_from(content, at)
        at += _CHUNK_HEAD.size
        if name == b"data":
            if size not in _UNKNOWN_SIZES and at + size > len(content):
                raise UnusableAnswer(f"half a WAV: {len(content) - at} of {size} bytes of samples")
            return
        at += size + size % 2
    raise UnusableAnswer("half a WAV: it ends before its samples")


def _flac(answer: Answer) -> Sound:
    return _by_soundfile(answer.content)


def _by_soundfile(content: bytes) -> Sound:
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            told, rate_hz = int(file.frames), int(file.samplerate)
            samples = file.read(dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise UnusableAnswer(f"audio that cannot be decoded: {error}") from error
    if len(samples) < told < _UNKNOWN_SIZES[1]:
        raise UnusableAnswer(f"half a sound: {len(samples)} of {told} samples")
    return samples, rate_hz


def _pcm(answer: Answer) -> Sound:
    if len(answer.content) % 2:
        raise UnusableAnswer("half a sound: an odd number of bytes of 16-bit samples")
    samples = np.frombuffer(answer.content, "<i2").astype(np.float32) / np.float32(32_768)
    told = [answer.headers[name] for name in _RATE_HEADERS if name in answer.headers]
    _, _, parameter = answer.headers.get("content-type", "").lower().partition("rate=")
    told += [parameter.partition(";")[0].strip()] if parameter else []
    return samples, int(told[0]) if told and told[0].isdecimal() else _PCM_RATE_HZ


_FORMATS: Mapping[str, tuple[frozenset[str], Callable[[Answer], Sound]]] = {
    "wav": (frozenset({"audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave"}), _wav),
    "flac": (frozenset({"audio/flac", "audio/x-flac"}), _flac),
    "pcm": (frozenset({"audio/pcm", "audio/l16", "application/octet-stream"}), _pcm),
}
