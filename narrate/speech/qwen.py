"""Our own engine behind the seam: the published checkpoint, hundreds of sentences at once.

torch is imported when the first utterance is asked for, so that a run with nothing to say pays for
none.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from narrate.core import Spoken, Utterance, Voice
from narrate.speech.backend import SpeechOptions
from narrate.speech.caps import frame_cap
from narrate.speech.model_backend import ModelBackend
from narrate.speech.plain import without_marks
from narrate.speech.prompts import prompt_of
from narrate.speech.published import from_extra

if TYPE_CHECKING:
    from narrate.engine.engine import Engine

__all__ = ["QwenBackend"]

# They come in the order that is best, and what waits here no other worker can speak.
_LOOKAHEAD = 16

_log = logging.getLogger("narrate.speech")


class QwenBackend(ModelBackend):
    """The engine, loaded once and kept until it is closed.

    The batch size is not in a take's key: it changes rounding, and `auto` depends on the memory
    that the card has.
    """

    name = "qwen"
    version = 4

    def __init__(self, options: SpeechOptions) -> None:
        super().__init__(options)
        self._engine: Engine | None = None

    @property
    def sampling(self) -> Mapping[str, object]:
        """Seed, cap and rounding; how codes are drawn is the checkpoint's, and so in its digest."""
        options = self._options
        kernels, weights = options.engine.kernels, options.engine.weights
        return {
            "seed": options.seed,
            "frames_per_character": options.frames_per_character,
            "tf32": options.tf32,
            **options.own_precision,
            **({} if kernels == "auto" else {"kernels": kernels}),
            **({} if weights is None else {"weights": weights}),
        }

    @property
    def in_use(self) -> Mapping[str, str]:
        """Batch, device and precision of the loaded engine; empty before it is loaded."""
        return self._engine.in_use if self._engine else {}

    def import_ahead(self) -> None:
        """Import the engine and torch, some seconds; `BackendError` without them."""
        with from_extra("the engine's libraries are not installed", "install them"):
            importlib.import_module("narrate.engine.engine")

    def load_ahead(self, voice: Voice) -> None:
        """Load the model and make the batch's buffers, some seconds; `BackendError` if it fails.

        Where the voice's prompt is kept already, all that speaking with it begins with, too.
        """
        engine = self._loaded()
        if voice.prompt_path is None or voice.prompt_path.exists():
            engine.expect(prompt_of(voice, self._checkpoint).prompt)

    def speak(self, utterances: Iterator[Utterance], voice: Voice) -> Generator[Spoken, None, None]:
        """Yield each utterance's samples as soon as they are there; they are begun in their order.

        `checks` holds `frames`, `eos`, `retries`, `runaway` where the cap was reached without an
        end, and `loop` where the codes go round in circles. `BackendError` names what could not
        be spoken, after everything else was.
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
            self.import_ahead()
            from narrate.engine.engine import Engine
            from narrate.engine.options import EngineOptions

            # The published package lays a cloned voice's text beside its codes, and the text of
            # the other kinds before them.
            switches = self._options.engine
            options = EngineOptions(
                dtype=self._options.precision,
                batch_size=self._options.batch_size,
                tf32=self._options.tf32,
                kernels=switches.kernels,
                weights=switches.weights,
                graphs=switches.graphs,
                max_context=switches.max_context,
                text_first=self._checkpoint.kind != "base",
                lookahead=_LOOKAHEAD,
                in_order=True,
            )
            self._engine = Engine(self._checkpoint.folder, options)
            _log.info("the engine is loaded: %s", self._engine.in_use)
        return self._engine
