"""The timeline of a book's finished chapters: what the plan says, where the stitcher put it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from narrate import text
from narrate.audio.whole import write_whole
from narrate.store import Book, Output, Store
from narrate.sync.timeline import TimedChapter, TimedChunk, as_values, shared_out

__all__ = ["TIMELINE", "timeline", "write_timeline"]

TIMELINE = "timeline.json"


def timeline(store: Store, book: Book, chapters: Mapping[int, Output]) -> Iterator[TimedChapter]:
    """Yield the finished chapters in order, one in memory at a time."""
    titles = store.chapter_titles(book.id)
    for number, output in sorted(chapters.items()):
        chunks = [chunk for chunk, _ in store.chunks(book.id, [number])]
        yield TimedChapter(
            number,
            titles[number - 1],
            output.samples,
            output.rate_hz,
            tuple(
                TimedChunk(
                    chunk.position,
                    start,
                    end,
                    chunk.text,
                    tuple(shared_out(start, end, _sentences(chunk.text, book.language))),
                )
                for chunk, (start, end) in zip(chunks, output.marks, strict=True)
            ),
        )


def write_timeline(store: Store, book: Book, chapters: Mapping[int, Output]) -> Path:
    """Write `timeline.json` into the book's folder."""
    values = as_values(timeline(store, book, chapters))
    path = book.folder / TIMELINE
    write_whole(path, (json.dumps(values, ensure_ascii=False) + "\n").encode("utf-8"))
    return path


def _sentences(words: str, language: str) -> list[str]:
    return [words[start:end] for start, end in text.sentences(words, language)]
