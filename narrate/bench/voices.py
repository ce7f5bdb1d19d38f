"""Whom the models clone in a measurement: seconds of a tone, so that no voice is needed."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from narrate.core import Voice
from narrate.speech.models import Checkpoint
from narrate.speech.voice import VoiceRequest, open_voice

__all__ = ["REFERENCE_S", "bench_voice"]

REFERENCE_S = 3
_RATE_HZ = 24_000
_WORDS = "What a speaker says in three seconds."


def bench_voice(folder: Path, checkpoint: Checkpoint, seconds: int = REFERENCE_S) -> Voice:
    """A tone that swells like syllables, with a transcript; its prompt is kept in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"tone-{seconds}.wav"
    if not path.exists():
        t = np.arange(seconds * _RATE_HZ) / _RATE_HZ
        samples = 0.3 * np.sin(2 * np.pi * 160 * t) * (1 + np.sin(2 * np.pi * 4 * t)) / 2
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, _RATE_HZ, 0, "NONE", ""))
            file.writeframes((samples * 32767).astype("<i2").tobytes())
    return open_voice(VoiceRequest(str(path), text=_WORDS), folder, checkpoint).voice
