"""The one prompt of a voice: computed once for a voice and a model, kept, verified when read.

It lies in the home under the voice's digest as a safetensors file: the codes and the speaker
embedding as tensors, transcript and a checksum as metadata. Every run, worker and backend reads the
same file. Two that start together compute it once: the second waits for the first at a lock.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from narrate.core import Voice, VoicePrompt
from narrate.errors import VoiceError
from narrate.speech.files import in_turn, write_whole
from narrate.speech.models import Checkpoint
from narrate.speech.published import from_extra

__all__ = ["FoundPrompt", "prompt_of"]

_FORMAT = "narrate-voice-1"


@dataclass(frozen=True, slots=True, eq=False)
class FoundPrompt:
    """A prompt and where it came from, in words for a user."""

    prompt: VoicePrompt
    origin: str


def prompt_of(voice: Voice, checkpoint: Checkpoint) -> FoundPrompt:
    """Read what a model is told about a voice, or compute and keep it.

    A damaged file is computed again, and `origin` says so. `VoiceError` for a voice that has no
    recording, speaker or description, or whose recording has gone.
    """
    if voice.speaker_name is not None:
        return FoundPrompt(VoicePrompt(speaker_name=voice.speaker_name), "a speaker of the model")
    if voice.instruct is not None:
        return FoundPrompt(VoicePrompt(instruct=voice.instruct), "made by the model")
    path = voice.prompt_path
    if path is None or voice.reference_path is None:
        raise VoiceError(
            "this voice cannot be cloned: it has no recording",
            where=voice.name,
            remedy="give a recording with --voice",
        )
    if path.exists() and (kept := _read(path, voice)):
        return FoundPrompt(kept, "from the cache")
    return _made_once(voice, path, checkpoint)


def _made_once(voice: Voice, path: Path, checkpoint: Checkpoint) -> FoundPrompt:
    """Compute and keep the prompt, unless another process did while this one waited."""
    with in_turn(path.with_suffix(".lock")):
        damaged = path.exists()
        if damaged and (kept := _read(path, voice)):
            return FoundPrompt(kept, "from the cache")
        from narrate.speech.encoding import encode_voice

        prompt = encode_voice(voice, checkpoint)
        _write(path, voice, prompt)
    said = "computed again, because the kept one was damaged" if damaged else "computed and kept"
    return FoundPrompt(prompt, said)


def _tensors(prompt: VoicePrompt) -> dict[str, Any]:
    found = {"codes": prompt.codes, "speaker": prompt.speaker}
    return {name: np.ascontiguousarray(one) for name, one in found.items() if one is not None}


def _checksum(tensors: Mapping[str, Any], digest: str, text: str) -> str:
    sha = hashlib.sha256(f"{_FORMAT}\n{digest}\n{text}\n".encode())
    for name, tensor in sorted(tensors.items()):
        sha.update(f"{name} {tensor.dtype} {tensor.shape}\n".encode() + tensor.tobytes())
    return sha.hexdigest()


def _write(path: Path, voice: Voice, prompt: VoicePrompt) -> None:
    tensors, text = _tensors(prompt), prompt.reference_text or ""
    metadata = {
        "format": _FORMAT,
        "voice": voice.digest,
        "reference_text": text,
        "checksum": _checksum(tensors, voice.digest, text),
    }
    write_whole(path, _library("safetensors.numpy").save(tensors, metadata))


def _read(path: Path, voice: Voice) -> VoicePrompt | None:
    """The kept prompt, None where the file is damaged or another voice's."""
    safetensors = _library("safetensors")
    try:
        with safetensors.safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, safetensors.SafetensorError):
        return None
    text = metadata.get("reference_text", "")
    checksum = _checksum(tensors, voice.digest, text)
    if metadata.get("checksum") != checksum or "speaker" not in tensors:
        return None
    return VoicePrompt(
        codes=tensors.get("codes"), speaker=tensors["speaker"], reference_text=text or None
    )


def _library(name: str) -> Any:
    """A library of the extra [qwen], imported only when a voice needs it."""
    with from_extra():
        return importlib.import_module(name)
