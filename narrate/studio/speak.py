"""Speak what the store lacks, and store it while the next is being spoken."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from narrate.config import Job
from narrate.core import Take, Utterance, seed_of
from narrate.errors import BackendError
from narrate.store import Line, Store
from narrate.studio.casting import open_speech, prepare_voice
from narrate.studio.plan import require_book
from narrate.studio.recorder import Recorder
from narrate.studio.stitch import finished_chapters

__all__ = ["Report", "Speaking", "speak"]


@dataclass(frozen=True, slots=True)
class Speaking:
    """How far a run is: chunks in all, done and of those found in the store; seconds of audio."""

    book: str
    chunks: int
    done: int
    cached: int
    audio_s: float
    wall_s: float
    eta_s: float | None
    notes: tuple[str, ...] = ()

    @property
    def speed(self) -> float:
        """Seconds of audio spoken in one second of this run."""
        return self.audio_s / self.wall_s if self.wall_s else 0.0


Report = Callable[[Speaking], None]


def speak(store: Store, book_id: str, report: Report) -> Iterator[int]:
    """Speak the missing takes of a book; yields each chapter once all its takes are stored.

    Chapters that need nothing come first. Calling it again asks the store what is left, so it
    can be stopped and retried at any chunk.
    """
    book = require_book(store, book_id)
    job = Job(**(book.job or {}))
    chapters = job.selection.of(len(store.chapter_titles(book_id)))
    lines = store.outline(book_id, chapters)
    missing, notes = _missing(store, book_id, lines)
    if missing:
        notes += prepare_voice(job)
    owners: dict[str, list[int]] = {key: [] for key in missing}
    for line in lines:
        if line.take_key in missing:
            owners[line.take_key].append(line.chapter)
    left = Counter(chapter for owned in owners.values() for chapter in owned)
    tally = _Tally(book_id, lines, missing, notes, report)
    yield from (chapter for chapter in chapters if not left[chapter])
    if not missing:
        return
    backend, voice = open_speech(job)
    utterances = _utterances(store, book_id, book.language, missing, sorted(left))
    with closing(backend), Recorder(store) as recorder:
        for take in recorder.record(backend.speak(utterances, voice)):
            tally.add(take)
            for chapter in owners[take.take_key]:
                left[chapter] -= 1
                if not left[chapter]:
                    yield chapter
    if tally.done < tally.chunks:
        raise BackendError(
            f"the {backend.name} backend left {tally.chunks - tally.done} chunks unspoken",
            where=book_id,
            remedy="run the same command again; what was spoken is kept",
        )


def _missing(
    store: Store, book_id: str, lines: Sequence[Line]
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return what must be spoken, key to characters in reading order, and a note a damaged take."""
    known = store.takes.sha256s(line.take_key for line in lines).keys()
    finished = finished_chapters(store, book_id)
    at_rest = {line.take_key for line in lines if line.chapter in finished}
    damaged = store.takes.damaged(at_rest & known, thorough=False)
    damaged |= store.takes.damaged(known - at_rest, thorough=True)
    store.takes.drop(damaged)
    notes = tuple(
        f"take {key[:12]} {fault}: it is spoken again" for key, fault in sorted(damaged.items())
    )
    missing = {
        line.take_key: line.characters
        for line in lines
        if line.take_key not in known or line.take_key in damaged
    }
    return missing, notes


def _utterances(
    store: Store,
    book_id: str,
    language: str,
    missing: Mapping[str, int],
    chapters: Sequence[int],
) -> Iterator[Utterance]:
    """Yield what is to be spoken in reading order, a chapter's words in memory at a time."""
    asked: set[str] = set()
    for chapter in chapters:
        for chunk, key in store.chunks(book_id, [chapter]):
            if key in missing and key not in asked:
                asked.add(key)
                yield Utterance(key, chunk.spoken, language, seed_of(key))


class _Tally:
    """Counts what is done and says so."""

    def __init__(
        self,
        book_id: str,
        lines: Sequence[Line],
        missing: Mapping[str, int],
        notes: tuple[str, ...],
        report: Report,
    ) -> None:
        self.book_id, self.missing, self.notes, self.report = book_id, missing, notes, report
        self.uses = Counter(line.take_key for line in lines)
        self.chunks = len(lines)
        self.cached = self.done = sum(n for key, n in self.uses.items() if key not in missing)
        self.characters = self.characters_left = sum(missing.values())
        self.audio_s = 0.0
        self.started = time.monotonic()
        self._say()

    def add(self, take: Take) -> None:
        self.done += self.uses[take.take_key]
        self.characters_left -= self.missing[take.take_key]
        self.audio_s += take.duration_s
        self._say()

    def _say(self) -> None:
        wall_s = time.monotonic() - self.started
        spoken = self.characters - self.characters_left
        self.report(
            Speaking(
                self.book_id,
                self.chunks,
                self.done,
                self.cached,
                self.audio_s,
                wall_s,
                self.characters_left * wall_s / spoken if spoken else None,
                self.notes,
            )
        )
