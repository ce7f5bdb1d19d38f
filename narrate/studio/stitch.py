"""One chapter's takes and pauses to one WAV, unless the WAV that is there came from the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from slugify import slugify

from narrate.apart import apart
from narrate.audio.mastering import MASTERS
from narrate.audio.prepared import Part
from narrate.audio.stitch import master_chapter
from narrate.audio.takes import DamagedTakeError
from narrate.config import Job
from narrate.errors import StorageError
from narrate.store import Book, Output, Store
from narrate.studio.identity import chapter_inputs
from narrate.studio.plan import require_book

__all__ = ["CHAPTER", "finished_chapters", "stitch"]

CHAPTER = "chapter"
SLUG_CHARACTERS = 48
_SHORT_S = 60.0  # of takes


def stitch(
    store: Store, book_id: str, chapter: int, stop: Callable[[], bool] | None = None
) -> Output:
    """Write a chapter's WAV from its stored takes; returns at once when it is there already.

    A take that turns out to be damaged is forgotten and named in a StorageError, so that the next
    run speaks it again. `stop` ends the work early, leaving nothing behind.
    """
    book = require_book(store, book_id)
    path = _path(book, store.chapter_titles(book_id), chapter)
    parts, length_s = _parts(store, book, chapter)
    master = master_of(book)
    inputs = chapter_inputs(((str(part.sha256), part.pause_after_s) for part in parts), master)
    known = store.outputs(book_id).get((CHAPTER, chapter))
    if known and known.inputs == inputs and known.path == path:
        return known
    try:
        given = (parts, path, MASTERS[master], int(inputs[:8], 16))
        made = apart(master_chapter, *given, stop=stop or _never, short=length_s < _SHORT_S)
    except DamagedTakeError as error:
        key = error.path.stem.partition("-")[0]
        store.takes.drop(store.takes.damaged([key], thorough=True))  # not what has come anew
        raise StorageError(
            f"take {key[:12]} was damaged and has been dropped",
            where=str(error.path),
            remedy=f"`narrate {book.source_path}` speaks it anew; all else is kept",
        ) from error
    old = store.drop_output(book_id, CHAPTER, chapter)
    if old and old != path:
        old.unlink(missing_ok=True)
    marks = tuple(zip(made.starts, made.ends, strict=True))
    facts = asdict(made.mastered)
    output = Output(CHAPTER, chapter, path, inputs, made.samples, made.rate_hz, marks, facts)
    store.put_output(book_id, output)
    return output


def finished_chapters(store: Store, book_id: str, master: str | None = None) -> dict[int, Output]:
    """Return the chapters whose WAV is on the disk and was made from what is planned now.

    `master` names other levels than those that the book was last asked for with.
    """
    made = store.outputs(book_id)
    book, titles = require_book(store, book_id), store.chapter_titles(book_id)
    master = master or master_of(book)
    there = {
        number: output
        for number in range(1, len(titles) + 1)
        if (output := made.get((CHAPTER, number))) and output.path == _path(book, titles, number)
    }
    lines = store.outline(book_id, there)
    sha256s = store.takes.sha256s(line.take_key for line in lines)
    finished = {}
    for number, own in groupby(lines, key=attrgetter("chapter")):
        known = ((sha256s.get(line.take_key, ""), line.pause_after_s) for line in own)
        if there[number].inputs == chapter_inputs(known, master):
            finished[number] = there[number]
    return finished


def master_of(book: Book) -> str:
    """Name the levels that a book's chapters are brought to."""
    return Job(**(book.job or {"document": ""})).master


def _never() -> bool:
    """With it, who is left alone ends at its next question and removes what it began."""
    return False


def _parts(store: Store, book: Book, chapter: int) -> tuple[list[Part], float]:
    """A chapter's parts, and the seconds of all their takes."""
    lines = store.outline(book.id, [chapter])
    takes = store.takes.get(line.take_key for line in lines)
    missing = [line.position for line in lines if line.take_key not in takes]
    if missing:
        raise StorageError(
            f"chapter {chapter} cannot be stitched: chunk {missing[0]} has no recording",
            where=book.id,
            remedy=f"`narrate {book.source_path}` speaks it",
        )
    length_s = sum(takes[line.take_key].duration_s for line in lines)
    return [
        Part(takes[line.take_key].audio_path, line.pause_after_s, takes[line.take_key].sha256)
        for line in lines
    ], length_s


def _path(book: Book, titles: Sequence[str], chapter: int) -> Path:
    digits = max(2, len(str(len(titles))))
    name = slugify(titles[chapter - 1], allow_unicode=True, max_length=SLUG_CHARACTERS)
    stem = f"{chapter:0{digits}}-{name}" if name else f"{chapter:0{digits}}"
    return book.folder / "chapters" / f"{stem}.wav"
