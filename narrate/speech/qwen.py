"""Our own engine behind the seam: the published checkpoint, hundreds of sentences at once.

torch is imported when the first utterance is asked for, so that a run with nothing to say pays for
none.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from narrate.core import Spoken, Utterance, Voice, canonical_digest
from narrate.engine.languages import language_codes
from narrate.errors import BackendError, UsageError
from narrate.speech.backend import SpeechOptions
from narrate.speech.caps import frame_cap
from narrate.speech.plain import without_marks
from narrate.speech.prompts import prompt_of

if TYPE_CHECKING:
    from narrate.engine.engine import Engine

__all__ = ["QwenBackend"]

# Raise it when a change of ours changes samples: takes spoken before it are then spoken again.
_VERSION = 1
_RETRIES = 1


class QwenBackend:
    """The engine, loaded once and kept until it is closed.

    The batch size is not in a take's key: it changes rounding, and `auto` depends on the memory
    that the card has.
    """

    name = "qwen"
    varies = True

    def __init__(self, options: SpeechOptions) -> None:
        if options.checkpoint is None:
            raise UsageError("the qwen backend needs a model", remedy="name one with --model")
        if options.speed != 1.0:
            raise UsageError(
                "the model has no control of its speed",
                where="--speed",
                remedy="leave out --speed; its pace is the recording's",
            )
        self._options, self._checkpoint = options, options.checkpoint
        self._engine: Engine | None = None

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over our version and the checkpoint."""
        return canonical_digest(
            {"backend": self.name, "version": _VERSION, "model": self._checkpoint.digest}
        )

    @property
    def rate_hz(self) -> int:
        """The rate of the checkpoint's codec."""
        return self._checkpoint.rate_hz

    @property
    def sampling(self) -> Mapping[str, object]:
        """Seed and cap; how codes are drawn is the checkpoint's own, and so in its digest."""
        options = self._options
        return {
            "seed": options.seed,
            "frames_per_character": options.frames_per_character,
            "tf32": options.tf32,
        }

    @property
    def in_use(self) -> Mapping[str, str]:
        """Batch, device and precision of the loaded engine; empty before it is loaded."""
        return self._engine.in_use if self._engine else {}

    def languages(self) -> tuple[str, ...]:
        """The language tags of the checkpoint's languages, sorted."""
        return language_codes(self._checkpoint.languages)

    def speak(self, utterances: Iterator[Utterance], voice: Voice) -> Generator[Spoken, None, None]:
        """Yield each utterance's samples as soon as they are there, the longest texts first.

        `checks` holds `frames`, `eos`, `retries`, and `runaway` where the cap was reached without
        an end. `BackendError` names what could not be spoken, after everything else was.
        """
        prompt = prompt_of(voice, self._checkpoint).prompt
        per_character = self._options.frames_per_character
        capped = (
            replace(
                one,
                spoken=without_marks(one.spoken),
                frame_cap=one.frame_cap or frame_cap(one.spoken, per_character),
            )
            for one in utterances
        )
        yield from self._loaded().speak(capped, prompt)

    def close(self) -> None:
        """Let go of the model and the memory it holds."""
        engine, self._engine = self._engine, None
        if engine:
            engine.close()

    def _loaded(self) -> Engine:
        if self._engine is None:
            try:
                from narrate.engine.engine import Engine
                from narrate.engine.options import EngineOptions
            except ImportError as error:
                raise BackendError(
                    "the engine's libraries are not installed",
                    where=str(error),
                    remedy="install them: pip install 'narrate[qwen]'",
                ) from error
            # The published package lays a cloned voice's text beside its codes, and the text of
            # the other kinds before them.
            options = EngineOptions(
                batch_size=self._options.batch_size,
                tf32=self._options.tf32,
                text_first=self._checkpoint.kind != "base",
                retries=_RETRIES,
            )
            self._engine = Engine(self._checkpoint.folder, options)
        return self._engine
