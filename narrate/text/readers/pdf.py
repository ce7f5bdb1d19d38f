"""PDF by pdfium: lines to paragraphs by their place on the page, then read as plain text.

Running heads and page numbers are taken out where they repeat, paragraphs are joined over line
and page ends, and a hyphen at a line's end goes only where the book has the word without it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest
from pathlib import Path
from statistics import median

from narrate.core import Document
from narrate.errors import InputError
from narrate.text.boundaries import TITLES
from narrate.text.headings import HeadingKind, heading_of, is_index
from narrate.text.matter import is_index_entry
from narrate.text.paragraphs import Words
from narrate.text.readers import txt
from narrate.text.readers.pdf_lines import Column, Line, columns_of, notes_apart, with_capitals

__all__ = ["read"]

_MAX_PAGES = 10_000
_EDGE_LINES = 2  # at the top and at the bottom of a page can be a running head
_LEAST_REPEATED = 3
_WIDE_GAP = 1.25  # of the usual distance between two lines parts paragraphs
_SHORT_LINE = 0.8  # of the text's width: such a line ends a paragraph
_INDENT = 8.0  # points
_LARGER = 1.15  # times the usual height: a title
_CLOSE = 1.6  # of its height lies between the lines of one
_SENTENCE_END = re.compile(r"[.!?:;…][\"'”’»)\]]*$")
_OF_ALL = re.compile(r"(?<=\d)(?: ?/ ?| of | von | sur | de )\d{1,4}$")  # "Page 3 of 20", "3/20"
_NUMBER = re.compile(r"[-–—\[( ]*(\d{1,4}|[ivxlc]{1,7})[-–—\]) ]*", re.IGNORECASE)
_HYPHENS = "-\u2010\x02\ufffe"
_LINE_HYPHEN = re.compile(rf"[^\W\d_][{_HYPHENS}]$")
_BROKEN = "\x02"  # pdfium's own sign for a hyphen at which it joined two lines
_LEFT_BROKEN = re.compile(r"[-\u2010]?[\x02\ufffe]+")
_BROKEN_WORD = re.compile(r"([^\W\d_]+)[-\u2010]?[\x02\ufffe]+([^\W\d_]+)")


def read(data: bytes, path: Path) -> Document:
    """Read a PDF that holds text; a scanned one is refused."""
    pages, facts = _pages(data, str(path))
    removed = _running(pages)
    kept = [line for page in pages for line in page if id(line) not in removed]
    if not kept:
        raise InputError(
            "the PDF holds no text: its pages are pictures",
            where=str(path),
            remedy="run it through a text recognition program such as OCRmyPDF first",
        )
    words = Words(" ".join(line.text for line in kept))
    text, notes = notes_apart(kept)
    paragraphs = _paragraphs(with_capitals(text, words))
    body = "\n\n".join(_joined(lines, words) for lines in paragraphs)
    noted = "\n\n".join([body, *(_joined(lines, words) for lines in notes)])
    heads = "\n".join(line.text for page in pages for line in page if id(line) in removed)
    source = f"{noted}\n\n{heads}" if heads else noted
    return txt.read_text(source, path, len(body), facts, noted=len(noted))


def _pages(data: bytes, where: str) -> tuple[list[list[Line]], dict[str, str]]:
    # Imported here: loading pdfium takes 100 ms that other formats do not need.
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
        facts = {
            name.lower(): " ".join(value.split())
            for name, value in document.get_metadata_dict().items()
        }
        pages = [_lines(document[index], index) for index in range(min(len(document), _MAX_PAGES))]
        document.close()
    except pypdfium2.PdfiumError as error:
        raise InputError(
            f"the PDF cannot be opened: {error}",
            where=where,
            remedy="remove its password, or save it again with another program",
        ) from error
    return pages, facts


def _lines(page: object, index: int) -> list[Line]:
    """The lines of a page from top to bottom as pdfium orders them."""
    textpage = page.get_textpage()  # type: ignore[attr-defined]
    text = textpage.get_text_range().replace("\0", " ")
    count = textpage.count_chars()
    lines: list[Line] = []
    place = 0
    for raw in text.split("\n"):
        bare = raw.strip()
        if bare:
            first = place + len(raw) - len(raw.lstrip())
            last = first + len(bare) - 1
            left, bottom, _, top = textpage.get_charbox(min(first, count - 1), loose=True)
            _, base, right, foot = textpage.get_charbox(min(last, count - 1), loose=True)
            height = max(top - bottom, foot - base)
            lines.append(Line(bare, index, left, right, top, foot, height))
        place += len(raw) + 1
    textpage.close()
    page.close()  # type: ignore[attr-defined]
    return lines


def _running(pages: Sequence[Sequence[Line]]) -> set[int]:
    """The ids of lines at page edges that repeat, or count the pages."""
    edges = [
        line
        for page in pages
        for line in {
            id(line): line for line in [*page[:_EDGE_LINES], *page[-_EDGE_LINES:]]
        }.values()
    ]
    same = Counter(line.text for line in edges)
    offsets = Counter(_key(line) for line in edges)
    least = max(_LEAST_REPEATED, len(pages) // 20)
    return {
        id(line)
        for line in edges
        if (same[line.text] >= least and len(line.text) <= 100)
        or (
            _key(line)[1] is not None
            and offsets[_key(line)] >= _LEAST_REPEATED
            and not _is_chapter(line.text)
        )
    }


def _is_chapter(text: str) -> bool:
    """Whether a line is "Chapter 3": short chapters, a page each, count on as pages do."""
    heading = heading_of(text)
    return heading is not None and heading.kind is HeadingKind.NUMBERED and not heading.title


def _key(line: Line) -> tuple[str, int | None]:
    """A line without its number, and how far that number is from the page's own."""
    text = _OF_ALL.sub("", line.text)
    found = re.search(r"\b\d{1,4}$" if text != line.text else r"^\d{1,4}\b|\b\d{1,4}$", text)
    if found is None:
        roman = _NUMBER.fullmatch(text)
        return (text, None) if roman is None or text[0].isalpha() else ("", None)
    rest = f"{text[: found.start()]}#{text[found.end() :]}"
    return rest, int(found.group()) - line.page


@dataclass(frozen=True, slots=True)
class _Form:
    """How a document is set: its columns, the lines' distance and height, and its indents."""

    columns: Sequence[Column]
    gap: float
    height: float
    indents: bool = False

    def number(self, line: Line) -> int:
        """Which column a line stands in."""
        return int(len(self.columns) > 1 and line.left >= self.columns[1].left - _INDENT)

    def indented(self, line: Line) -> bool:
        """Whether a line begins inside its column's edge."""
        return line.left > self.columns[self.number(line)].left + _INDENT

    def short(self, line: Line) -> bool:
        """Whether a line ends before its column does."""
        column = self.columns[self.number(line)]
        return line.right - column.left < _SHORT_LINE * column.width

    def flush(self, line: Line) -> bool:
        """Whether a line begins at its column's edge."""
        return line.left <= self.columns[self.number(line)].left + 1

    def together(self, before: Line, line: Line) -> bool:
        """Whether two lines stand in the same column of the same page."""
        return before.page == line.page and self.number(before) == self.number(line)


def _paragraphs(lines: Sequence[Line]) -> list[list[Line]]:
    columns = columns_of(lines)
    gaps = [
        before.foot - line.top
        for before, line in pairwise(lines)
        if before.page == line.page and before.foot > line.top
    ]
    height = median(line.height for line in lines)
    form = _Form(columns, median(gaps) if gaps else 12.0, height)
    form = replace(form, indents=_indents(lines, form))
    paragraphs = [[lines[0]]]
    for (before, line), after in zip_longest(pairwise(lines), lines[2:]):
        if _starts(before, line, after, form):
            paragraphs.append([line])
        else:
            paragraphs[-1].append(line)
    return paragraphs


def _indents(lines: Sequence[Line], form: _Form) -> bool:
    """Whether most paragraphs begin with an indent, behind a gap or not."""
    starts = [
        form.indented(line)
        for before, line in pairwise(lines)
        if form.together(before, line)
        and (
            before.foot - line.top > form.gap * _WIDE_GAP
            or (form.indented(line) and form.flush(before))
        )
    ]
    return 2 * sum(starts) > len(starts)


def _starts(before: Line, line: Line, after: Line | None, form: _Form) -> bool:
    """Whether a paragraph begins with a line."""
    ended, short = _ended(before.text), form.short(before)
    if before.text.startswith("***") or line.text.startswith("***"):
        return True
    if not form.together(before, line):
        if form.indents and not short and not form.indented(line):
            return False
        return ended or (not line.text[0].islower() and short)
    if _is_one_title(before, line, form):
        return False
    if before.foot - line.top > form.gap * _WIDE_GAP or line.top > before.foot + 1:
        return True
    if short:
        listed = is_index(before.text) or is_index_entry(before.text)
        if ended or not line.text[0].islower() or (listed and is_index_entry(line.text)):
            return True
    # A paragraph of one full line has its indent, too; a quotation has one in all its lines.
    opens = form.flush(before) or (form.indents and after is not None and form.flush(after))
    return ended and form.indented(line) and opens


def _is_one_title(before: Line, line: Line, form: _Form) -> bool:
    """Whether a line goes on with the title above it: both are large, and close together."""
    return (
        min(before.height, line.height) > form.height * _LARGER
        and abs(before.height - line.height) < 1
        and 0 < before.foot - line.top < line.height * _CLOSE
        and not _is_chapter(before.text)
    )


def _ended(text: str) -> bool:
    """Whether a sentence may end with a line; after "Mr." none does."""
    if _SENTENCE_END.search(text) is None:
        return False
    return not (text.endswith(".") and text.split()[-1][:-1] in TITLES)


def _joined(lines: Sequence[Line], words: Words) -> str:
    """The lines as one; a removed hyphen stays as a soft one, which is never spoken."""
    text = lines[0].text
    for line in lines[1:]:
        tight = text.endswith(("—", "--")) or _LINE_HYPHEN.search(text) is not None
        text += (_BROKEN if tight and text[-1] in _HYPHENS else "") + ("" if tight else " ")
        text += line.text
    text = _BROKEN_WORD.sub(lambda found: _mended(found, words), text)
    return _LEFT_BROKEN.sub("-", text)


def _mended(found: re.Match[str], words: Words) -> str:
    """A word that a line's end broke: whole where the book has it whole, else hyphenated."""
    whole = found[1] + found[2] in words
    return f"{found[1]}{chr(0xAD) if whole else '-'}{found[2]}"
