"""The proof that nothing is lost: every character is spoken once, in order, or skipped.

White space is not counted. A chunk must read as its span of the source does once the skipped
stretches in it are taken out, composed and folded as `clean` does it, entities resolved.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from narrate.core import Chunk, Document, Plan, Skipped, Span
from narrate.errors import NarrateError
from narrate.text.clean import folded

__all__ = ["ENTITY", "Coverage", "CoverageError", "check", "coverage"]

ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_EXCERPT = 40


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many characters are spoken, how many skipped by reason, and what is neither."""

    spoken: int
    skipped: Mapping[str, int]
    unaccounted: tuple[Span, ...]


class CoverageError(NarrateError):
    """A plan that loses, repeats or reorders text: our fault, never the document's."""


def coverage(document: Document, plan: Plan) -> Coverage:
    """Account for every character of the source that is not white space, in linear time."""
    source = document.source
    counts: Counter[str] = Counter()
    for skip in plan.skipped:
        counts[skip.reason] += _weight(source[skip.span.start : skip.span.end])
    spoken, cursor, next_skip = 0, 0, 0
    lost: list[Span] = []
    for chunk in plan.chunks:
        next_skip = _gap(source, cursor, chunk.span.start, plan.skipped, next_skip, lost)
        said, next_skip = _said(source, chunk, plan.skipped, next_skip)
        if chunk.span.start < cursor or not _reads_as(said, chunk.text):
            lost.append(chunk.span)
        else:
            spoken += _weight(said)
        cursor = max(cursor, chunk.span.end)
    _gap(source, cursor, len(source), plan.skipped, next_skip, lost)
    return Coverage(spoken, dict(counts), tuple(lost))


def check(document: Document, plan: Plan) -> None:
    """Raise `CoverageError`, naming the place, where a plan does not account for everything."""
    lost = coverage(document, plan).unaccounted
    if lost:
        first = lost[0]
        excerpt = " ".join(document.source[first.start : first.end].split())[:_EXCERPT]
        raise CoverageError(
            f"the plan does not account for the text at character {first.start}: “{excerpt}”",
            where=document.title,
            remedy="report it with the document; nothing was spoken",
        )


def _weight(text: str) -> int:
    return len(text) - sum(map(text.count, set(filter(str.isspace, set(text)))))


def _gap(
    source: str, start: int, end: int, skipped: tuple[Skipped, ...], index: int, lost: list[Span]
) -> int:
    """Between two chunks all must be skipped; returns the first skip that is not used up."""
    while start < end:
        while index < len(skipped) and skipped[index].span.end <= start:
            index += 1
        inside = index < len(skipped) and skipped[index].span.start < end
        stop = skipped[index].span.start if inside else end
        if source[start:stop].strip():
            lost.append(Span(start, stop))
        start = max(start, skipped[index].span.end) if inside else end
    return index


def _said(source: str, chunk: Chunk, skipped: tuple[Skipped, ...], index: int) -> tuple[str, int]:
    """The source under a chunk without what is skipped in it."""
    parts: list[str] = []
    cursor = chunk.span.start
    while index < len(skipped) and skipped[index].span.start < chunk.span.end:
        span = skipped[index].span
        parts.append(source[cursor : span.start])
        cursor = max(cursor, span.end)
        if span.end > chunk.span.end:
            break
        index += 1
    parts.append(source[cursor : chunk.span.end])
    return "".join(parts), index


def _reads_as(said: str, text: str) -> bool:
    """Whether two stretches are the same reading, white space aside."""
    if _squeezed(said) == _squeezed(text):
        return True
    return _folded(said) == _folded(text)


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _folded(text: str) -> str:
    resolved = ENTITY.sub(lambda entity: html.unescape(entity.group()), folded(text))
    return folded(_squeezed(resolved))
