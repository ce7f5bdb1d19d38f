"""What a run would do, before it does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from narrate import text
from narrate.audio.encode import FORMATS
from narrate.audio.wav import wav_bytes
from narrate.config import Job
from narrate.core import Chunk, Take
from narrate.store import Store
from narrate.studio.casting import open_speech
from narrate.studio.covers import given_cover
from narrate.studio.editions import check_programs
from narrate.studio.identity import check_language, plan_options
from narrate.studio.plan import find_book, takes_of

__all__ = ["Survey", "survey"]

CHARACTERS_PER_SECOND = 15.0
"""How fast the preview voice speaks at speed 1, for estimates before anything was spoken."""
TAKE_BYTES_PER_S = 24_000
"""What a second of speech takes as FLAC, roughly."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a run would do; `cached` chunks need no speaking, `disk_bytes` counts what is there."""

    title: str
    language: str
    folder: Path
    chapters: int
    selected: int
    chunks: int
    cached: int
    audio_s: float
    disk_bytes: float


def survey(store: Store, job: Job) -> Survey:
    """Say what a run of this job would do, writing nothing."""
    opened = find_book(store, job)
    book, document = opened.book, opened.document
    given_cover(job)
    check_programs(job)
    backend, voice = open_speech(job, download=False)
    with closing(backend):
        if document is not None:
            plan = text.plan(document, plan_options(job))
            chunks, titles = list(plan.chunks), list(plan.chapter_titles)
            title, language = plan.title, plan.language
        else:
            chunks = [chunk for chunk, _ in store.chunks(book.id)]
            titles, title, language = store.chapter_titles(book.id), book.title, book.language
        check_language(backend, language)
        selected = job.selection.of(len(titles))
        chunks = [chunk for chunk in chunks if chunk.chapter in set(selected)]
        keys, _ = takes_of(store, book, chunks, language, backend, voice)
    takes = store.takes.get(keys)
    audio_s = _audio_s(chunks, keys, takes, job.speed)
    return Survey(
        title=title,
        language=language,
        folder=book.folder,
        chapters=len(titles),
        selected=len(selected),
        chunks=len(chunks),
        cached=sum(key in takes for key in keys),
        audio_s=audio_s,
        disk_bytes=_disk_bytes(job.formats, audio_s),
    )


def _audio_s(
    chunks: Sequence[Chunk], keys: Sequence[str], takes: Mapping[str, Take], speed: float
) -> float:
    known = {key: take.duration_s for key, take in takes.items()}
    return sum(
        chunk.pause_after_s + known.get(key, len(chunk.spoken) / CHARACTERS_PER_SECOND / speed)
        for chunk, key in zip(chunks, keys, strict=True)
    )


def _disk_bytes(forms: Sequence[str], audio_s: float) -> float:
    """Takes, chapters, and a file for each format; a read-along book carries another's sound."""
    files = {form: FORMATS[form].bytes_per_s * audio_s for form in forms if form in FORMATS}
    if "wav" in forms:
        files["wav"] = wav_bytes(audio_s)
    if "epub3" in forms:
        files["epub3"] = files.get("mp3", FORMATS["m4b"].bytes_per_s * audio_s)
    return audio_s * TAKE_BYTES_PER_S + wav_bytes(audio_s) + sum(files.values())
