"""English signs in words: "&" between words, "§ 5", "#5", sums, and powers of ten."""

from __future__ import annotations

import re

from narrate.text.verbal.amounts import in_words
from narrate.text.verbal.claims import Rule
from narrate.text.verbal.numerals import cardinal

__all__ = ["SIGNS"]

_AND = re.compile(r"(?<=\s)&(?=\s)")
_SECTION = re.compile(r"(?P<sign>§§?)\s*(?=\d|[IVXLC]+\b)")
_HASH = re.compile(r"(?<![\w#&])(?:#|№ ?)(?P<number>\d{1,4})(?![\w-])")
_SUM = re.compile(r"(?<=[\w)]) (?P<sign>[+=×−±]) (?=[\w(−-])")
_TIMES = re.compile(r"(?<=\d)(?P<sign>[×±])(?=\d)")
_ABOUT = re.compile(r"(?<!\d)±(?=\d)")
_CELSIUS = re.compile(r"(?<=\d)°(?= ?[NSEW]\b)")
_POWER = re.compile(r"(?<![\w.,])10(?P<minus>⁻)?(?P<power>[⁰¹²³⁴-⁹]{1,2})(?![\w⁰-⁹])")
_SUPER = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_NAMES = {"+": "plus", "=": "equals", "×": "times", "−": "minus", "±": "plus or minus"}
_MOST_POWER = 30


def _section(found: re.Match[str]) -> str | None:
    return "section " if len(found["sign"]) == 1 else "sections "


def _hash(found: re.Match[str]) -> str | None:
    words = in_words(found["number"])
    return words and f"number {words}"


def _sum(found: re.Match[str]) -> str | None:
    """Between numbers or single letters a sign is arithmetic; between words it may be anything."""
    left = re.search(r"(?<!\w)(?:[\d.,]+|[a-zA-Z])\)?$", found.string[: found.start()])
    right = re.match(r"[(−-]?(?:\d|[a-zA-Z](?!\w))", found.string[found.end() :])
    return f" {_NAMES[found['sign']]} " if left and right else None


def _power(found: re.Match[str]) -> str | None:
    value = int(found["power"].translate(_SUPER))
    if value > _MOST_POWER:
        return None
    return f"ten to the power of {'minus ' if found['minus'] else ''}{cardinal(value)}"


SIGNS = (
    Rule(_AND, lambda _: "and"),
    Rule(_SECTION, _section),
    Rule(_HASH, _hash),
    Rule(_SUM, _sum),
    Rule(_TIMES, lambda found: f" {_NAMES[found['sign']]} "),
    Rule(_ABOUT, lambda _: "plus or minus "),
    Rule(_CELSIUS, lambda _: " degrees"),
    Rule(_POWER, _power),
)
