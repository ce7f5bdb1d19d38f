"""Who speaks: from the words of a job to a backend and a voice, loading no model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from narrate.config import Job, Settings
from narrate.core import Voice
from narrate.errors import UsageError, VoiceError
from narrate.speech.backend import (
    Backend,
    EngineSwitches,
    SpeechOptions,
    backend_names,
    open_backend,
)
from narrate.speech.devices import cuda_cards
from narrate.speech.models import Checkpoint, find_model, open_checkpoint, published_name
from narrate.speech.server import DEFAULT_CONCURRENCY, ServerOptions
from narrate.speech.voice import VoiceRequest, open_voice

__all__ = [
    "AUTO",
    "DEFAULT_MODEL",
    "Cast",
    "cast",
    "open_speech",
    "prepare_voice",
    "speaks_on_a_card",
]

AUTO = "auto"
DEFAULT_MODEL = "1.7b"
_PREVIEW, _ENGINE, _OFFICIAL, _REMOTE = "preview", "qwen", "official", "remote"
_WITH_CHECKPOINT = (_ENGINE, _OFFICIAL)
_READ_BY: Mapping[str, tuple[str, ...]] = {
    "server": (_REMOTE,),
    "concurrency": (_REMOTE,),
    "attention": (_OFFICIAL,),
    "batch_size": _WITH_CHECKPOINT,
    "compile": (_OFFICIAL,),
    "tf32": _WITH_CHECKPOINT,
    "cudnn_benchmark": (_OFFICIAL,),
    "precision": _WITH_CHECKPOINT,
    "kernels": (_ENGINE,),
    "weights": (_ENGINE,),
    "cuda_graphs": (_ENGINE,),
    "max_context": (_ENGINE,),
    "frames_per_character": (*_WITH_CHECKPOINT, _REMOTE),
    "seed": (*_WITH_CHECKPOINT, _REMOTE),
}
"""Which backends do something with a field of a job that is about how it is spoken."""


@dataclass(frozen=True, slots=True)
class Cast:
    """A backend, its voice, what to tell the user about it, and the model where one is here."""

    backend: Backend
    voice: Voice
    notes: tuple[str, ...] = ()
    checkpoint: Checkpoint | None = None


def open_speech(job: Job, *, download: bool = True) -> tuple[Backend, Voice]:
    """Choose who speaks; never another voice than the one that was asked for.

    A model of the hub that is not here yet is downloaded, unless `download` is false.
    """
    chosen = cast(job, download=download)
    return chosen.backend, chosen.voice


def speaks_on_a_card(job: Job) -> bool:
    """Whether the engine will speak, on a card. Errors for options that do not fit together."""
    return _backend_name(job, _request(job)) == _ENGINE and cuda_cards() > 0


def prepare_voice(chosen: Cast) -> tuple[str, ...]:
    """Make sure that the voice's prompt is kept, and say where it came from."""
    from narrate.speech.prompts import prompt_of

    if chosen.checkpoint is None:
        return chosen.notes
    found = prompt_of(chosen.voice, chosen.checkpoint)
    return (*chosen.notes, f"voice {chosen.voice.name}: {found.origin}")


def cast(job: Job, *, download: bool = True) -> Cast:
    """Find the backend, the model and the voice of a job; all that is wrong is said here."""
    request = _request(job)
    name = _backend_name(job, request)
    unused = _unused(job, name)
    if name == _PREVIEW:
        from narrate.speech.preview import preview_voice

        return Cast(open_backend(name, _options(job, None)), preview_voice(), unused)
    if name not in _WITH_CHECKPOINT:
        backend = open_backend(name, _options(job, None, _server(job, request)))
        opened = open_voice(request, _home(), None, backend.digest)
        return Cast(backend, opened.voice, (*unused, *opened.notes))
    if request.kind == "base":  # what is wrong with a recording is said before a model is fetched
        open_voice(request, _home(), None)
    words = job.model or DEFAULT_MODEL
    checkpoint = open_checkpoint(find_model(words, request.kind, download=download))
    opened = open_voice(request, _home(), checkpoint)
    backend = open_backend(name, _options(job, checkpoint))
    return Cast(backend, opened.voice, (*unused, *opened.notes), checkpoint)


def _request(job: Job) -> VoiceRequest:
    return VoiceRequest(job.voice, job.voice_text, job.voice_text_file, job.voice_design)


def _unused(job: Job, name: str) -> tuple[str, ...]:
    """A note for each option that was given and that this backend has no use for."""
    default = Job(job.document)
    given = [one for one in _READ_BY if getattr(job, one) != getattr(default, one)]
    return tuple(
        f"{_option(one)} changes nothing here: the {name} backend has nothing like it"
        for one in given
        if name not in _READ_BY[one]
    )


def _option(field: str) -> str:
    """The words of the command line for a field of a job that is not as it is by default."""
    return "--no-cuda-graphs" if field == "cuda_graphs" else f"--{field.replace('_', '-')}"


def _home() -> Path:
    return Settings.from_environment().home


def _server(job: Job, request: VoiceRequest) -> ServerOptions | None:
    """The server that is to speak, with the key of this process; None where none is named."""
    settings = Settings.from_environment()
    url = job.server or settings.server_url
    if url is None:
        return None
    return ServerOptions(
        url=url,
        key=settings.api_key,
        model=published_name(job.model, request.kind) if job.model else None,
        concurrency=DEFAULT_CONCURRENCY if job.concurrency is None else job.concurrency,
    )


def _backend_name(job: Job, request: VoiceRequest) -> str:
    """The backend that is to speak: as asked, or the fastest here that can speak in that voice."""
    given = [option for option, value in _voice_options(job).items() if value is not None]
    if job.voice is not None and job.voice_design is not None:
        raise VoiceError(
            "a voice is either given or described",
            where="--voice and --voice-design",
            remedy="leave one of them out",
        )
    has_voice = job.voice is not None or job.voice_design is not None
    if given and not has_voice:
        raise VoiceError(
            f"{given[0]} says nothing without a voice",
            remedy="add --voice with a recording, or leave it out",
        )
    name = _REMOTE if job.backend == AUTO and job.server else job.backend
    if name == AUTO:
        if not has_voice:
            return _PREVIEW
        if Settings.from_environment().server_url:
            return _REMOTE
        return _ENGINE if _ENGINE in backend_names() and cuda_cards() else _OFFICIAL
    if name == _PREVIEW and has_voice:
        raise VoiceError(
            "the preview backend speaks with its own voice only",
            where=request.voice or "--voice-design",
            remedy="leave out --backend, or the voice",
        )
    if name in (*_WITH_CHECKPOINT, _REMOTE) and not has_voice:
        raise UsageError(
            f"the {name} backend needs a voice",
            where="--server" if name == _REMOTE and job.server else f"--backend {name}",
            remedy="add --voice with a recording, or --voice-design with a description",
        )
    return name


def _voice_options(job: Job) -> Mapping[str, object]:
    """What was said of a recording; of a model, where nobody was named who would need a voice."""
    given = {"--voice-text": job.voice_text, "--voice-text-file": job.voice_text_file}
    nobody = job.backend in (AUTO, _PREVIEW) and not job.server
    return given | ({"--model": job.model} if nobody else {})


def _options(
    job: Job, checkpoint: Checkpoint | None, server: ServerOptions | None = None
) -> SpeechOptions:
    """What the backend is asked for; a value that the job leaves open is the backend's default."""
    asked = {
        "seed": job.seed,
        "attention": job.attention,
        "batch_size": job.batch_size,
        "compile": job.compile,
        "frames_per_character": job.frames_per_character,
    }
    switches = {"kernels": job.kernels, "max_context": job.max_context}
    engine = EngineSwitches(
        weights=job.weights,
        graphs=job.cuda_graphs,
        **{name: value for name, value in switches.items() if value is not None},  # type: ignore[arg-type]
    )
    given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    return SpeechOptions(
        speed=job.speed,
        checkpoint=checkpoint,
        server=server,
        tf32=job.tf32,
        cudnn_benchmark=job.cudnn_benchmark,
        precision=job.precision,
        engine=engine,
        **given,
    )
