"""The one seam of speech: whatever turns utterances into samples looks like a `Backend`.

Everything above it is the same for the embedded voice, a model and a server. A backend is opened
by name from a table whose entries import nothing until they are chosen.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from narrate.core import Spoken, Utterance, Voice
from narrate.errors import UsageError
from narrate.speech.caps import FRAMES_PER_CHARACTER
from narrate.speech.models import Checkpoint
from narrate.speech.server import ServerOptions

__all__ = [
    "ATTENTIONS",
    "COMPILE_MODES",
    "KERNELS",
    "MAX_SPEED",
    "MIN_SPEED",
    "PRECISIONS",
    "WEIGHTS",
    "Backend",
    "EngineSwitches",
    "SpeechOptions",
    "backend_names",
    "open_backend",
]

MIN_SPEED, MAX_SPEED = 0.5, 2.0
ATTENTIONS = ("sdpa", "flash_attention_2", "eager")
KERNELS = ("auto", "library", "triton", "sdpa", "torch")
PRECISIONS = ("bfloat16", "float32")
WEIGHTS = ("int8", "fp8")
COMPILE_MODES = ("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")


def _one_of(option: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise UsageError(
            f"{option} does not know {value!r}", remedy=f"choose one of: {', '.join(known)}"
        )


@dataclass(frozen=True, slots=True)
class EngineSwitches:
    """What only the engine has: see `narrate.engine.options`, which checks the numbers.

    `kernels` by name; `weights` are a byte a number, or None: as the precision has them;
    `graphs` False computes each frame anew instead of replaying a recorded one.
    `max_context` is the most positions of a row.
    """

    kernels: str = "auto"
    weights: str | None = None
    graphs: bool = True
    max_context: int = 1024

    def __post_init__(self) -> None:
        """Refuse kernels and weights that nobody knows (`UsageError`)."""
        _one_of("--kernels", self.kernels, KERNELS)
        if self.weights is not None:
            _one_of("--weights", self.weights, WEIGHTS)


@dataclass(frozen=True, slots=True)
class SpeechOptions:
    """What a run asks of its backend; each backend reads what concerns it.

    `speed` 1.0 is the voice's own pace, 2.0 twice as fast. `seed` asks for another reading.
    `checkpoint` is the model of those that have one. `batch_size` None: as much as memory allows.
    `compile` is a mode of torch.compile, None for none. `precision` None: bf16 on a card, fp32
    elsewhere. `server` is where those ask that have no model of their own.
    """

    speed: float = 1.0
    seed: int | None = None
    checkpoint: Checkpoint | None = None
    server: ServerOptions | None = None
    attention: str = "sdpa"
    batch_size: int | None = None
    compile: str | None = None
    precision: str | None = None
    tf32: bool = False
    cudnn_benchmark: bool = False
    frames_per_character: float = FRAMES_PER_CHARACTER
    engine: EngineSwitches = EngineSwitches()

    def __post_init__(self) -> None:
        """Refuse what no backend can do (`UsageError`)."""
        _one_of("--attention", self.attention, ATTENTIONS)
        if self.compile is not None:
            _one_of("--compile", self.compile, COMPILE_MODES)
        if self.precision is not None:
            _one_of("--precision", self.precision, PRECISIONS)
        if self.batch_size is not None and self.batch_size < 1:
            raise UsageError(
                f"a batch of {self.batch_size} speaks nothing",
                where="--batch-size",
                remedy="use auto, or a number from 1 up",
            )
        if not (math.isfinite(self.frames_per_character) and self.frames_per_character > 0):
            raise UsageError(
                f"{self.frames_per_character:g} frames a character cap everything",
                where="--frames-per-character",
                remedy=f"use a number above 0; {FRAMES_PER_CHARACTER:g} is the default",
            )
        if not (math.isfinite(self.speed) and MIN_SPEED <= self.speed <= MAX_SPEED):
            raise UsageError(
                f"a speed of {self.speed:g} cannot be spoken",
                where="--speed",
                remedy=f"choose a speed from {MIN_SPEED:g} to {MAX_SPEED:g}",
            )

    @property
    def own_precision(self) -> Mapping[str, str]:
        """The precision where one was asked for: part of a take's key then, and only then."""
        return {} if self.precision is None else {"precision": self.precision}


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
    def varies(self) -> bool:
        """Whether another attempt at the same words can come out differently."""

    @property
    def longest_first(self) -> bool:
        """Whether it is done sooner when the longest utterances come first, as batches are."""

    @property
    def sampling(self) -> Mapping[str, object]:
        """The options that change samples: plain JSON values."""

    def languages(self) -> tuple[str, ...]:
        """The language tags it speaks, sorted."""

    def import_ahead(self) -> None:
        """Import what it speaks with, where there is time before; `BackendError` without it."""

    def load_ahead(self, voice: Voice) -> None:
        """Be ready to speak in a voice, its model loaded; errors as for `speak`."""

    def speak(self, utterances: Iterator[Utterance], voice: Voice) -> Iterator[Spoken]:
        """Pull utterances lazily and yield each answer as soon as it is done, in any order.

        Raises `BackendError` when the backend cannot go on, `VoiceError` for an unusable voice.
        """

    def close(self) -> None:
        """Give back processes, memory and connections; closing twice does no harm."""


class _Opener(Protocol):
    def __call__(self, options: SpeechOptions) -> Backend: ...


# name -> "module:callable", so that choosing a backend is what imports it
_BACKENDS: Mapping[str, str] = {
    "preview": "narrate.speech.preview:PreviewBackend",
    "official": "narrate.speech.official:OfficialBackend",
    "qwen": "narrate.speech.qwen:QwenBackend",
    "remote": "narrate.speech.remote:RemoteBackend",
}


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
