"""A speech server behind the seam: OpenAI's `/v1/audio/speech` with Qwen3-TTS's voices.

The fields that clone a voice (`task_type`, `ref_audio`, `ref_text`, `x_vector_only_mode`,
`language`, `instructions`, `max_new_tokens`, `seed`) are those that vLLM-Omni documents in its
Speech API.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Generator, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import cached_property, partial
from itertools import islice

import numpy as np
import soundfile
from numpy.typing import NDArray

from narrate.core import Spoken, Utterance, Voice, canonical_digest
from narrate.engine.languages import language_codes, language_name
from narrate.errors import BackendError, UsageError, VoiceError
from narrate.speech.answers import Sound, read_sound
from narrate.speech.backend import SpeechOptions
from narrate.speech.caps import FRAMES_PER_S, frame_cap
from narrate.speech.reference import RATE_HZ, Reference, reference_of
from narrate.speech.server import ServerOptions, api_root
from narrate.speech.server_client import Answer, SpeechClient, UnusableAnswer

__all__ = ["RemoteBackend"]

# Raise it when a change of ours changes samples: takes spoken before it are then spoken again.
_VERSION = 1
_LANGUAGES = (
    "chinese",
    "english",
    "french",
    "german",
    "italian",
    "japanese",
    "korean",
    "portuguese",
    "russian",
    "spanish",
)
"""Of the published models: a server does not say which its model has."""


class RemoteBackend:
    """A server that speaks, `concurrency` utterances at a time, answers as they come.

    What identifies it is the model, not the host: the same model behind another address is the
    same voice, so a server may move in the middle of a book. The kind of voice (recording, speaker,
    description) is in the voice's own digest. With no model named, the server is asked for it.
    """

    name = "remote"
    varies = True
    longest_first = False

    def __init__(self, options: SpeechOptions) -> None:
        if options.server is None:
            raise UsageError(
                "the remote backend needs a server",
                where="--backend remote",
                remedy="name one with --server, or in NARRATE_SERVER_URL",
            )
        self._options, self._server = options, options.server
        self._rate_hz = 0

    @property
    def server(self) -> ServerOptions:
        """Where it asks, and how."""
        return self._server

    @cached_property
    def model(self) -> str:
        """The model's name on the server; asks the server where none was given."""
        if self._server.model is not None:
            return self._server.model
        with SpeechClient(self._server) as client:
            names = client.ask("GET", "/models", None, _model_names).result()
        if len(names) != 1:
            raise BackendError(
                f"the server has {len(names)} models, and none is named",
                where=api_root(self._server.url),
                remedy=f"name one with --model: {', '.join(names)}"
                if names
                else "name it: --model",
            )
        return names[0]

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over our version and the model's name."""
        return canonical_digest({"backend": self.name, "version": _VERSION, "model": self.model})

    @property
    def rate_hz(self) -> int:
        """The rate of its answers; before the first one, that of the published models."""
        return self._rate_hz or RATE_HZ

    @property
    def sampling(self) -> Mapping[str, object]:
        """Seed, cap and speed."""
        return {
            "seed": self._options.seed,
            "frames_per_character": self._options.frames_per_character,
            "speed": self._options.speed,
        }

    def languages(self) -> tuple[str, ...]:
        """The language tags of the published models, sorted."""
        return language_codes(_LANGUAGES)

    def import_ahead(self) -> None:
        """Nothing that takes long."""

    def load_ahead(self, voice: Voice) -> None:
        """Nothing: there is no model."""

    def speak(self, utterances: Iterator[Utterance], voice: Voice) -> Generator[Spoken, None, None]:
        """Yield each answer as it comes.

        `checks` holds `runaway` where the sound is as long as the cap allows. Raises `BackendError`
        when a request failed for good, and `VoiceError` for a voice that no server could speak in.
        """
        common = {"model": self.model, "response_format": self._server.audio_format} | _asked(voice)
        if self._options.speed != 1.0:
            common["speed"] = self._options.speed
        read = partial(read_sound, audio_format=self._server.audio_format)
        upcoming = iter(utterances)
        asked: dict[Future[Sound], Utterance] = {}
        ready: list[tuple[Utterance, Future[Sound]]] = []
        with SpeechClient(self._server) as client:
            while True:
                failed = any(answered.exception() for _, answered in ready)
                room = 0 if failed else self._server.concurrency - len(asked)
                for one in islice(upcoming, room):
                    payload = common | self._words(one)
                    asked[client.ask("POST", "/audio/speech", payload, read)] = one
                for one, answered in ready:
                    yield self._spoken(one, *answered.result())
                if not asked:
                    return
                done, _ = wait(asked, return_when=FIRST_COMPLETED)
                # what is good is kept, whatever came in beside it
                good_first = sorted(done, key=lambda one: one.exception() is not None)
                ready = [(asked.pop(one), one) for one in good_first]

    def close(self) -> None:
        """Nothing is held between calls of `speak`."""

    def _words(self, utterance: Utterance) -> dict[str, object]:
        """What differs from request to request."""
        return {
            "input": utterance.spoken,
            "language": language_name(utterance.language, _LANGUAGES).capitalize(),
            "seed": utterance.seed,
            "max_new_tokens": self._cap(utterance),
        }

    def _cap(self, utterance: Utterance) -> int:
        return utterance.frame_cap or frame_cap(
            utterance.spoken, self._options.frames_per_character
        )

    def _spoken(self, utterance: Utterance, samples: NDArray[np.float32], rate_hz: int) -> Spoken:
        self._rate_hz = self._rate_hz or rate_hz
        if rate_hz != self._rate_hz:
            raise BackendError(
                f"the server changed its rate from {self._rate_hz} to {rate_hz} Hz in a book",
                where=api_root(self._server.url),
                remedy="look at what answers at this address: it is not one model",
            )
        # the model's last frame is the one that says it has ended
        longest_s = (self._cap(utterance) - 1) / FRAMES_PER_S / self._options.speed
        runaway = len(samples) >= longest_s * rate_hz
        return Spoken(utterance, samples, rate_hz, {"runaway": True} if runaway else {})


def _asked(voice: Voice) -> dict[str, object]:
    """The fields that say who speaks."""
    if voice.instruct is not None:
        return {"task_type": "VoiceDesign", "instructions": voice.instruct}
    if voice.speaker_name is not None:
        return {"task_type": "CustomVoice", "voice": voice.speaker_name}
    if voice.reference_path is None:
        raise VoiceError(
            "a server needs a recording, a speaker or a description",
            where=voice.name,
            remedy="add --voice with a recording or qwen:SPEAKER, or --voice-design",
        )
    # NOTE: no `voice` beside a recording: servers take it for the name of a voice they know.
    fields: dict[str, object] = {"task_type": "Base", "ref_audio": _data_url(reference_of(voice))}
    if voice.reference_text is None:
        return fields | {"x_vector_only_mode": True}
    return fields | {"ref_text": voice.reference_text}


def _data_url(recording: Reference) -> str:
    """The recording as the model hears it, half a second of silence included, as a data: URL."""
    file = io.BytesIO()
    soundfile.write(file, recording.padded, RATE_HZ, format="WAV", subtype="PCM_16")
    return f"data:audio/wav;base64,{base64.b64encode(file.getvalue()).decode()}"


def _model_names(answer: Answer) -> tuple[str, ...]:
    """The names in a list of models as OpenAI's servers give it."""
    try:
        return tuple(str(one["id"]) for one in json.loads(answer.content)["data"])
    except (ValueError, TypeError, KeyError) as error:
        raise UnusableAnswer("no list of models") from error
