"""What the voice gets for what is written: the same words, without signs it would name aloud."""

from __future__ import annotations

import re

__all__ = ["spoken"]

_LINE_END = re.compile(r"(?<=[^\W_])\n(?![a-zà-öø-ÿ])")
_DASHES = re.compile(r"--+")
_CELL_END = re.compile(r"\s*\|\s*")
# Not between letters or digits: 2*3 and snake_case mean something.
_NAMED_ALOUD = re.compile(r"(?<!\S)[*~=^_|]+(?!\S)|(?<![^\W_])[*_]+|[*_]+(?![^\W_])")
_TICK_QUOTE = re.compile(r"`+")


def spoken(text: str, language: str) -> str:
    """The chunk as the voice is to get it; `text` may hold line feeds where lines are units.

    A line or a table cell that ends without punctuation gets a comma, so that the voice pauses,
    unless the next line goes on in small letters; a typed dash becomes the sign it stands for.
    `language` chooses nothing yet: numbers and abbreviations are left to the voice.
    """
    text = _LINE_END.sub(", ", text)
    if "|" in text:
        text = _CELL_END.sub(", ", text.strip("| "))
    text = _DASHES.sub("—", text)
    text = _NAMED_ALOUD.sub("", _TICK_QUOTE.sub("‘", text))
    return " ".join(text.split()) or "…"
