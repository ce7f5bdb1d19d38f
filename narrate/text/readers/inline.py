"""Markdown's inline marks: which characters of a paragraph are spoken, and what the others are.

markdown-it gives a paragraph's parts without offsets, but in order and with their marks, so one
forward scan finds each: what lies between two parts is the marks themselves. Its time grows with
the square of a paragraph's length where brackets are left open, and each mark is an object in
memory, so what is longer than any paragraph is taken in pieces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from narrate.core import Skipped
from narrate.text.traced import Traced, Tracer, skipped_in

__all__ = ["spoken_part"]

_BREAK = re.compile(r"[ \t]*\\?\n[ \t]*")
_SPACE = re.compile(r"[ \t\n]*")
# Marks inside marks go twenty deep at most: an open bracket costs as many looks ahead.
_MD = MarkdownIt("commonmark").enable("strikethrough")
_MOST_AT_ONCE = 20_000  # characters
_NOTE_MARK = re.compile(r"\[\^[^\[\]\s]{1,100}\]")
_LINE_BREAK_TAG = re.compile(r"<br\s*/?>", re.IGNORECASE)


def spoken_part(
    source: str, content: Traced, targets: MutableMapping[str, Any]
) -> tuple[Traced, list[Skipped]]:
    """What of a paragraph's content is spoken, and the rest as skipped spans with reasons.

    `targets` is what the parser of blocks found out: where the links by name lead.
    """
    out = Tracer(source)
    for start, end in _pieces(content.text):
        piece = content.part(start, end)
        parts: list[Token] = []
        _MD.inline.parse(piece.text, _MD, targets, parts)
        scan = _Scan(source, piece)
        try:
            for part in parts:
                scan.take(part)
            scan.skip_to(len(piece.text), "markup")
        except _LostError:
            out.keep(piece)  # marks and all: better read plainly than not at all
            continue
        out.keep(scan.out.done())
        out.skipped += scan.skipped
    return out.done(), out.skipped


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """The text in pieces that end with a line or a word, where there are any."""
    start = 0
    while len(text) - start > _MOST_AT_ONCE:
        last = start + _MOST_AT_ONCE
        end = max(text.rfind("\n", start, last), text.rfind(" ", start, last)) + 1 or last
        yield start, end
        start = end
    yield start, len(text)


class _LostError(Exception):
    """A part that is not where the scan expects it."""


class _Scan:
    def __init__(self, source: str, content: Traced) -> None:
        self.source = source
        self.content = content
        self.text = content.text
        self.out = Tracer(source)
        self.skipped: list[Skipped] = []
        self.cursor = 0

    def take(self, part: Token) -> None:
        """Move behind one part, copying or skipping what it is made of."""
        if self.cursor >= len(self.text) and part.content:
            raise _LostError
        _TAKERS.get(part.type, _Scan._mark)(self, part)

    def skip_to(self, end: int, reason: str) -> None:
        """Leave out the content up to `end`, line by line."""
        start = self.cursor
        if end > len(self.text):
            raise _LostError
        self.cursor = max(end, start)
        while start < end:
            stop = self.text.find("\n", start, end)
            stop = end if stop < 0 else stop
            if stop > start:
                first, last = self.content.origins[start], self.content.origins[stop - 1] + 1
                self.skipped += skipped_in(self.source, first, last, reason)
            start = stop + 1

    def _copy(self, length: int) -> None:
        self.out.keep(self.content.part(self.cursor, self.cursor + length))
        self.cursor += length

    def _text(self, part: Token) -> None:
        if not part.content:
            return
        place = self.text.find(part.content, self.cursor)
        if place < 0:
            raise _LostError
        self.skip_to(place, "markup")
        end = min(self.cursor + len(part.content), len(self.text))
        for mark in _NOTE_MARK.finditer(self.text, self.cursor, end):
            self._copy(mark.start() - self.cursor)
            self.skip_to(mark.end(), "footnote mark")
        self._copy(end - self.cursor)

    def _special(self, part: Token) -> None:
        if part.info == "entity":
            origin = self.content.origins[self.cursor]
            if part.content.strip():
                self.out.put(part.content, origin)
                self.cursor += len(part.markup)
            else:
                self.out.put(" ", origin)
                self.skip_to(self.cursor + len(part.markup), "entity for a space")
            return
        extra = len(part.markup) - len(part.content)
        self.skip_to(self.cursor + extra, "escape mark")
        self._copy(len(part.content))

    def _break(self, _: Token) -> None:
        found = _BREAK.match(self.text, self.cursor)
        if found is None:
            raise _LostError
        self.out.put(" ", self.content.origins[self.cursor])
        self.skip_to(found.end(), "line break mark")

    def _code(self, part: Token) -> None:
        width = len(part.markup)
        self.skip_to(self.cursor + width, "code mark")
        end = self.text.find(part.markup, self.cursor + len(part.content))
        length = (len(self.text) if end < 0 else end) - self.cursor
        self._copy(length)
        self.skip_to(self.cursor + width, "code mark")

    def _html(self, part: Token) -> None:
        if _LINE_BREAK_TAG.fullmatch(part.content):
            self.out.put(" ", self.content.origins[self.cursor])
        self.skip_to(self.cursor + len(part.content), "HTML")

    def _mark(self, part: Token) -> None:
        self.skip_to(self.cursor + len(part.markup), "emphasis mark")

    def _link_open(self, _: Token) -> None:
        self.skip_to(self.cursor + 1, "link mark")

    def _link_close(self, part: Token) -> None:
        if part.markup == "autolink":
            end = self.text.find(">", self.cursor) + 1
            self.skip_to(end, "link mark")
        else:
            self.skip_to(self._target_end(self.cursor), "link target")

    def _image(self, part: Token) -> None:
        label_end = self.cursor + 2 + len(part.content)
        self.skip_to(self._target_end(label_end), "image")

    def _target_end(self, bracket: int) -> int:
        """The end of `](address "title")`, `][name]` or `]`, where `]` is at `bracket`."""
        text, after = self.text, bracket + 1
        if text.startswith("(", after):
            end = self._inline_target_end(after + 1)
            if end:
                return end
        if text.startswith("[", after):
            end = text.find("]", after)
            return after if end < 0 else end + 1
        return after

    def _inline_target_end(self, start: int) -> int:
        text, limit = self.text, len(self.text)
        place = _end(_SPACE, text, start)
        address = _MD.helpers.parseLinkDestination(text, place, limit)
        place = address.pos if address.ok else place
        spaced = _end(_SPACE, text, place)
        title = _MD.helpers.parseLinkTitle(text, spaced, limit)
        if title.ok and spaced > place:
            spaced = _end(_SPACE, text, title.pos)
        return spaced + 1 if text.startswith(")", spaced) else 0


_TAKERS: Mapping[str, Callable[[_Scan, Token], None]] = MappingProxyType(
    {
        "text": _Scan._text,
        "text_special": _Scan._special,
        "softbreak": _Scan._break,
        "hardbreak": _Scan._break,
        "code_inline": _Scan._code,
        "html_inline": _Scan._html,
        "link_open": _Scan._link_open,
        "link_close": _Scan._link_close,
        "image": _Scan._image,
    }
)


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    return start if found is None else found.end()
