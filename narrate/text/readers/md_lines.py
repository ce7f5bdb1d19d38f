"""Markdown's lines: as markdown-it parts them, none nested deeper than it goes, and not too many.

An item, a cell or a mark takes one or two kilobytes of memory while a document is parsed, so a
small file can ask for a great deal of it: a flood of them is refused.
"""

from __future__ import annotations

import re

from narrate.errors import InputError

__all__ = ["lines_of", "refuse_a_flood", "shallow"]

_LINE_END = re.compile(r"\r\n|\r|\n")
_MOST_INDENT = 60  # columns: items inside items, two columns each
_MOST_DEEP = 30  # marks of quotations and items in one line
_MARK = r"[ \t]*(?:>|(?:[-*+]|\d{1,9}[.)])(?=[ \t]))"
_DEEP = re.compile(rf"(?:{_MARK}){{{_MOST_DEEP}}}")
# No more at once: the pattern matcher remembers each round of a repetition.
_DEEPER = re.compile(rf"(?:{_MARK}){{1,1000}}[ \t]*")
_FIRST = re.compile(_MARK)
_BLOCK = re.compile(rf"^(?:[ \t]*#|(?:{_MARK}){{1,{_MOST_DEEP}}})|\|", re.MULTILINE)
_MOST_LINES = 400_000
_MOST_BLOCKS = 150_000  # items, headings, quotations and cells
_MOST_SIGNS = 1_000_000
_SIGNS = "[]*_`<&\\"  # of emphasis, links, code, tags and entities
_AN_OPEN_BRACKET = 3  # more signs: what it costs the parser to look for its end


def refuse_a_flood(source: str, where: str) -> None:
    """Raise an InputError where a document is made of marks more than of words."""
    lines = max(source.count("\n"), source.count("\r"))
    signs = sum(map(source.count, _SIGNS)) + _AN_OPEN_BRACKET * source.count("[")
    if lines > _MOST_LINES or signs > _MOST_SIGNS or _blocks(source) > _MOST_BLOCKS:
        raise InputError(
            "the document has more lines, items or marks than a document has",
            where=where,
            remedy="split it into parts, or name it .txt to have it read as plain text",
        )


def _blocks(source: str) -> int:
    """How many items, headings, quotations and cells may begin in the document."""
    found = (len(_FIRST.findall(run.group())) for run in _BLOCK.finditer(source))
    return sum(max(marks, 1) for marks in found)


def lines_of(source: str, start: int) -> list[tuple[int, int]]:
    """Each line as `(start, end)` without its line end, as markdown-it parts them."""
    result: list[tuple[int, int]] = []
    for found in _LINE_END.finditer(source, start):
        result.append((start, found.start()))
        start = found.end()
    result.append((start, len(source)))
    return result


def shallow(line: str) -> str:
    """A line without the indent and the marks that would nest it too deep; its end stays."""
    if line.startswith((" " * _MOST_INDENT, "\t" * (_MOST_INDENT // 4))):
        line = " " * _MOST_INDENT + line.lstrip(" \t")
    deep = _DEEP.match(line)
    if deep is None:
        return line
    end = deep.end()
    while (deeper := _DEEPER.match(line, end)) is not None:
        end = deeper.end()
    return line if end == deep.end() else f"{line[: deep.end()]} {line[end:]}"
