"""Lines of plain text to paragraphs: what is hard-wrapped is joined, what is verse is kept.

A document is wrapped when its lines break near one width. Then a paragraph is what stands between
blank lines, and its line ends are spaces; a group of lines that break early is verse. In a
document that is not wrapped every line is a paragraph.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from narrate.core import Skipped
from narrate.text.traced import Traced, Tracer

__all__ = [
    "Group",
    "Line",
    "Words",
    "bullet_end",
    "groups_of",
    "is_item",
    "is_verse",
    "joined",
    "parted",
    "wrap_width",
]

MAX_WRAP_CHARS = 140
_MIN_WRAP_CHARS = 40  # shorter lines throughout are a poem's
_FULL_LINE = 0.75  # of the wrap width, on average, is what prose fills
_BULLET = re.compile(r"[*•‣◦▪·-][ \t\u3000]+(?=\S)")
_ITEM = re.compile(r"(?:[*•‣◦▪·-]|\(?\d{1,3}[.)])[ \t\u3000]+(?=\S)")
_MAX_INDENT = 8
_PROSE_ENDS = ".!?:;”\"’'»)*_"
_SUSPENDED = re.compile(r"(?:and|or|to|und|oder|bis|et|ou|y|o|e)\b")
_LETTERS = re.compile(r"[^\W\d_]+")
_BROKEN = re.compile(r"(?P<begun>[^\W\d_]+)[-‐]$")
_LONGEST_WORD = 40
_EAST = re.compile("[\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uff00-\uff60]")


@dataclass(frozen=True, slots=True)
class Line:
    """A line's text in the source, white space at both ends left out."""

    start: int
    end: int
    indent: int


@dataclass(frozen=True, slots=True)
class Group:
    """Lines with no blank line between them; `gap` counts the blank lines before."""

    lines: tuple[Line, ...]
    gap: int = 0

    def text(self, source: str) -> str:
        """The lines as written, parted by line feeds."""
        return "\n".join(source[line.start : line.end] for line in self.lines)


def groups_of(source: str, start: int, end: int) -> list[Group]:
    """The stretch as groups of lines; a page break inside a sentence parts nothing."""
    groups: list[Group] = []
    lines: list[Line] = []
    gap = 0
    for line, page_break in _lines(source, start, end):
        if line is not None:
            lines.append(line)
        elif page_break and lines and source[lines[-1].end - 1] not in _PROSE_ENDS:
            continue
        else:
            if lines:
                groups.append(Group(tuple(lines), gap))
                lines, gap = [], 0
            gap += 1
    if lines:
        groups.append(Group(tuple(lines), gap))
    return groups


def _lines(source: str, start: int, end: int) -> Iterator[tuple[Line | None, bool]]:
    """Each line, or None for a blank one and whether it is a page break."""
    for raw in source[start:end].splitlines(keepends=True):
        bare = raw.strip()
        if bare:
            first = start + len(raw) - len(raw.lstrip())
            indent = len(raw[: first - start].expandtabs())
            yield Line(first, first + len(bare), indent), False
            if raw[-1] in "\u2029\f":  # what ends a paragraph as a blank line does, or a page
                yield None, raw[-1] == "\f"
        else:
            yield None, raw == "\f"
        start += len(raw)


def wrap_width(groups: Sequence[Group]) -> int:
    """The width a document is wrapped at, 0 where every line is a paragraph."""
    lengths = sorted(
        line.indent + line.end - line.start for group in groups for line in group.lines[:-1]
    )
    if not lengths:
        return 0
    width = max(_MIN_WRAP_CHARS, lengths[len(lengths) * 9 // 10])
    long = sum(1 for group in groups for line in group.lines if line.end - line.start > 2 * width)
    return 0 if width > MAX_WRAP_CHARS or long > len(lengths) // 4 else width


def is_verse(group: Group, width: int) -> bool:
    """Whether the lines of a group end where the writer wanted, not where the width ends."""
    inner = group.lines[:-1]
    if not inner:
        return False
    filled = sum(line.indent + line.end - line.start for line in inner)
    return filled < _FULL_LINE * width * len(inner)


def parted(group: Group, source: str, width: int) -> list[Group]:
    """A group's items where it begins as a list, its paragraphs where only indents part them."""
    marked = [bool(_ITEM.match(source, line.start)) for line in group.lines]
    if not marked[0] or sum(marked) < 2:
        marked = _indented(group, source, width)
    starts = [0, *(index for index, mark in enumerate(marked) if mark and index)]
    return [
        Group(group.lines[first:last], group.gap if first == 0 else 0)
        for first, last in zip(starts, [*starts[1:], len(marked)], strict=True)
    ]


def _indented(group: Group, source: str, width: int) -> list[bool]:
    """Which lines of prose begin a paragraph by a small indent, after a line that ends one."""
    base = min(line.indent for line in group.lines)
    marked = [
        base + 1 < line.indent <= base + _MAX_INDENT and source[before.end - 1] in _PROSE_ENDS
        for before, line in pairwise(group.lines)
    ]
    if is_verse(group, width) or 5 * sum(marked) > 2 * len(marked):
        return [False] * len(group.lines)
    return [False, *marked]


def is_item(group: Group, source: str) -> bool:
    """Whether a group begins as an item of a list does."""
    return _ITEM.match(source, group.lines[0].start) is not None


class Words:
    """The words of a text in small letters, looked up when the first is asked for."""

    def __init__(self, text: str) -> None:
        """Of this text."""
        self._text = text

    @cached_property
    def _every(self) -> frozenset[str]:
        return frozenset(_LETTERS.findall(self._text.lower()))

    def __contains__(self, word: str) -> bool:
        """Whether the text has it, by itself or as a part of a hyphened one."""
        return word.lower() in self._every


def joined(
    group: Group, source: str, line_feeds: int, words: Words
) -> tuple[Traced, list[Skipped]]:
    """The lines as one text: the first `line_feeds` line ends are kept, the others are spaces.

    A hyphen at a line's end is left out where the text has the word without it.
    """
    tracer = Tracer(source)
    for number, line in enumerate(group.lines, 1):
        if number == len(group.lines):
            tracer.copy(line.start, line.end)
            break
        after = group.lines[number]
        if number <= line_feeds:
            tracer.copy(line.start, line.end)
            tracer.put("\n", line.end)
        elif _is_broken(source, line, after, words):
            tracer.copy(line.start, line.end - 1)
            tracer.skip(line.end - 1, line.end, "hyphen at a line's end")
        else:
            tracer.copy(line.start, line.end)
            if _parted(source[line.start : line.end], source[after.start : after.start + 8]):
                tracer.put(" ", line.end)
    return tracer.done(), tracer.skipped


def _is_broken(source: str, line: Line, after: Line, words: Words) -> bool:
    """Whether the hyphen at a line's end is there for the line alone."""
    if source[line.end - 1] not in "-‐":
        return False
    begun = _BROKEN.search(source[max(line.start, line.end - _LONGEST_WORD) : line.end])
    rest = _LETTERS.match(source, after.start, min(after.end, after.start + _LONGEST_WORD))
    if begun is None or rest is None or not rest[0][0].islower():
        return False
    return begun["begun"] + rest[0] in words


def bullet_end(group: Group, source: str) -> int:
    """Where the text after a list mark that is not spoken begins; the line's start if none."""
    found = _BULLET.match(source, group.lines[0].start)
    return group.lines[0].start if found is None else found.end()


def _parted(before: str, after: str) -> bool:
    """Whether a line end stands for a space: not in a hyphened word, nor between Han signs."""
    last = before[-1]
    if last == "\xad":
        return False
    if _EAST.match(last) and _EAST.match(after):
        return False
    word = before[-2:-1]
    if last in "-‐" and word.isalnum() and after[:1].isalnum():
        return _SUSPENDED.match(after) is not None
    dash = before.endswith(("--", "—"))
    return not (dash and not before.rstrip("-—").endswith(" "))
