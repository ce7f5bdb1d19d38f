"""When each chunk and each sentence is heard, in samples of its chapter.

A chunk's times are the stitcher's own counts, exact to the sample. A sentence's, where a chunk has
several, are interpolated: a chunk's time is shared out by the characters that are no white space.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

__all__ = ["Heard", "TimedChapter", "TimedChunk", "as_values", "shared_out"]

EXACT = "chunks: the stitcher's own counts, in samples of the chapter's WAV"
INTERPOLATED = "sentences: a chunk's time shared out by the characters that are no white space"


@dataclass(frozen=True, slots=True)
class Heard:
    """Words and when they are heard: samples `[start, end)` of the chapter."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class TimedChunk:
    """A chunk by its position in the book, as written, with its sentences."""

    position: int
    start: int
    end: int
    text: str
    sentences: tuple[Heard, ...]


@dataclass(frozen=True, slots=True)
class TimedChapter:
    """A chapter of `samples` samples and the chunks in it, in order, none over another."""

    number: int
    title: str
    samples: int
    rate_hz: int
    chunks: tuple[TimedChunk, ...]

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.samples / self.rate_hz


def shared_out(start: int, end: int, texts: Sequence[str]) -> list[Heard]:
    """The texts one after the other from `start` to `end`, each as long as its characters."""
    weights = [max(1, sum(not char.isspace() for char in text)) for text in texts]
    total = sum(weights)
    places = [start + (end - start) * done // total for done in accumulate(weights, initial=0)]
    return [Heard(*span) for span in zip(places, places[1:], texts, strict=False)]


def as_values(chapters: Iterable[TimedChapter]) -> dict[str, Any]:
    """The timeline as JSON has it: `start_s` of a chapter counts from the first one here."""
    told: list[dict[str, Any]] = []
    before_s = 0.0
    for chapter in chapters:
        told.append(
            {
                "number": chapter.number,
                "title": chapter.title,
                "start_s": round(before_s, 6),
                "samples": chapter.samples,
                "rate_hz": chapter.rate_hz,
                "chunks": [_chunk(chunk) for chunk in chapter.chunks],
            }
        )
        before_s += chapter.duration_s
    return {"exact": EXACT, "interpolated": INTERPOLATED, "chapters": told}


def _chunk(chunk: TimedChunk) -> dict[str, Any]:
    return {
        "position": chunk.position,
        "start": chunk.start,
        "end": chunk.end,
        "text": chunk.text,
        "sentences": [[one.start, one.end, one.text] for one in chunk.sentences],
    }
