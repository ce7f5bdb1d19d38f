"""What makes a plan, a take and a result the same one: digests over all that goes in."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from narrate import text
from narrate.audio.mastering import MASTERS
from narrate.audio.stitch import STITCH_VERSION
from narrate.config import Job, Settings
from narrate.core import Voice, canonical_digest, take_key
from narrate.errors import BackendError
from narrate.speech.backend import Backend

__all__ = [
    "chapter_inputs",
    "check_language",
    "keys_of",
    "plan_digest",
    "speech_digest",
]


def check_language(backend: Backend, language: str) -> None:
    """Refuse a language that the backend does not speak, before anything is spoken."""
    known = backend.languages()
    if language.split("-")[0].lower() not in {tag.split("-")[0].lower() for tag in known}:
        raise BackendError(
            f"the {backend.name} backend does not speak {language!r}",
            where="--language",
            remedy=f"it speaks {', '.join(known)}",
        )


def plan_digest(source_sha256: str, job: Job) -> str:
    """Identity of a plan: the file, the planning code and its options."""
    return canonical_digest(
        {
            "source": source_sha256,
            "version": text.PLAN_VERSION,
            "options": dataclasses.asdict(plan_options(job)),
        }
    )


def plan_options(job: Job) -> text.PlanOptions:
    """Return the part of a job that planning needs, the reader's own words read from their file."""
    return text.PlanOptions(
        max_chars=job.max_chars,
        language=job.language,
        include=text.included(job.include),
        lexicon=text.own_words(job.lexicon, Settings.from_environment().lexicon),
        as_written=job.read_as_written,
        code=job.code,
    )


def speech_digest(backend: Backend, voice: Voice) -> str:
    """Identity of a way of speaking: voice, backend and sampling."""
    return canonical_digest(
        {"voice": voice.digest, "backend": backend.digest, "sampling": dict(backend.sampling)}
    )


def keys_of(
    spoken: Sequence[str],
    attempts: Sequence[int],
    language: str,
    backend: Backend,
    voice: Voice,
) -> list[str]:
    """Return the take key of each text at its attempt."""
    digest, sampling = backend.digest, backend.sampling
    return [
        take_key(words, language, voice.digest, digest, sampling, attempt)
        for words, attempt in zip(spoken, attempts, strict=True)
    ]


def chapter_inputs(parts: Iterable[tuple[str, float]], master: str) -> str:
    """Identity of a chapter's WAV: each take's SHA-256 and pause, its levels, and our own code."""
    target = MASTERS[master]
    return canonical_digest(
        {
            "version": STITCH_VERSION,
            "master": None if target is None else dataclasses.asdict(target),
            "parts": [[sha256, pause_s] for sha256, pause_s in parts],
        }
    )
