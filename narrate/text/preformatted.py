"""HTML's `<pre>`: code, or prose and verse that somebody typed with its line ends.

What markup calls code is code. The rest is told by its text: code has signs where prose has words,
and prose has sentences or lines that begin with capitals.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from lxml import html

from narrate.core import BlockKind
from narrate.text.extraction import Run
from narrate.text.paragraphs import groups_of, is_verse, wrap_width

__all__ = ["is_code_by_markup", "looks_like_code", "paragraphs_of"]

_CODE_TAGS = frozenset({"code", "samp", "kbd", "tt", "var"})
_CODE_CLASSES = re.compile(
    r"code|highlight|hljs|prism|lang(?:uage)?-|listing|screen|synopsis|source|terminal|console"
    r"|shell|pretty|cmd|command|output|diagram",
    re.IGNORECASE,
)
_CODE_SIGN = re.compile(
    r"[{}\[\]<>=|\\$#@^~+%├└│]|\w[(_](?=[\w)\"'])|\w\.\w|;[ \t]*$|^[ \t]*(?:[>%-]|//|--)[ \t]",
    re.MULTILINE,
)
_PROMPT = re.compile(r"^[ \t]*(?:[$%]|>>>)[ \t]+\S", re.MULTILINE)
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_LEAST_WORDS_A_SIGN = 8
_LEAST_WORDS_A_LINE = 5
_FIRST_LETTER = re.compile(r"^[^\w\n]*([^\W\d_])", re.MULTILINE)
_STOP = re.compile(r"[.!?…。！？]")
_LINE_ENDS = re.compile(r"\s*\n\s*")
_LOOKED_AT = 20_000  # characters tell as much as a million


def is_code_by_markup(element: html.HtmlElement) -> bool:
    """Whether a `<pre>` says that it is code: by its class, or by an element that is all of it."""
    if _CODE_CLASSES.search((element.get("class") or "")[:1000]):
        return True
    first = next(iter(element), None)
    return first is not None and first.tag in _CODE_TAGS and not (element.text or "").strip()


def looks_like_code(text: str) -> bool:
    """Whether a text of lines is code, by what it is made of."""
    text = text[:_LOOKED_AT]
    words = len(_WORD.findall(text))
    signs = len(_CODE_SIGN.findall(text))
    if signs * _LEAST_WORDS_A_SIGN > words or _PROMPT.search(text):
        return True
    letters = _FIRST_LETTER.findall(text)
    large = sum(not letter.islower() for letter in letters)
    if 2 * large >= len(letters) and (words > len(letters) or _STOP.search(text)):
        return False
    return words < _LEAST_WORDS_A_LINE * len(letters) or _STOP.search(text) is None


def paragraphs_of(runs: Sequence[Run]) -> Iterator[tuple[BlockKind, list[Run]]]:
    """The paragraphs between blank lines: verse keeps its lines, wrapped prose does not."""
    text = "".join(run.text for run in runs)
    groups = groups_of(text, 0, len(text))
    width = wrap_width(groups)
    for group in groups:
        part = list(_part(runs, group.lines[0].start, group.lines[-1].end))
        if len(group.lines) > 1 and (not width or is_verse(group, width)):
            yield BlockKind.VERSE, part
        else:
            joined = (replace(run, text=_LINE_ENDS.sub(" ", run.text)) for run in part)
            yield BlockKind.PARAGRAPH, list(joined)


def _part(runs: Sequence[Run], start: int, end: int) -> Iterator[Run]:
    """The runs from one offset of their text to another."""
    place = 0
    for run in runs:
        first, last = max(start, place), min(end, place + len(run.text))
        if first < last:
            yield replace(run, text=run.text[first - place : last - place])
        place += len(run.text)
