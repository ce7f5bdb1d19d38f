"""What looks like numbers and is none: addresses, versions, telephone numbers, scores, codes.

They are claimed as they are written, so that no rule for numbers can take them apart. Only a mail
address, or one of the web, is put into words where it has letters and no more: "@", "." and "/"
have one way to be said.
"""

from __future__ import annotations

import re

from narrate.text.verbal.claims import Rule, alone

__all__ = ["ADDRESSES", "CODES", "LEFTOVERS", "MAIL", "UNTOUCHED"]

_URL = re.compile(
    r"\b(?:[a-z][a-z0-9+.-]{1,15}://|www\.)[^\s<>\"”»]+"
    r"|(?<![\w@.])(?:[\w-]+\.)+(?:com|org|net|edu|gov|io|info|de|fr|es|it|uk|ru|cn|jp|kr|pt|br|eu)"
    r"\b(?:[/:?#][^\s<>\"”»]*)?",
    re.IGNORECASE,
)
# Letters alone: what digits and signs are called in an address, the voice may decide.
_WEB = re.compile(
    r"(?<![\w/@.-])(?:https?://|(?=www\.))(?P<host>(?:[a-z]+(?:-[a-z]+)*\.)+[a-z]{2,})"
    r"(?P<path>(?:/[a-z]+(?:-[a-z]+)*)*)/?(?![\w/@:]|[.?#&=%~+-]+\w)",
    re.IGNORECASE,
)
MAIL = re.compile(r"(?<![\w.+@-])[\w.+-]+@(?:[\w-]+\.)+[^\W\d_]{2,}(?![\w@])")
_BOOK_NUMBER = re.compile(
    r"\b(?:ISBN|ISSN)(?:-1[03])?:?\s*\d[\dX \u2010-\u2013-]{6,20}[\dX]\b"
    r"|\bdoi:?\s*10\.\S+|\b10\.\d{4,}/\S+|\barXiv:\s*\S+",
    re.IGNORECASE,
)
_TELEPHONE = re.compile(
    r"(?<![\w.])\+\d[\d ().\u2010-\u2013-]{6,}\d"
    r"|\(\d{2,5}\)\s?\d{2,4}[ -]?\d{2,5}\b"
    r"|(?<![\w.-])\d{3}[.\u2010-\u2013-]\d{3}[.\u2010-\u2013-]\d{4}(?![\w-])"
    r"|(?<![\w.,-])\d{3}-\d{4}(?![\w-])"
    r"|(?<![\w.,])0\d{1,4}(?:[ /]\d{2,4}){1,4}\b"
)
# 2.13.0, 192.168.0.1, v2.1, 3.5.1990
_VERSION = re.compile(
    r"(?<![\w.])[vV]?\d+(?:\.\d+){2,}[\w.+-]*|\b[vV]\d+(?:\.\d+)*\b"
    r"|\b(?:[Vv]ersions?|[Rr]eleases?|Python|Java|Windows|macOS|iOS|Android|Linux|CUDA)"
    r"\s+\d+(?:\.\d+)+"
)
# Sections are counted by parts: 5.21 is the twenty-first of the fifth.
_SECTION = re.compile(
    r"\b(?:[Ss]ection|[Cc]hapter|[Tt]able|[Ff]igure|[Ff]ig\.|[Ss]ec\.|§§?) ?\d+(?:\.\d+)+"
    r"|\A\d+(?:\.\d+)+(?:\.(?=\s)|(?=\s+[A-Z]))"
)
_SLASHED = re.compile(r"(?<![\w/.])\d+(?:/\d+){2,}(?![\w/])")
_HYPHENED = re.compile(r"(?<![\w.,-])\d+(?:[.,:]\d+)*(?:-\d+(?:[.,:]\d+)*)+(?![\w-])")
_SPACED = re.compile(r"(?<![\w.,])(?!\d{1,3}(?: 000)+(?![ \w]?\d))\d+(?: \d+)+(?![\w/]|[.,]\d)")
# Rooms, roads and machines have numbers that nobody says as a count.
_NAMED = re.compile(
    r"\b(?:[Rr]oom|[Ff]light|[Bb]us|[Rr]oute|[Hh]ighway|[Ss]uite|[Aa]partment|[Aa]pt\.?|[Mm]odel"
    r"|[Ee]xtension|[Cc]all(?:ed|ing)?|[Dd]ial(?:l?ed|l?ing)?|[Ee]xt\.|PIN|[Cc]ode"
    r"|[Pp]\.?O\.? [Bb]ox|[Pp]ort|RFC|ISO|IEC|DIN|PEP|CVE)"
    r"[ \u00a0]#?\d[\d.:-]*\d(?![\w])"
)


def _mail(found: re.Match[str]) -> str:
    """ "joe at example dot com"; one with digits or signs in it is left as it is written."""
    name, _, host = found[0].partition("@")
    if not name.replace(".", "").isalpha() or not host.replace(".", "").isalpha():
        return found[0]
    return f"{name} at {host}".replace(".", " dot ")


def _web(found: re.Match[str]) -> str:
    """ "example dot org slash books"; nobody says "https"."""
    return f"{found['host']}{found['path']}".replace(".", " dot ").replace("/", " slash ")


UNTOUCHED = tuple(Rule(pattern, alone) for pattern in (_URL, _BOOK_NUMBER, _TELEPHONE, _VERSION))
"""For every language: shapes that no rule for numbers may touch."""

ADDRESSES = (Rule(MAIL, _mail), Rule(_WEB, _web), *UNTOUCHED)
CODES = tuple(Rule(pattern, alone) for pattern in (_SLASHED, _SECTION, _NAMED))
LEFTOVERS = tuple(Rule(pattern, alone) for pattern in (_HYPHENED, _SPACED))
"""Claimed after the ranges and dates that are made of the same signs: scores, groups of digits."""
