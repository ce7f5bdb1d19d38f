"""The published package behind the seam: the reference that everything else is measured against.

This file knows no torch, so that a run with nothing to say pays for none; `official_model` does.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from narrate.core import Spoken, Utterance, Voice, VoicePrompt
from narrate.engine.languages import language_name
from narrate.errors import BackendError
from narrate.speech.backend import SpeechOptions
from narrate.speech.caps import frame_cap
from narrate.speech.model_backend import ModelBackend
from narrate.speech.plain import without_marks
from narrate.speech.prompts import prompt_of
from narrate.speech.published import load_published

if TYPE_CHECKING:
    from narrate.speech.official_model import OfficialModel, Request

__all__ = ["OfficialBackend"]

_BATCHES_AHEAD = 4

_log = logging.getLogger("narrate.speech")


class OfficialBackend(ModelBackend):
    """`Qwen3TTSModel` as published, in static batches of texts of about the same length.

    `_BATCHES_AHEAD` batches of utterances are pulled at a time and sorted by length: a batch
    lasts as long as its longest row. The batch size is not in a take's key: it changes rounding,
    and `auto` depends on the memory that happens to be free.
    """

    name = "official"
    version = 1

    def __init__(self, options: SpeechOptions) -> None:
        super().__init__(options)
        self._model: OfficialModel | None = None
        self._rows = options.batch_size or 0

    @property
    def sampling(self) -> Mapping[str, object]:
        """Seed, cap, and the choices that change how numbers are rounded."""
        options = self._options
        return {
            "seed": options.seed,
            "frames_per_character": options.frames_per_character,
            "attention": options.attention,
            "compile": options.compile,
            "tf32": options.tf32,
            **options.own_precision,
        }

    @property
    def in_use(self) -> Mapping[str, str]:
        """Attention, device and precision of the loaded model, and rows; empty before."""
        return {**self._model.in_use, "batch": str(self._rows)} if self._model else {}

    def import_ahead(self) -> None:
        """Import the published package, some seconds; `BackendError` without it."""
        load_published()

    def load_ahead(self, voice: Voice) -> None:
        """Load the model, some seconds; `BackendError` if it fails."""
        self._loaded()

    def speak(self, utterances: Iterator[Utterance], voice: Voice) -> Generator[Spoken, None, None]:
        """Yield each utterance's samples, batch after batch.

        `checks` holds `frames`, `runaway` where the cap was reached without an end, and `loop`
        where the codes go round in circles. Out of memory halves the batch and goes on;
        `BackendError` when even one row does not fit.
        """
        prompt = prompt_of(voice, self._checkpoint).prompt
        utterances = iter(utterances)
        while ahead := list(islice(utterances, self._batch_rows(prompt) * _BATCHES_AHEAD)):
            ahead.sort(key=lambda one: len(one.spoken), reverse=True)
            while ahead:
                rows = self._batch_rows(prompt)
                batch, ahead = ahead[:rows], ahead[rows:]
                yield from self._say(batch, prompt)

    def close(self) -> None:
        """Let go of the model and the memory it holds."""
        model, self._model = self._model, None
        if model:
            model.close()

    def _loaded(self) -> OfficialModel:
        if self._model is None:
            from narrate.speech.official_model import OfficialModel

            self._model = OfficialModel(self._checkpoint, self._options)
            _log.info("the model is loaded: %s", dict(self._model.in_use))
        return self._model

    def _batch_rows(self, prompt: VoicePrompt) -> int:
        """The batch size: as asked, or from free memory for prompts and texts of full length."""
        if not self._rows:
            spoken = frame_cap("x" * 300, self._options.frames_per_character)
            reference = 0 if prompt.codes is None else len(prompt.codes)
            self._rows = self._loaded().rows(reference + spoken)
        return self._rows

    def _say(self, batch: Sequence[Utterance], prompt: VoicePrompt) -> Iterator[Spoken]:
        from narrate.speech.official_model import OutOfMemory

        model = self._loaded()
        try:
            said = model.say([self._request(one) for one in batch], prompt)
        except OutOfMemory as error:
            if len(batch) == 1:
                raise BackendError(
                    "the card has not enough memory for a single sentence",
                    where=f"{len(batch[0].spoken)} characters",
                    remedy="free its memory, choose --model 0.6b, or a shorter recording",
                ) from error
        else:
            for utterance, one in zip(batch, said, strict=True):
                yield Spoken(utterance, one.samples, self.rate_hz, one.checks)
            return
        model.free_memory()
        half = (len(batch) + 1) // 2
        self._rows = min(self._rows, half)
        _log.warning("out of memory at %d rows: going on with %d", len(batch), self._rows)
        for part in (batch[:half], batch[half:]):
            yield from self._say(part, prompt)

    def _request(self, utterance: Utterance) -> Request:
        from narrate.speech.official_model import Request

        cap = frame_cap(utterance.spoken, self._options.frames_per_character)
        return Request(
            text=without_marks(utterance.spoken),
            language=language_name(utterance.language, self._checkpoint.languages),
            seed=utterance.seed,
            frame_cap=utterance.frame_cap or cap,
        )
