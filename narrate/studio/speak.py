"""Speak what the store lacks, and store it while the next is being spoken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

from narrate.config import Job
from narrate.core import Utterance, seed_of
from narrate.errors import BackendError
from narrate.store import Book, Line, Store
from narrate.studio.attempts import Attempts
from narrate.studio.casting import open_speech, prepare_voice
from narrate.studio.judge import Judge
from narrate.studio.plan import require_book
from narrate.studio.progress import Report, Tally
from narrate.studio.recorder import Recorder
from narrate.studio.stitch import finished_chapters

__all__ = ["speak"]


def speak(store: Store, book_id: str, report: Report) -> Iterator[int]:
    """Speak the missing takes of a book; yields each chapter once all its takes are stored.

    Chapters that need nothing come first. A take with a fault is spoken again with the next
    attempt's seed; when none is good, the best is kept and stays marked. Calling it again asks
    the store what is left, so it can be stopped and retried at any chunk.
    """
    book = require_book(store, book_id)
    job = Job(**(book.job or {}))
    chapters = job.selection.of(len(store.chapter_titles(book_id)))
    lines = store.outline(book_id, chapters)
    notes = _drop_damaged(store, book_id, lines)
    if not _missing(store, lines) and not _faulty(store, lines, job.attempts):
        Tally(book_id, lines, {}, notes, report)
        yield from chapters
        return
    notes += prepare_voice(job)
    backend, voice = open_speech(job)
    with closing(backend):
        most = job.attempts if backend.varies else 1
        attempts = Attempts(store, book, backend, voice, most)
        judge = Judge(store, book)
        judge.begin(lines)
        attempts.next_for(lines)
        lines = store.outline(book_id, chapters)
        tally = Tally(book_id, lines, _missing(store, lines), notes, report)
        waiting = set(chapters)
        while waiting:
            for chapter in _round(store, attempts, judge, sorted(waiting), tally):
                waiting.remove(chapter)
                yield chapter
            attempts.next_for(store.outline(book_id, sorted(waiting)))


def _round(
    store: Store, attempts: Attempts, judge: Judge, chapters: Sequence[int], tally: Tally
) -> Iterator[int]:
    """Speak every missing take once; a chapter with a bad take waits for the next round.

    A chapter that lacks nothing may turn out to have one, too, as long as nothing is compared yet.
    """
    book = attempts.book
    lines = store.outline(book.id, chapters)
    missing = _missing(store, lines)
    owners = _owners(lines, missing)
    left = Counter(line.chapter for owned in owners.values() for line in owned)
    complete = [chapter for chapter in chapters if not left[chapter]]
    early = judge.decided
    yield from complete if early else ()
    utterances = _utterances(store, book, missing, owners, sorted(left))
    seen = 0
    with Recorder(store) as recorder:
        spoken = recorder.record(attempts.backend.speak(utterances, attempts.voice))
        for take in judge.heard(tally.counted(spoken, owners)):
            seen += 1
            owned = owners[take.take_key]
            if take.fault and owned[0].attempt < attempts.most - 1:
                tally.again(take, owned)
                continue
            for line in owned:
                if take.fault:
                    attempts.settle(line)
                left[line.chapter] -= 1
                if not left[line.chapter]:
                    yield line.chapter
    yield from () if early else _sound(store, book, complete, attempts.most)
    if seen < len(missing):
        raise BackendError(
            f"the {attempts.backend.name} backend left {len(missing) - seen} chunks unspoken",
            where=book.id,
            remedy="run the same command again; what was spoken is kept",
        )


def _drop_damaged(store: Store, book_id: str, lines: Sequence[Line]) -> tuple[str, ...]:
    """Forget the takes whose files are not what was stored; returns a note for each."""
    known = store.takes.sha256s(line.take_key for line in lines).keys()
    finished = finished_chapters(store, book_id)
    at_rest = {line.take_key for line in lines if line.chapter in finished}
    damaged = store.takes.damaged(at_rest & known, thorough=False)
    damaged |= store.takes.damaged(known - at_rest, thorough=True)
    store.takes.drop(damaged)
    return tuple(
        f"take {key[:12]} {fault}: it is spoken again" for key, fault in sorted(damaged.items())
    )


def _missing(store: Store, lines: Sequence[Line]) -> dict[str, int]:
    """Return what must be spoken: key to characters, in reading order."""
    known = store.takes.sha256s(line.take_key for line in lines)
    return {line.take_key: line.characters for line in lines if line.take_key not in known}


def _faulty(store: Store, lines: Sequence[Line], most: int) -> bool:
    """Return whether a bad take may have another attempt."""
    young = [line.take_key for line in lines if line.attempt < most - 1]
    return bool(store.takes.faults(young))


def _sound(store: Store, book: Book, chapters: Sequence[int], most: int) -> list[int]:
    """Return the chapters in which no bad take may have another attempt."""
    return [one for one in chapters if not _faulty(store, store.outline(book.id, [one]), most)]


def _owners(lines: Sequence[Line], missing: Mapping[str, int]) -> dict[str, list[Line]]:
    """Return the lines that each missing take serves."""
    owners: dict[str, list[Line]] = {key: [] for key in missing}
    for line in lines:
        if line.take_key in missing:
            owners[line.take_key].append(line)
    return owners


def _utterances(
    store: Store,
    book: Book,
    missing: Mapping[str, int],
    owners: Mapping[str, Sequence[Line]],
    chapters: Sequence[int],
) -> Iterator[Utterance]:
    """Yield what is to be spoken in reading order, a chapter's words in memory at a time."""
    asked: set[str] = set()
    for chapter in chapters:
        for chunk, key in store.chunks(book.id, [chapter]):
            if key in missing and key not in asked:
                asked.add(key)
                attempt = owners[key][0].attempt
                yield Utterance(key, chunk.spoken, book.language, seed_of(key), attempt=attempt)
