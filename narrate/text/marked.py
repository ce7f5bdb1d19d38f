"""An EPUB 3's own pages with a mark around each chunk: where what was planned stands in them.

The reader's source is the text of the pages in reading order, less white space, with nothing left
out: so the n-th character of one is the n-th of the other. That is checked, character by character;
where it does not hold, nothing is marked and the reason is given.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lxml import etree

from narrate.core import Document, Span
from narrate.text.archive import Archive
from narrate.text.markup import UNREAD
from narrate.text.readers.epub import package_of

__all__ = ["MarkedBook", "NotMarked", "Place", "marked"]

_XHTML = "{http://www.w3.org/1999/xhtml}"
_CELL = "|"  # the reader puts one between the cells of a table
_UNMARKED = frozenset({"rt", "rp", "rtc", "option", "textarea", "title"})


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of a page that shows a part of a chunk: the element of this id."""

    page: str
    mark: str
    characters: int


@dataclass(frozen=True, slots=True)
class MarkedBook:
    """The package's name, the pages that changed, and each chunk's places in order, by position."""

    package: str
    pages: dict[str, bytes]
    places: dict[int, tuple[Place, ...]]


@dataclass(frozen=True, slots=True)
class NotMarked:
    """Why a document's own pages cannot be used."""

    reason: str


@dataclass(slots=True)
class _Text:
    """A text of the tree: an element's own, or (`is_tail`) what follows it."""

    element: Any
    is_tail: bool
    text: str
    is_marked: bool


def marked(
    data: bytes, path: Path, document: Document, spans: Sequence[tuple[int, Span]]
) -> MarkedBook | NotMarked:
    """Mark the chunks, given as position and span of the document's source, in reading order."""
    archive = Archive(data, str(path), "EPUB")
    package = package_of(archive)
    root = archive.xml(package.name)
    if root is None or not (root.get("version") or "").startswith("3"):
        return NotMarked("the document is an EPUB 2")
    book = MarkedBook(package.name, {}, {})
    waiting = deque(spans)
    cursor = 0
    for name in package.spine:
        tree = _tree(archive.part(name)) if archive.part_size(name) else None
        if tree is None:
            return NotMarked(f"{name} is no well-formed XHTML")
        texts = list(_texts(tree.getroot()))
        lined = _lined_up(texts, document.source, cursor)
        if lined is None:
            return NotMarked(f"{name} reads otherwise than it is written")
        offsets, cursor = lined
        inside = []
        while waiting and waiting[0][1].start < cursor:
            inside.append(waiting.popleft())
        if inside:
            book.places.update(_marked_page(name, texts, offsets, inside))
            book.pages[name] = etree.tostring(tree, xml_declaration=True, encoding="UTF-8")
    return NotMarked("the pages end before the text does") if waiting else book


def _marked_page(
    name: str,
    texts: Sequence[_Text],
    offsets: Sequence[tuple[int, int, int]],
    spans: Sequence[tuple[int, Span]],
) -> dict[int, tuple[Place, ...]]:
    """Put marks into the texts of a page; returns each chunk's places."""
    places: dict[int, tuple[Place, ...]] = {}
    wanted: dict[int, list[tuple[int, int, int]]] = {}
    for position, span in spans:
        first = bisect_left(offsets, (span.start, 0, 0))
        last = bisect_left(offsets, (span.end, 0, 0))
        for index, start, stop, count in _runs(offsets[first:last], texts):
            wanted.setdefault(index, []).append((position, start, stop))
            place = Place(name, _mark(position, index), count)
            places[position] = (*places.get(position, ()), place)
    for index, runs in wanted.items():
        _wrap(texts[index], index, runs)
    return places


def _tree(data: bytes) -> Any:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        return etree.ElementTree(etree.fromstring(data, parser))
    except (etree.XMLSyntaxError, ValueError):
        return None


def _texts(root: Any) -> Iterator[_Text]:
    """The texts of the page's body in reading order, as far as the reader reads them."""
    body = root.find(f"{_XHTML}body")
    if body is None:
        return
    unread = unmarked = 0
    for event, element in etree.iterwalk(body, events=("start", "end", "comment", "pi")):
        if event in ("start", "end"):
            tag = etree.QName(element).localname
            step = 1 if event == "start" else -1
            unread += step * (tag in UNREAD)
            unmarked += step * (tag in _UNMARKED)
        if event == "start" and element.text and not unread:
            yield _Text(element, False, element.text, not unmarked)
        if event != "start" and element is not body and element.tail and not unread:
            yield _Text(element, True, element.tail, not unmarked)


def _lined_up(
    texts: Sequence[_Text], source: str, cursor: int
) -> tuple[list[tuple[int, int, int]], int] | None:
    """Each character that is no white space as (source offset, text, place in it), and the end."""
    offsets: list[tuple[int, int, int]] = []
    for index, text in enumerate(texts):
        for place, char in enumerate(text.text):
            if char.isspace():
                continue
            while cursor < len(source) and (
                source[cursor].isspace() or (source[cursor] == _CELL and char != _CELL)
            ):
                cursor += 1
            if cursor >= len(source) or source[cursor] != char:
                return None
            offsets.append((cursor, index, place))
            cursor += 1
    return offsets, cursor


def _runs(
    inside: Sequence[tuple[int, int, int]], texts: Sequence[_Text]
) -> Iterator[tuple[int, int, int, int]]:
    """The stretches of a chunk, a text each: (text, start, end, characters)."""
    at = 0
    while at < len(inside):
        index = inside[at][1]
        last = at
        while last + 1 < len(inside) and inside[last + 1][1] == index:
            last += 1
        if texts[index].is_marked:
            yield index, inside[at][2], inside[last][2] + 1, last + 1 - at
        at = last + 1


def _mark(position: int, index: int) -> str:
    return f"narrate-{position}-{index}"


def _wrap(text: _Text, index: int, runs: Sequence[tuple[int, int, int]]) -> None:
    """Put an element around each stretch of a text, in order."""
    if text.is_tail:
        parent = text.element.getparent()
        at = parent.index(text.element) + 1
        text.element.tail = text.text[: runs[0][1]]
    else:
        parent, at = text.element, 0
        text.element.text = text.text[: runs[0][1]]
    ends = [start for _, start, _ in runs[1:]] + [len(text.text)]
    for (position, start, stop), end in zip(runs, ends, strict=True):
        span = parent.makeelement(f"{_XHTML}span", id=_mark(position, index))
        span.text, span.tail = text.text[start:stop], text.text[stop:end]
        parent.insert(at, span)
        at += 1
