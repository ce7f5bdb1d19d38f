"""The one seam of speech: whatever turns utterances into samples looks like a `Backend`.

Everything above it is the same for the embedded voice, a model and a server. A backend is opened
by name from a table whose entries import nothing until they are chosen.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, cast

from narrate.core import Spoken, Utterance, Voice
from narrate.errors import UsageError

__all__ = ["MAX_SPEED", "MIN_SPEED", "Backend", "SpeechOptions", "backend_names", "open_backend"]

MIN_SPEED, MAX_SPEED = 0.5, 2.0


@dataclass(frozen=True, slots=True)
class SpeechOptions:
    """What a run asks of its backend; `speed` 1.0 is the voice's own pace, 2.0 twice as fast."""

    speed: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what no backend can do (`UsageError`)."""
        if not (math.isfinite(self.speed) and MIN_SPEED <= self.speed <= MAX_SPEED):
            raise UsageError(
                f"a speed of {self.speed:g} cannot be spoken",
                where="--speed",
                remedy=f"choose a speed from {MIN_SPEED:g} to {MAX_SPEED:g}",
            )


class Backend(Protocol):
    """Something that speaks.

    `digest` is the identity of everything in the backend that changes samples, a version number
    that is raised by hand included; `sampling` holds the options that belong into a take's key.
    """

    @property
    def name(self) -> str:
        """The name it is opened by."""

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of what changes its samples."""

    @property
    def rate_hz(self) -> int:
        """The rate of all its samples."""

    @property
    def sampling(self) -> Mapping[str, object]:
        """The options that change samples: plain JSON values."""

    def languages(self) -> tuple[str, ...]:
        """The language tags it speaks, sorted."""

    def speak(self, utterances: Iterator[Utterance], voice: Voice) -> Iterator[Spoken]:
        """Pull utterances lazily and yield each answer as soon as it is done, in any order.

        Raises `BackendError` when the backend cannot go on, `VoiceError` for an unusable voice.
        """

    def close(self) -> None:
        """Give back processes, memory and connections; closing twice does no harm."""


class _Opener(Protocol):
    def __call__(self, options: SpeechOptions) -> Backend: ...


# name -> "module:callable", so that choosing a backend is what imports it
_BACKENDS: Mapping[str, str] = {"preview": "narrate.speech.preview:PreviewBackend"}


def backend_names() -> tuple[str, ...]:
    """The names `open_backend` knows."""
    return tuple(_BACKENDS)


def open_backend(name: str, options: SpeechOptions) -> Backend:
    """Open a backend by name; an unknown name is a `UsageError` that lists the known ones."""
    if name not in _BACKENDS:
        raise UsageError(
            f"there is no backend called {name!r}",
            where="--backend",
            remedy=f"choose one of: {', '.join(_BACKENDS)}",
        )
    module, _, attribute = _BACKENDS[name].partition(":")
    opener = cast(_Opener, getattr(importlib.import_module(module), attribute))
    return opener(options)
