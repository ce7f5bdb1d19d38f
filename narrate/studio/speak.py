"""Speak what the store lacks, and store it while the next is being spoken."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from narrate.audio.takes import encode_take
from narrate.config import Job
from narrate.core import Chunk, Spoken, Take, Utterance, seed_of
from narrate.errors import BackendError
from narrate.store import NewTake, Store
from narrate.studio.identity import open_speech
from narrate.studio.plan import require_book
from narrate.studio.stitch import finished_chapters

__all__ = ["Report", "Speaking", "speak"]

COMMIT_TAKES = 32
COMMIT_S = 0.5
QUEUE_TAKES = 32


@dataclass(frozen=True, slots=True)
class Speaking:
    """How far a run is: chunks in all, done and of those found in the store; seconds of audio."""

    book: str
    chunks: int
    done: int
    cached: int
    characters_left: int
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
    chunks = store.chunks(book_id, chapters)
    missing, notes = _missing(store, book_id, chunks)
    left = Counter(chunk.chapter for chunk, key in chunks if key in missing)
    tally = _Tally(book_id, chunks, missing, notes, report)
    yield from (chapter for chapter in chapters if not left[chapter])
    if not missing:
        return
    backend, voice = open_speech(job)
    utterances = (
        Utterance(key, chunk.spoken, book.language, seed_of(key)) for key, chunk in missing.items()
    )
    owners: dict[str, list[int]] = {}
    for chunk, key in chunks:
        owners.setdefault(key, []).append(chunk.chapter)
    with closing(backend), _Recorder(store) as recorder:
        for stored in recorder.record(backend.speak(utterances, voice)):
            for take in stored:
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
    store: Store, book_id: str, chunks: Sequence[tuple[Chunk, str]]
) -> tuple[dict[str, Chunk], tuple[str, ...]]:
    """Return what must be spoken, by key in reading order, and a note for each damaged take."""
    keys = dict.fromkeys(key for _, key in chunks)
    known = store.takes.get(keys)
    finished = finished_chapters(store, book_id)
    at_rest = {key for chunk, key in chunks if chunk.chapter in finished}
    damaged = store.takes.damaged(at_rest & known.keys(), thorough=False)
    damaged |= store.takes.damaged(known.keys() - at_rest, thorough=True)
    store.takes.drop(damaged)
    notes = tuple(
        f"take {key[:12]} {fault}: it is spoken again" for key, fault in sorted(damaged.items())
    )
    missing: dict[str, Chunk] = {}
    for chunk, key in chunks:
        if key not in known or key in damaged:
            missing.setdefault(key, chunk)
    return missing, notes


class _Tally:
    """Counts what is done and says so."""

    def __init__(
        self,
        book_id: str,
        chunks: Sequence[tuple[Chunk, str]],
        missing: dict[str, Chunk],
        notes: tuple[str, ...],
        report: Report,
    ) -> None:
        self.book_id, self.missing, self.notes, self.report = book_id, missing, notes, report
        self.uses = Counter(key for _, key in chunks)
        self.chunks = len(chunks)
        self.cached = self.done = sum(n for key, n in self.uses.items() if key not in missing)
        self.characters = self.characters_left = sum(len(c.spoken) for c in missing.values())
        self.audio_s = 0.0
        self.started = time.monotonic()
        self._say()

    def add(self, take: Take) -> None:
        self.done += self.uses[take.take_key]
        self.characters_left -= len(self.missing[take.take_key].spoken)
        self.audio_s += take.duration_s
        self._say()

    def _say(self) -> None:
        wall_s = time.monotonic() - self.started
        spoken = self.characters - self.characters_left
        eta_s = self.characters_left * wall_s / spoken if spoken else None
        self.report(
            Speaking(
                self.book_id,
                self.chunks,
                self.done,
                self.cached,
                self.characters_left,
                self.audio_s,
                wall_s,
                eta_s,
                self.notes,
            )
        )


class _Recorder:
    """Encodes and stores takes in a thread of its own, many in one transaction.

    The thread that speaks never waits for the disk, and what was spoken when it is stopped is
    still stored: `__exit__` waits for the queue to drain.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.waiting: queue.Queue[Spoken | None] = queue.Queue(QUEUE_TAKES)
        self.stored: queue.SimpleQueue[list[Take]] = queue.SimpleQueue()
        self.failure: Exception | None = None
        self.thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def __enter__(self) -> _Recorder:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._finish()

    def record(self, spoken: Iterator[Spoken]) -> Iterator[list[Take]]:
        """Store what is spoken; yields takes as they become safe, and the last at the end."""
        for one in spoken:
            self._put(one)
            yield from self._safe()
        self._finish()
        yield from self._safe()

    def _safe(self) -> Iterator[list[Take]]:
        if self.failure:
            raise self.failure
        while not self.stored.empty():
            yield self.stored.get()

    def _put(self, one: Spoken | None) -> None:
        while self.thread.is_alive():
            try:
                return self.waiting.put(one, timeout=0.1)
            except queue.Full:
                continue

    def _finish(self) -> None:
        self._put(None)
        self.thread.join()

    def _run(self) -> None:
        try:
            going = True
            while going:
                going = self._store_some()
        except Exception as error:  # noqa: BLE001 - handed to the thread that speaks
            self.failure = error

    def _store_some(self) -> bool:
        """Store one group: what comes within half a second, at most 32; False at the end."""
        takes: list[NewTake] = []
        until = time.monotonic() + COMMIT_S
        last = False
        while not last and len(takes) < COMMIT_TAKES:
            try:
                one = self.waiting.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if one is None:
                last = True
            else:
                takes.append(_encoded(one))
        if takes:
            self.stored.put(self.store.takes.add(takes))
        return not last


def _encoded(spoken: Spoken) -> NewTake:
    utterance = spoken.utterance
    return NewTake(
        utterance.take_key,
        encode_take(spoken.samples, spoken.rate_hz),
        len(spoken.samples),
        spoken.rate_hz,
        utterance.seed,
        utterance.attempt,
        spoken.checks,
    )
