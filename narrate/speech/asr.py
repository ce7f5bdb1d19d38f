"""Who listens: a speech recogniser, by the folder of its model or as a Python object.

A folder holds a faster-whisper model (the extra `[asr]`); nothing is ever downloaded. An object is
named `module:name`, and called with samples (float32, mono), their rate in Hz and a language.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soxr  # type: ignore[import-untyped]
from numpy.typing import NDArray

from narrate.errors import BackendError, UsageError

__all__ = ["Recogniser", "open_recogniser"]

Recogniser = Callable[[NDArray[np.float32], int, str], str]

_WHISPER_HZ = 16_000
_WHERE = "--verify-asr"


def open_recogniser(name: str) -> Recogniser:
    """Load what the name stands for; UsageError where there is none, BackendError if it fails."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _whisper(folder)
    module, colon, attribute = name.partition(":")
    if not colon or not module.replace(".", "").replace("_", "").isalnum():
        raise UsageError(
            f"there is no folder {name!r} with a recogniser's model",
            where=_WHERE,
            remedy="give the folder of a faster-whisper model that is on this machine already; "
            "nothing is downloaded",
        )
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"{name} cannot be imported: {error}", where=_WHERE, remedy="name it module:object"
        ) from error
    if not callable(found):
        raise UsageError(f"{name} cannot be called", where=_WHERE, remedy="name a function")
    recogniser: Recogniser = found
    return recogniser


def _whisper(folder: Path) -> Recogniser:
    if not (folder / "model.bin").is_file():
        raise UsageError(
            "the folder holds no faster-whisper model: there is no model.bin in it",
            where=f"{_WHERE} {folder}",
            remedy="give the folder that holds model.bin, config.json and the tokenizer",
        )
    try:
        from faster_whisper import WhisperModel
    except ImportError as error:
        raise BackendError(
            "the recogniser's library is not installed",
            where=_WHERE,
            remedy="install it: pip install 'narrate[asr]'",
        ) from error
    try:
        model: Any = WhisperModel(str(folder), local_files_only=True)
    except (RuntimeError, ValueError, OSError) as error:
        raise BackendError(
            f"the recogniser cannot be loaded: {error}",
            where=f"{_WHERE} {folder}",
            remedy="get its model again, or leave the option out",
        ) from error

    def words(samples: NDArray[np.float32], rate_hz: int, language: str) -> str:
        audio = soxr.resample(samples, rate_hz, _WHISPER_HZ)
        parts, _ = model.transcribe(audio, language=language.partition("-")[0], beam_size=5)
        return " ".join(part.text for part in parts)

    return words
