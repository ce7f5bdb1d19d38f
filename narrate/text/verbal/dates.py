"""English dates, years, decades and clock times, in the forms that mean one thing only."""

from __future__ import annotations

import re

from narrate.text.verbal.claims import Rule, word_before
from narrate.text.verbal.nouns import MONTH_NAMES, MONTHS
from narrate.text.verbal.numerals import cardinal, ordinal, year

__all__ = ["DATES"]

_SHORT = "Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec"
_LARGE = "|".join(name.upper() for name in MONTH_NAMES)  # as over letters and on stones
_MONTH = rf"(?P<month>{'|'.join(MONTH_NAMES)}|{_LARGE}|(?:{_SHORT})\.?)"
_DAY = r"(?P<day>[12]\d|3[01]|0?[1-9])(?P<ending>st|nd|rd|th|(?<=[23])d\b)?"
_YEAR = r"(?P<year>1\d{3}|20\d\d)"
_END = r"(?![\w/]|[.,:]\d|[–-]\d)"
_DAY_FIRST = re.compile(
    rf"(?P<the>\b[Tt]he )?(?<![\w.,:/$£€–-]){_DAY}(?: of)? {_MONTH}(?:(?P<comma>,?) {_YEAR}{_END})?"
    r"(?!\w)"
)
_MONTH_FIRST = re.compile(
    rf"\b{_MONTH} {_DAY}(?:[–-](?P<last>[12]\d|3[01]|[1-9]))?(?![\d])"
    rf"(?:(?P<comma>,?) {_YEAR}{_END})?(?![\w/]|[.:]\d|[–-]\d|,\d)"
)
_MONTH_YEAR = re.compile(rf"\b{_MONTH},? {_YEAR}{_END}")
_ISO = re.compile(rf"(?<![\w/.-]){_YEAR}-(?P<number>0[1-9]|1[0-2])-(?P<day>[0-2]\d|3[01])(?![\w-])")
_YEARS = re.compile(
    rf"(?<![\w.,:/$£€#–-]){_YEAR} ?(?:–|—|--|-) ?"
    r"(?P<last>(?:1\d|20)\d\d|\d\d)(?![\w/]|[.:]\d|[–-]\d)"
)
_DECADE = re.compile(r"(?<![\w.,:/$£€])(?<!\d[–-])(?P<year>1[1-9]\d0|20\d0)['’]?s(?!\w)")
_SHORT_DECADE = re.compile(r"(?<!\w)['’‘](?P<short>[2-9]0)['’]?s(?!\w)")
_NAMED_DECADE = re.compile(
    r"(?:(?<=\b[Tt]he )|(?<=\b[Hh]is )|(?<=\b[Hh]er )|(?<=\b[Mm]y )|(?<=\b[Oo]ur )"
    r"|(?<=\b[Tt]heir )|(?<=\b[Yy]our )|(?<=[Ee]arly[ -])|(?<=[Ll]ate[ -])|(?<=[Mm]id[ -]))"
    r"(?P<short>[2-9]0)['’]?s(?!\w)"
)
_CLOCK = r"(?:[01]?\d|2[0-4]):[0-5]\d"
_HALF = r"(?: ?(?P<half>[ap])(?:\. ?)?m\b(?P<stop>\.)?)"
_TIMES = re.compile(
    rf"(?<![\w.,:/-])(?P<first>{_CLOCK}) ?[–-] ?(?P<last>{_CLOCK}){_HALF}?(?!\d|:\d)"
)
_TIME = re.compile(rf"(?<![\w.,:/–-])(?P<last>{_CLOCK}){_HALF}?(?![\w:/]|[–-]\d|\.\d)", re.I)
# "10.30 a.m.": with a stop between hour and minute only the half of the day makes it a time.
_STOPPED = re.compile(
    rf"(?<![\w.,:/$£€–-])(?P<last>(?:1[0-2]|0?[1-9])\.[0-5]\d){_HALF}(?!\w)", re.I
)
# "at 5.30 in the morning": nor is a price or a rate that.
_STOPPED_BY_DAY = re.compile(
    r"(?:(?<=\b[Aa]t )|(?<=\b[Bb]y )|(?<=\b[Tt]ill )|(?<=\b[Uu]ntil )|(?<=\b[Aa]bout ))"
    r"(?P<last>(?:1[0-2]|0?[1-9])\.[0-5]\d)"
    r"(?= (?:in the (?:morning|afternoon|evening)|at night|o['’]clock)\b)"
)
_HOUR = re.compile(rf"(?<![\w.,:/–-])(?P<hour>1[0-2]|[1-9]){_HALF}(?!\w)", re.I)
_O_CLOCK = re.compile(r"(?<![\w.,:/-])(?P<hour>1[0-2]|[1-9])(?=(?: |-)o['’]clock)")
_COUNTING = frozenset(
    [
        "in",
        "on",
        "of",
        "by",
        "since",
        "until",
        "till",
        "from",
        "to",
        "before",
        "after",
        "and",
        "this",
        "next",
        "last",
    ]
)


def _month(found: re.Match[str]) -> str:
    return MONTH_NAMES[MONTHS[found["month"].rstrip(".").title()] - 1]


def _day(found: re.Match[str]) -> str | None:
    value = int(found["day"])
    ending = "th" if value in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")
    written = found["ending"] or ending
    # "the 3d of June": as it was written once, without the other letter.
    return ordinal(value) if written in (ending, ending[1:]) and written != "h" else None


def _with_year(words: str, found: re.Match[str]) -> str | None:
    if found["year"] is None:
        return words
    said = year(int(found["year"]))
    return None if said is None else f"{words}{found['comma'] or ''} {said}"


def _day_first(found: re.Match[str]) -> str | None:
    day, article = _day(found), found["the"]
    if day is None or found["month"] == "Mar":
        return None
    before = word_before(found).casefold()
    if article is None:
        article = "" if before in ("the", "this", "that") else "the "
    return _with_year(f"{article}{day} of {_month(found)}", found)


def _month_first(found: re.Match[str]) -> str | None:
    """ "May 5": where no year and no comma follows, "May" and "March" may be verbs."""
    day = _day(found)
    verb = (
        found["month"].title() in ("May", "March", "Mar")
        and not found["year"]
        and not found["ending"]
    )
    loose = verb and found.string[found.end() :][:1] not in (",", ".", "", ")", ";")
    if day is None or (loose and word_before(found).casefold() not in _COUNTING):
        return None
    words = f"{_month(found)} {day}"
    if found["last"] is not None:
        if int(found["last"]) <= int(found["day"]):
            return None
        words = f"{words} to {ordinal(int(found['last']))}"
    return _with_year(words, found)


def _month_year(found: re.Match[str]) -> str | None:
    words = year(int(found["year"]))
    return words and f"{_month(found)} {words}"


def _iso(found: re.Match[str]) -> str | None:
    day, words = int(found["day"]), year(int(found["year"]))
    if day == 0 or words is None:
        return None
    return f"{MONTH_NAMES[int(found['number']) - 1]} {ordinal(day)}, {words}"


def _years(found: re.Match[str]) -> str | None:
    """ "1914–18" is nineteen fourteen to eighteen; what counts down is no range."""
    first, last = int(found["year"]), int(found["last"])
    if len(found["last"]) == 2:
        if last <= first % 100:
            return None
        end = cardinal(last) if last > 9 else f"oh {cardinal(last)}"
    elif last <= first:
        return None
    else:
        end = year(last)
    return f"{year(first)} to {end}"


def _decade(found: re.Match[str]) -> str | None:
    words = year(int(found["year"]))
    return words and _plural(words)


def _short_decade(found: re.Match[str]) -> str | None:
    words = cardinal(int(found["short"]))
    return words and _plural(words)


def _plural(words: str) -> str:
    return f"{words[:-1]}ies" if words.endswith("y") else f"{words}s"


def _time(found: re.Match[str]) -> str | None:
    words = _clock(found["last"], bool(found["half"]))
    return words and words + _half(found)


def _times(found: re.Match[str]) -> str | None:
    first = _clock(found["first"], True)
    last = _clock(found["last"], bool(found["half"]))
    return first and last and f"{first} to {last}{_half(found)}"


def _hour(found: re.Match[str]) -> str | None:
    words = cardinal(int(found["hour"]))
    return words and words + _half(found)


def _half(found: re.Match[str]) -> str:
    """ " a.m." as written with stops; the stop may end the sentence, so it is kept."""
    return f" {found['half'].lower()}.m." if found["half"] else ""


def _clock(written: str, half: bool) -> str | None:
    """ "ten thirty", "ten oh five", "ten o'clock", "fourteen hundred"."""
    hour, minute = map(int, re.split("[:.]", written))
    said = cardinal(hour)
    if said is None or hour > 24 or (hour == 0 and half):
        return None
    if written.startswith("0") and not half:
        said = "midnight" if (hour, minute) == (0, 0) else f"oh {said}" if hour else "zero"
    if minute == 0:
        whole = half or said == "midnight"
        return said if whole else f"{said} o'clock" if 0 < hour < 13 else f"{said} hundred"
    return f"{said} oh {cardinal(minute)}" if minute < 10 else f"{said} {cardinal(minute)}"


DATES = (
    Rule(_ISO, _iso),
    Rule(_DAY_FIRST, _day_first),
    Rule(_MONTH_FIRST, _month_first),
    Rule(_MONTH_YEAR, _month_year),
    Rule(_YEARS, _years),
    Rule(_DECADE, _decade),
    Rule(_SHORT_DECADE, _short_decade),
    Rule(_NAMED_DECADE, _short_decade),
    Rule(_TIMES, _times),
    Rule(_TIME, _time),
    Rule(_STOPPED, _time),
    Rule(_STOPPED_BY_DAY, lambda found: _clock(found["last"], True)),
    Rule(_HOUR, _hour),
    Rule(_O_CLOCK, lambda found: cardinal(int(found["hour"]))),
)
