"""What a run did, by the store: chapter by chapter, without a word of the book."""

from __future__ import annotations

import time
from dataclasses import dataclass

from narrate.store import Store
from narrate.studio.plan import require_book
from narrate.studio.stitch import CHAPTER

__all__ = ["ChapterSummary", "Summary", "summary"]


@dataclass(frozen=True, slots=True)
class ChapterSummary:
    """A chapter: how long it is, what of it was spoken now, and how fast; flagged by position."""

    number: int
    title: str
    audio_s: float
    chunks: int
    spoken: int
    retried: int
    flagged: tuple[tuple[int, str], ...]
    speed: float


@dataclass(frozen=True, slots=True)
class Summary:
    """A run: its book, its chapters, and the seconds of audio spoken in the seconds it took."""

    book_id: str
    title: str
    chapters: tuple[ChapterSummary, ...]
    spoken_s: float
    wall_s: float


def summary(store: Store, book_id: str, since: float) -> Summary:
    """Tell what was done for a book since a time, in seconds since 1970.

    A chapter's speed is the audio of its takes by the time between the first and the last of them.
    """
    now = time.time()
    outputs = store.outputs(book_id)
    chapters, spoken_s = [], 0.0
    for number, title in enumerate(store.chapter_titles(book_id), 1):
        lines = store.outline(book_id, [number])
        known = store.takes.known(line.take_key for line in lines)
        new = [take for take in known.values() if take.created_at >= since]
        seconds = sum(take.duration_s for take in new)
        spoken_s += seconds
        span_s = max((take.created_at for take in new), default=0.0) - min(
            (take.created_at for take in new), default=0.0
        )
        made = outputs.get((CHAPTER, number))
        chapters.append(
            ChapterSummary(
                number,
                title,
                made.duration_s if made else 0.0,
                len(lines),
                len(new),
                sum(line.attempt > 0 for line in lines),
                tuple(
                    (line.position, fault)
                    for line in lines
                    if (take := known.get(line.take_key)) and (fault := take.fault)
                ),
                seconds / span_s if span_s else 0.0,
            )
        )
    title = require_book(store, book_id).title
    return Summary(book_id, title, tuple(chapters), spoken_s, max(now - since, 1e-3))
