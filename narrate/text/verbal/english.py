"""English, complete: the rules in the order in which they may claim."""

from __future__ import annotations

import re

from narrate.text.verbal.abbreviations import ABBREVIATIONS
from narrate.text.verbal.amounts import AMOUNTS
from narrate.text.verbal.centuries import CENTURIES
from narrate.text.verbal.claims import Group
from narrate.text.verbal.dates import DATES
from narrate.text.verbal.money import MONEY
from narrate.text.verbal.regnal import REGNAL
from narrate.text.verbal.shapes import ADDRESSES, CODES
from narrate.text.verbal.signs import SIGNS

__all__ = ["ENGLISH"]

_DIGIT = re.compile(r"\d|[½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞]")
_MARK = re.compile(r"[&§#№+×=±°@⁰-⁹¹²³]")
_ROMAN = re.compile(r"\b[A-Z][\w’'-]*\.? [IVXLC]+\b|\b(?:[ivxlc]{2,}|[IVXLC]{2,})\b")
# It begins with a class of signs, for which a text is looked through ten times as fast.
_ADDRESS = re.compile(
    r"[:@.)I-](?:(?<=@)|(?<=:)//|(?<=w\.)|(?<=\w\.)[a-z]{2}|(?<=\d[.)-]) ?\d|(?<=I)S[BS]N)"
)

ENGLISH: tuple[Group, ...] = (
    Group(_ADDRESS, ADDRESSES),
    Group(_DIGIT, (*DATES, *MONEY, *CODES)),
    CENTURIES["en"],
    Group(_ROMAN, REGNAL),
    ABBREVIATIONS,
    Group(_MARK, SIGNS),
    Group(_DIGIT, AMOUNTS),
)
