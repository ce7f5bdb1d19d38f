"""What did not come out well: every chunk that was flagged, with its text, reason and attempts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict

from narrate.audio.checks import MEANINGS
from narrate.audio.whole import write_whole
from narrate.config import Job
from narrate.core import Chunk, Take
from narrate.errors import NarrateError
from narrate.store import Book, Line, Output, Store
from narrate.studio.casting import open_speech
from narrate.studio.identity import keys_of
from narrate.studio.report_page import Attempt, Flagged, page
from narrate.studio.timeline import timeline

__all__ = ["REPORT", "REPORT_PAGE", "flagged", "write_report"]

REPORT, REPORT_PAGE = "report.json", "report.html"


def flagged(store: Store, book: Book, chapters: Mapping[int, Output]) -> list[Flagged]:
    """Return the flagged chunks of the finished chapters, in order."""
    lines = store.outline(book.id, sorted(chapters))
    faults = store.takes.faults(line.take_key for line in lines)
    told = {line.position: line for line in lines if line.take_key in faults or line.attempt}
    if not told:
        return []
    numbers = {line.chapter for line in told.values()}
    chunks = {
        chunk.position: chunk
        for chunk, _ in store.chunks(book.id, sorted(numbers))
        if chunk.position in told
    }
    starts = {
        chunk.position: (part.title, chunk.start / part.rate_hz)
        for part in timeline(store, book, {one: chapters[one] for one in sorted(numbers)})
        for chunk in part.chunks
        if chunk.position in told
    }
    takes = _takes(store, book, list(told.values()), chunks)
    return [
        _flagged(line, chunks[position], takes[position], *starts[position])
        for position, line in sorted(told.items())
    ]


def write_report(store: Store, book: Book, chapters: Mapping[int, Output]) -> list[Flagged]:
    """Write `report.json` and `report.html` into the book's folder; returns what they tell."""
    found = flagged(store, book, chapters)
    total = len(store.outline(book.id, sorted(chapters)))
    values = {
        "book": book.id,
        "title": book.metadata.title,
        "chunks": total,
        "still_bad": sum(bool(one.fault) for one in found),
        "flagged": [
            {name: value for name, value in asdict(one).items() if name != "audio_path"}
            for one in found
        ],
    }
    content = json.dumps(values, indent=1, ensure_ascii=False) + "\n"
    write_whole(book.folder / REPORT, content.encode("utf-8"))
    shown = page(book.metadata.title or book.id, book.id, book.language, total, found)
    write_whole(book.folder / REPORT_PAGE, shown.encode("utf-8"))
    return found


def _takes(
    store: Store, book: Book, lines: Sequence[Line], chunks: Mapping[int, Chunk]
) -> dict[int, list[tuple[Take, bool]]]:
    """Return the recordings of each line's chunk that are still there, the kept one marked."""
    keys = _keys(book, lines, chunks)
    known = store.takes.get(key for line in lines for key in (line.take_key, *keys[line.position]))
    return {
        line.position: [
            (known[key], key == line.take_key)
            for key in dict.fromkeys([*keys[line.position], line.take_key])
            if key in known
        ]
        for line in lines
    }


def _keys(book: Book, lines: Sequence[Line], chunks: Mapping[int, Chunk]) -> dict[int, list[str]]:
    """Return the keys of all attempts; none where the voice is gone that they were made with."""
    try:
        backend, voice = open_speech(Job(**(book.job or {})), download=False)
    except NarrateError:
        return {line.position: [] for line in lines}
    with closing(backend):
        return {
            line.position: keys_of(
                [chunks[line.position].spoken] * (line.attempt + 1),
                range(line.attempt + 1),
                book.language,
                backend,
                voice,
            )
            for line in lines
        }


def _flagged(
    line: Line, chunk: Chunk, takes: Sequence[tuple[Take, bool]], title: str, start_s: float
) -> Flagged:
    kept = next(take for take, is_kept in takes if is_kept)
    return Flagged(
        line.position,
        line.chapter,
        title,
        chunk.text,
        chunk.spoken,
        kept.fault or "",
        round(start_s, 3),
        tuple(
            Attempt(
                take.attempt,
                take.fault or "",
                MEANINGS.get(take.fault or "", ""),
                round(take.duration_s, 3),
                is_kept,
            )
            for take, is_kept in takes
        ),
        kept.audio_path,
    )
