"""One chapter's takes and pauses to one WAV, unless the WAV that is there came from the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from slugify import slugify

from narrate.audio.stitch import Part, stitch_chapter
from narrate.audio.takes import DamagedTakeError
from narrate.core import Chunk, Take
from narrate.errors import StorageError
from narrate.store import Book, Output, Store
from narrate.studio.identity import chapter_inputs
from narrate.studio.plan import require_book

__all__ = ["CHAPTER", "finished_chapters", "stitch"]

CHAPTER = "chapter"
SLUG_CHARACTERS = 48


def stitch(
    store: Store, book_id: str, chapter: int, stop: Callable[[], bool] | None = None
) -> Output:
    """Write a chapter's WAV from its stored takes; returns at once when it is there already.

    A take that turns out to be damaged is forgotten and named in a StorageError, so that the next
    run speaks it again. `stop` ends the work early, leaving nothing behind.
    """
    book = require_book(store, book_id)
    chunks = [chunk for chunk, _ in store.chunks(book_id, [chapter])]
    takes = _takes(store, book_id, chapter)
    if takes is None:
        raise StorageError(
            f"chapter {chapter} cannot be stitched: some of its takes are missing",
            where=book_id,
            remedy="run the same command again to speak them",
        )
    inputs = chapter_inputs(takes, [chunk.pause_after_s for chunk in chunks])
    path = _path(store, book, chapter)
    known = store.outputs(book_id).get((CHAPTER, chapter))
    if known and known.inputs == inputs and known.path == path:
        return known
    try:
        made = stitch_chapter(_parts(chunks, takes), path, seed=int(inputs[:8], 16), stop=stop)
    except DamagedTakeError as error:
        key = Path(error.where).stem
        store.takes.drop([key])
        raise StorageError(
            f"take {key[:12]} was damaged and has been dropped",
            where=error.where,
            remedy="run the same command again: it is spoken anew, all else is kept",
        ) from error
    old = store.drop_output(book_id, CHAPTER, chapter)
    if old and old != path:
        old.unlink(missing_ok=True)
    output = Output(CHAPTER, chapter, path, inputs, made.samples, made.rate_hz)
    store.put_output(book_id, output)
    return output


def finished_chapters(store: Store, book_id: str) -> dict[int, Output]:
    """Return the chapters whose WAV is on the disk and was made from what is planned now."""
    made = {
        number: out for (kind, number), out in store.outputs(book_id).items() if kind == CHAPTER
    }
    chunks: dict[int, list[tuple[Chunk, str]]] = {}
    for chunk, key in store.chunks(book_id, made):
        chunks.setdefault(chunk.chapter, []).append((chunk, key))
    takes = store.takes.get(key for pairs in chunks.values() for _, key in pairs)
    book = require_book(store, book_id)
    finished = {}
    for number, pairs in chunks.items():
        if all(key in takes for _, key in pairs):
            inputs = chapter_inputs(
                [takes[key] for _, key in pairs], [chunk.pause_after_s for chunk, _ in pairs]
            )
            if made[number].inputs == inputs and made[number].path == _path(store, book, number):
                finished[number] = made[number]
    return finished


def _takes(store: Store, book_id: str, chapter: int) -> list[Take] | None:
    keys = [key for _, key in store.chunks(book_id, [chapter])]
    takes = store.takes.get(keys)
    return [takes[key] for key in keys] if takes.keys() >= set(keys) else None


def _parts(chunks: Sequence[Chunk], takes: Sequence[Take]) -> list[Part]:
    return [
        Part(take.audio_path, chunk.pause_after_s, take.sha256)
        for chunk, take in zip(chunks, takes, strict=True)
    ]


def _path(store: Store, book: Book, chapter: int) -> Path:
    titles = store.chapter_titles(book.id)
    digits = max(2, len(str(len(titles))))
    name = slugify(titles[chapter - 1], allow_unicode=True, max_length=SLUG_CHARACTERS)
    stem = f"{chapter:0{digits}}-{name}" if name else f"{chapter:0{digits}}"
    return book.folder / "chapters" / f"{stem}.wav"
