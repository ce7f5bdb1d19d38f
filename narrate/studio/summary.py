"""What a run did, by the store: chapter by chapter, without a word of the book."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from narrate.store import Known, Store
from narrate.studio.plan import require_book
from narrate.studio.stitch import CHAPTER

__all__ = ["ChapterSummary", "Summary", "summary"]

COURSE_POINTS = 100
LEAST_SPAN_S = 1.0


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
    """A run: its book, its chapters, and the seconds of audio spoken in the seconds it took.

    `course` is how that grew: at so many seconds of the run, so many seconds of audio were there.
    """

    book_id: str
    title: str
    chapters: tuple[ChapterSummary, ...]
    spoken_s: float
    wall_s: float
    course: tuple[tuple[float, float], ...]


def summary(store: Store, book_id: str, since: float) -> Summary:
    """Tell what was done for a book since a time, in seconds since 1970.

    A chapter's speed is the audio of its takes by the time between the first and the last of them,
    and 0 where that is too short to say anything.
    """
    now = time.time()
    outputs = store.outputs(book_id)
    chapters: list[ChapterSummary] = []
    stored: dict[str, Known] = {}
    for number, title in enumerate(store.chapter_titles(book_id), 1):
        lines = store.outline(book_id, [number])
        known = store.takes.known(line.take_key for line in lines)
        new = {key: take for key, take in known.items() if take.created_at >= since}
        stored |= new
        seconds = sum(take.duration_s for take in new.values())
        times = [take.created_at for take in new.values()] or [0.0]
        span_s = max(times) - min(times)
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
                seconds / span_s if span_s > LEAST_SPAN_S else 0.0,
            )
        )
    title = require_book(store, book_id).title
    course = _course(stored.values(), since)
    spoken_s = course[-1][1] if course else 0.0
    return Summary(book_id, title, tuple(chapters), spoken_s, max(now - since, 1e-3), course)


def _course(takes: Iterable[Known], since: float) -> tuple[tuple[float, float], ...]:
    """Add takes up in the order in which they were stored; returns some hundred points."""
    points, audio_s = [], 0.0
    for take in sorted(takes, key=lambda take: take.created_at):
        audio_s += take.duration_s
        points.append((take.created_at - since, audio_s))
    step = max(1, len(points) // COURSE_POINTS)
    return (*points[:-1:step], *points[-1:])
