"""English abbreviations from a closed list, each only where it can mean one thing."""

from __future__ import annotations

import re
from collections.abc import Iterable

from narrate.text.verbal.claims import Group, Rule
from narrate.text.verbal.nouns import COUNTED

__all__ = ["ABBREVIATIONS"]

_TITLES = {
    "Mr.": "Mister", "Mrs.": "Missus", "Prof.": "Professor", "Rev.": "Reverend",
    "Capt.": "Captain", "Col.": "Colonel", "Gen.": "General", "Lt.": "Lieutenant",
    "Sgt.": "Sergeant", "Maj.": "Major", "Gov.": "Governor", "Sen.": "Senator",
    "Mme.": "Madame", "Mlle.": "Mademoiselle", "Wm.": "William", "Geo.": "George",
    "Chas.": "Charles", "Jas.": "James", "Thos.": "Thomas", "Jno.": "John", "Robt.": "Robert",
    "Benj.": "Benjamin", "Saml.": "Samuel", "Danl.": "Daniel",
    "Hon.": "Honourable", "Mt.": "Mount", "Cmdr.": "Commander", "Supt.": "Superintendent",
}  # fmt: skip
_COUNTED = {
    "No.": "Number", "Nos.": "Numbers", "no.": "number", "nos.": "numbers", "p.": "page",
    "pp.": "pages", "Vol.": "Volume", "vol.": "volume", "vols.": "volumes", "Fig.": "Figure",
    "fig.": "figure", "Figs.": "Figures", "Ch.": "Chapter", "ch.": "chapter", "Chap.": "Chapter",
    "chap.": "chapter", "Sec.": "Section", "sec.": "section", "Art.": "Article", "ca.": "circa",
    "c.": "circa", "approx.": "approximately", "Eq.": "Equation", "Approx.": "Approximately",
}  # fmt: skip
_PHRASES = {
    "e.g.": "for example", "i.e.": "that is", "viz.": "namely", "vs.": "versus", "cf.": "compare",
    "i. e.": "that is", "e. g.": "for example", "I. e.": "That is", "E. g.": "For example",
    "E.g.": "For example", "I.e.": "That is", "Cf.": "Compare", "approx.": "approximately",
    "dept.": "department", "Dept.": "Department", "Esq.": "Esquire", "incl.": "including",
    "etc.": "et cetera", "Jr.": "Junior", "Sr.": "Senior", "&c.": "et cetera",
    "et al.": "et alii",
}  # fmt: skip
_LAST = ("etc.", "Jr.", "Sr.", "Esq.", "&c.", "et al.")


def _either(words: dict[str, str]) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))


_NAME = r"(?=\s+(?:[A-Z]\.\s+)*[“\"‘']?[^\W\d_a-zß-öø-ÿ][^\W\d_]|\s+[A-Z]\.\s*[A-Z])"
_COUPLE = r"(?=\s+(?:and|or|&)\s+M(?:rs?|iss)\b)"
_TITLE = re.compile(rf"(?<![\w.])(?P<short>{_either(_TITLES)})(?:{_NAME}|{_COUPLE})")
# "12 Elm Dr. West" is a street; a doctor has a name, and no house number stands before.
_DOCTOR = re.compile(rf"(?<![\w.])(?<!\d )(?P<short>Dr\.){_NAME}")
_STREET = re.compile(r"\d+[a-z]? (?:[A-Z][\w'’.]* )+$")
_SAINT = re.compile(r"(?<![\w.])St\.(?=\s+[A-Z][a-z]+)")
_CAPITAL_BEFORE = re.compile(r"(?P<word>\b[A-Z][\w'’]*|\d(?:st|nd|rd|th))\s$")
_NO_STREETS = frozenset(
    [
        "In",
        "At",
        "Of",
        "From",
        "To",
        "And",
        "The",
        "For",
        "By",
        "With",
        "On",
        "Near",
        "Since",
        "When",
        "As",
        "So",
        "But",
    ]
)
_COUNT = re.compile(
    rf"(?<![\w.])(?P<short>{_either(_COUNTED)})(?P<space>\s?)(?=(?P<digits>\d+)(?P<noun> [a-z]+)?)"
)
_PHRASE = re.compile(rf"(?<![\w.@])(?P<short>{_either(_PHRASES)})(?!\w)(?P<rest>\s*)")
_SENTENCE_ENDS = re.compile(r"[”’\"')\]»]*(?:\s+[“‘\"'(«]?[A-Z]|\s*$)")


def _gate(words: Iterable[str]) -> re.Pattern[str]:
    """Any of these words, found by its last stop: most stops stand behind none of them."""
    by_length: dict[int, list[str]] = {}
    for word in words:
        by_length.setdefault(len(word), []).append(re.escape(word))
    behind = "|".join(f"(?<={'|'.join(same)})" for same in by_length.values())
    return re.compile(rf"\.(?:{behind})")


def _title(found: re.Match[str]) -> str | None:
    return _TITLES[found["short"]]


def _doctor(found: re.Match[str]) -> str | None:
    before = found.string[max(0, found.start() - 60) : found.start()]
    return None if _STREET.search(before) else "Doctor"


def _saint(found: re.Match[str]) -> str | None:
    """A saint stands after no name: in "Main St. Louis went home" the stop ends a street."""
    capital = _CAPITAL_BEFORE.search(found.string[max(0, found.start() - 30) : found.start()])
    if capital is not None and capital["word"] not in _NO_STREETS:
        return None
    return "Saint"


def _count(found: re.Match[str]) -> str | None:
    """A number's short word; in "He said no. 5 men left" it is none."""
    counted = (found["noun"] or "").strip() in COUNTED
    if found["short"] in ("c.", "ca.") and len(found["digits"]) < 3:
        return None
    if counted and found["short"] in ("No.", "no."):
        return None
    return _COUNTED[found["short"]] + (found["space"] or " ")


def _phrase(found: re.Match[str]) -> str | None:
    """The words, with the stop kept where the sentence ends with it."""
    words, rest = _PHRASES[found["short"]], found["rest"]
    ends = found["short"] in _LAST and _SENTENCE_ENDS.match(found.string, found.end("short"))
    if ends and found["short"] in ("Jr.", "Sr.", "Esq.") and found.end() < len(found.string):
        ends = None  # "John Smith Jr. Was there": as often the next name
    return f"{words}{'.' if ends else ''}{rest}"


ABBREVIATIONS = Group(
    _gate(("Dr.", "St.", *_TITLES, *_COUNTED, *_PHRASES)),
    (
        Rule(_COUNT, _count),
        Rule(_TITLE, _title),
        Rule(_DOCTOR, _doctor),
        Rule(_SAINT, _saint),
        Rule(_PHRASE, _phrase),
    ),
)
