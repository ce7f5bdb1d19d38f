"""What the voice gets for what is written: signs and numbers in words, typography made plain."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from narrate.text import verbal
from narrate.text.lexicon import Entry, rule_of
from narrate.text.verbal.claims import Claims, Rule
from narrate.text.verbal.numerals import cardinal, roman
from narrate.text.verbal.regnal import HEADING

__all__ = ["Reading", "spoken"]

_LINE_END = re.compile(r"(?<=[^\W_])\n(?![a-zà-öø-ÿ])")
_DASHES = re.compile(r"--+")
_CELL_END = re.compile(r"\s*\|\s*")
# Not between letters or digits: 2*3 and snake_case mean something, and so does "a = b".
_NAMED_ALOUD = re.compile(
    r"(?<!\S)(?!(?<=\S )= \S)[*~=^_|]+(?!\S)|(?<![\w*])[*_]+|[*_]++(?![^\W_])"
    r"|(?<=[^\W_])[†‡]+(?!\w)|(?<=[.,;:!?”’\"')])[†‡]+(?!\w)"
)
_SIGNS = re.compile(r"[*~=^_|†‡]")
_COUNTED = frozenset(["en", "de", "fr", "es", "it", "pt", "ru"])
_SPACED_DOTS = re.compile(r"\.(?:\s\.){2,}")
_TICK_QUOTE = re.compile(r"`+")


@dataclass(frozen=True, slots=True)
class Reading:
    """How a text is put into words: its language, the reader's own words, and whether at all.

    `as_written` leaves numbers and abbreviations to the voice; a lexicon holds all the same.
    """

    language: str
    lexicon: tuple[Entry, ...] = ()
    as_written: bool = False


def spoken(text: str, reading: Reading, *, heading: bool = False) -> str:
    """The chunk as the voice is to get it; `text` may hold line feeds where lines are units.

    A line or a table cell that ends without punctuation gets a comma, so that the voice pauses,
    unless the next line goes on in small letters; a typed dash becomes the sign it stands for.
    """
    text = _in_words(text, reading, heading)
    if "\n" in text:
        text = _LINE_END.sub(", ", text)
    if "|" in text:
        text = _CELL_END.sub(", ", text.strip("| "))
    text = _DASHES.sub("—", text)
    text = _SPACED_DOTS.sub("…", text)
    text = _TICK_QUOTE.sub("‘", text)
    if _SIGNS.search(text):
        text = _NAMED_ALOUD.sub(_quiet, text)
    return " ".join(text.split()) or "…"


def _in_words(text: str, reading: Reading, heading: bool) -> str:
    claims = Claims(text)
    language = reading.language.split("-")[0].lower()
    own = rule_of(reading.lexicon, language)
    if own is not None:
        claims.run(own)
    if not reading.as_written:
        if heading and language in _COUNTED:
            claims.run(_heading_rule(language))
        verbal.say(claims, language)
    return claims.words()


def _quiet(found: re.Match[str]) -> str:
    """Nothing for a mark, but in a web address, in which it is a sign like any other."""
    before = found.string[: found.start()].rpartition(" ")[2]
    return found[0] if "://" in before else ""


@lru_cache(maxsize=8)
def _heading_rule(language: str) -> Rule:
    def say(found: re.Match[str]) -> str | None:
        value = roman(found["number"])
        words = cardinal(value, language) if value and found.start() == 0 else None
        return words and words.capitalize()

    return Rule(HEADING, say)
