"""Project Gutenberg's frame: the header with title, author and language, and the licence."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Frame", "frame_of"]

HEADER = "Project Gutenberg header"
LICENCE = "Project Gutenberg licence"

_START = re.compile(
    r"^\*{3} ?START OF (?:THE|THIS) PROJECT GUTENBERG [^\r\n]*(?:\r?\n[^\r\n]+)*?\*{3}", re.M
)
_OLD_START = re.compile(r"^\*END\*? ?THE SMALL PRINT!.*$", re.M)
_END = re.compile(
    r"^[ \t]*(?:\*{3} ?END OF (?:THE|THIS) PROJECT GUTENBERG "
    r"|End of (?:the |this )?Project Gutenberg(?:['’]s)? )",
    re.M | re.I,
)
_CREDIT = re.compile(
    r"\s*(?:(?:Produced|Transcribed|Prepared|E-?text prepared|Scanned|This eBook was produced) by)"
    r"[^\r\n]*(?:\r\n?[^\r\n]+|\n[^\r\n]+)*"
)
_FIELD = re.compile(r"^(Title|Author|Language):[ \t]*([^\r\n]+(?:\r?\n[ \t]+[^\r\n]+)*)", re.M)
_NEAR = 30_000  # characters: a header is no longer, however long its small print


@dataclass(frozen=True, slots=True)
class Frame:
    """The body is `source[start:end]`; the fields are empty where there is no header."""

    start: int
    end: int
    title: str = ""
    author: str = ""
    language: str = ""


def frame_of(source: str) -> Frame:
    """Find the frame; a text without one is all body."""
    found = _START.search(source, 0, _NEAR) or _OLD_START.search(source, 0, _NEAR)
    start, fields = 0, {}
    if found is not None:
        start = found.end()
        fields = {
            name.lower(): " ".join(value.split())
            for name, value in _FIELD.findall(source[: found.start()])
        }
        credit = _CREDIT.match(source, start)
        start = start if credit is None else credit.end()
    end = _END.search(source, start)
    stop = len(source) if end is None else end.start()
    return Frame(start, stop, **fields)
