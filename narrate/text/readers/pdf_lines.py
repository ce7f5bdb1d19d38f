"""A PDF's lines: the columns they stand in, large first letters, and the notes below a page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import median

from narrate.text.paragraphs import Words

__all__ = ["Column", "Line", "columns_of", "notes_apart", "with_capitals"]

_LEAST_COLUMN = 0.2  # of all lines begin at the left edge of a column
_LEAST_APART = 0.3  # of the text's width lies between two columns' left edges
_FEW = 0.1  # of the lines of a column may reach into the next
_NEAR = 4.0  # points
_LARGE = 1.6  # times the usual letter: what begins a chapter
_ALONE = ("A", "I")
_MOST_CAPITALS = 8  # of a page
_SMALL = 0.92  # of the usual height: a note
_LEAST_ABOVE = 3  # lines of text above the notes of a page
_NOTE = re.compile(r"(?P<mark>\d{1,3}|[*†‡§]{1,3})[.)]?(?:\s*[^\W\d_]|\s[\"“‘'«„(])")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a page; places in points, `top` and `left` of its first character.

    `foot` is the top of its last one: two lines that pdfium joined at a hyphen are one here.
    """

    text: str
    page: int
    left: float
    right: float
    top: float
    foot: float
    height: float  # of its first or its last character, whichever is larger


@dataclass(frozen=True, slots=True)
class Column:
    """Where lines begin, and how wide they are where they are full."""

    left: float
    width: float


def columns_of(lines: Sequence[Line]) -> list[Column]:
    """The columns of a document from left to right: one, or two side by side."""
    one = _column(lines)
    edges = Counter(round(line.left / _NEAR) * _NEAR for line in lines)
    first, second = ([*sorted(edge for edge, _ in edges.most_common(2)), 0.0, 0.0])[:2]
    full = max(line.right for line in lines) - first
    if min(edges[first], edges[second]) < _LEAST_COLUMN * len(lines) or (
        second - first < _LEAST_APART * full
    ):
        return [one]
    parts = (
        [line for line in lines if line.left < second - _NEAR],
        [line for line in lines if line.left >= second - _NEAR],
    )
    if sum(line.right > second for line in parts[0]) > _FEW * len(parts[0]):
        return [one]
    return [_column(part) for part in parts]


def _column(lines: Sequence[Line]) -> Column:
    left = median(line.left for line in lines)
    return Column(left, sorted(line.right for line in lines)[len(lines) * 9 // 10] - left)


def notes_apart(lines: Sequence[Line]) -> tuple[list[Line], list[list[Line]]]:
    """The lines without the notes at the feet of pages, and these, each as its lines.

    A page's last lines are notes where they are smaller than the text above, the first begins with
    a mark, and the same mark stands behind a word above; there the mark goes, the note has it.
    """
    usual = median(line.height for line in lines)
    body: list[Line] = []
    notes: list[list[Line]] = []
    for _, page in groupby(lines, key=lambda line: line.page):
        above = list(page)
        start = len(above)
        while start and above[start - 1].height < _SMALL * usual:
            start -= 1
        above, below = above[:start], above[start:]
        if not below or start < _LEAST_ABOVE or not _without_mark(above, below[0]):
            body += above + below
            continue
        for line in below:
            if _NOTE.match(line.text) and (line is below[0] or _without_mark(above, line)):
                notes.append([line])
            else:
                notes[-1].append(line)
        body += above
    return body, notes


def _without_mark(lines: list[Line], note: Line) -> bool:
    """Take the mark of a note out of the first line that has it behind a word, if one does."""
    found = _NOTE.match(note.text)
    if found is None:
        return False
    mark = re.compile(rf"(?<=[^\W\d_]|[.,;:!?”’\"')]){re.escape(found['mark'])}(?![\w.,]\w|\w)")
    for index, line in enumerate(lines):
        if mark.search(line.text):
            lines[index] = replace(line, text=mark.sub("", line.text, count=1))
            return True
    return False


def with_capitals(lines: Sequence[Line], words: Words) -> list[Line]:
    """The lines, each large letter that stands alone put before the words that go around it."""
    usual = median(line.height for line in lines)
    result: list[Line] = []
    for _, page in groupby(lines, key=lambda line: line.page):
        set_in = list(page)
        capitals = [line for line in set_in if _is_capital(line, usual)]
        for capital in capitals[:_MOST_CAPITALS]:
            beside = [
                index
                for index, line in enumerate(set_in)
                if line.left >= capital.right - _NEAR
                and capital.top - capital.height < line.top < capital.top + usual
            ]
            if beside:
                index = max(beside, key=lambda index: set_in[index].top)
                set_in[index] = _joined(capital, set_in[index], words)
                set_in.remove(capital)
        result += set_in
    return result


def _is_capital(line: Line, usual: float) -> bool:
    letter = line.text.lstrip("\"“‘'«„")
    return line.height >= _LARGE * usual and len(letter) == 1 and letter.isupper()


def _joined(capital: Line, line: Line, words: Words) -> Line:
    first = line.text.split()[0].strip(".,;:!?\"'”’")
    apart = capital.text[-1] in _ALONE and capital.text[-1] + first not in words
    text = f"{capital.text}{' ' if apart else ''}{line.text}"
    return replace(line, text=text, left=capital.left)
