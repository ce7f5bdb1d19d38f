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
_SUM = re.compile(r"(?<=[\w)]) (?P<sign>[+×−±]) (?=[\w(−-])")
_TIMES = re.compile(r"(?<=\d)(?P<sign>[×±])(?=\d)")
_ABOUT = re.compile(r"(?<!\d)±(?=\d)")
_EQUALS = re.compile(r"(?<=[\w²³)\]\"”’']) = (?=[\w(\[\"“‘'$£€−-])")
# 43° 15' N.: minutes are no feet behind degrees, and N is a quarter of the sky.
_PLACE = re.compile(
    r"(?<![\w.,])(?P<degrees>\d{1,3})°(?: ?(?P<minutes>\d{1,2})['’′](?!\w)"
    r"(?: ?(?P<seconds>\d{1,2})(?:[\"”″]|'')(?!\w))?)?"
    r"(?: ?(?P<side>[NSEW])(?![\w’'-]|\.[A-Z])(?P<stop>\.(?=\s+[a-z(]|[,;:)]))?)?"
)
_SIDES = {"N": "north", "S": "south", "E": "east", "W": "west"}
_POWER = re.compile(r"(?<![\w.,])10(?P<minus>⁻)?(?P<power>[⁰¹²³⁴-⁹]{1,2})(?![\w⁰-⁹])")
_SUPER = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_NAMES = {"+": "plus", "×": "times", "−": "minus", "±": "plus or minus"}
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


def _place(found: re.Match[str]) -> str | None:
    """ "forty-three degrees fifteen minutes north"; degrees alone are a unit like others."""
    if not found["minutes"] and not found["side"]:
        return None
    said = [
        f"{cardinal(int(found[unit]))} {unit[:-1] if int(found[unit]) == 1 else unit}"
        for unit in ("degrees", "minutes", "seconds")
        if found[unit]
    ]
    return " ".join([*said, *([_SIDES[found["side"]]] if found["side"] else [])])


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
    Rule(_EQUALS, lambda _: " equals "),
    Rule(_TIMES, lambda found: f" {_NAMES[found['sign']]} "),
    Rule(_ABOUT, lambda _: "plus or minus "),
    Rule(_PLACE, _place),
    Rule(_POWER, _power),
)
