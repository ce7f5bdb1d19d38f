"""English numbers: counts, decimals, ordinals, ranges, fractions, percentages and units."""

from __future__ import annotations

import re

from narrate.text.verbal.claims import Rule, word_after, word_before
from narrate.text.verbal.nouns import COUNTED, IN_YEARS, SMALL_WORDS
from narrate.text.verbal.numerals import cardinal, decimal, ordinal, year
from narrate.text.verbal.shapes import LEFTOVERS
from narrate.text.verbal.units import ATTACHED, UNITS

__all__ = ["AMOUNTS", "NUMBER", "VULGAR", "in_words", "part_in_words"]

NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?: 000)+|\d+(?:\.\d+)?|\.\d+"
"""1,234.50 or 10 000 or 3.14 or .5"""

VULGAR = {
    "½": (1, 2), "⅓": (1, 3), "⅔": (2, 3), "¼": (1, 4), "¾": (3, 4), "⅕": (1, 5), "⅖": (2, 5),
    "⅗": (3, 5), "⅘": (4, 5), "⅙": (1, 6), "⅚": (5, 6), "⅛": (1, 8), "⅜": (3, 8), "⅝": (5, 8),
    "⅞": (7, 8),
}  # fmt: skip
_SIGN = "".join(VULGAR)
_BEFORE = r"(?<![\w.,:/\\^~=<>@#$£€¥₹+×*'’–—-])(?<!\w\()(?<![\w.,;:!?”’\"]\[)"
_AFTER = r"(?![\w/\\^%°²³⁰-⁹=+×*~]|[.,:]\d|[–-]\w|['’′]\d|[′″])"
_MINUS = r"(?P<minus>−|(?<=[ (])-|\A-(?=\d+(?:\.\d+)? ?°))?"
_RANGE = rf"(?:(?P<low>{NUMBER}) ?[–—-] ?)?(?P<high>{NUMBER})"
_AMOUNT = rf"{_BEFORE}{_MINUS}(?:{_RANGE})(?P<part> ?[{_SIGN}]| \d{{1,2}}/\d{{1,2}})?"
_UNIT = "|".join(sorted(map(re.escape, UNITS), key=len, reverse=True))
_JOINED = "|".join(sorted(map(re.escape, ATTACHED), key=len, reverse=True))
# "6 ft. 4 in.", "12 lbs. 5 oz.": the stop ends no sentence before a smaller unit.
_SMALLER = rf"\s+\d{{1,2}}(?: ?[{_SIGN}])? ?(?:ins?\.|inch|ozs?\b|mins?\b|secs?\b|lbs?\b)"
_PERCENT = re.compile(rf"{_AMOUNT} ?%(?![\w%])")
_MEASURE = re.compile(
    rf"{_AMOUNT}(?:[ \u202f](?P<unit>{_UNIT})|(?P<joined>{_JOINED})|-(?P<hyphened>{_UNIT}))"
    rf"(?![\w²³/*°-]|\.\w)(?P<stop>\.(?=\s+[a-z(]|,|{_SMALLER}))?"
)
# "in." alone is as often the word that ends a sentence.
_INCHES = re.compile(
    rf"(?:(?<=\dft\. )|(?<=\d ft\. )|(?<=\d ft )|(?<=\d feet )|(?<=\b1 foot ))"
    rf"(?P<number>\d{{1,2}})(?P<part> ?[{_SIGN}])? ins?"
    r"(?:\.(?=\s+[a-z(]|[,;:)])|(?=\.))"
)
_FRACTION = re.compile(
    rf"(?<![\w.,/:$£€¥+-])(?:(?P<whole>\d{{1,3}})[ -]?)?(?:(?P<sign>[{_SIGN}])"
    r"|(?<![\d/])(?P<top>\d{1,2})[/⁄](?P<bottom>\d{1,3}))(?![\w/%]|\.\d)"
)
_ORDINAL = re.compile(
    r"(?<![\w.,/–-])(\d{1,3}(?:,\d{3})+|\d+)(st|nd|rd|th|ST|ND|RD|TH)(?!\w|[–-]\d)"
)
_COMPOUND = re.compile(rf"{_BEFORE}({NUMBER})(?=-[a-z]+(?:-[a-z]+)*(?![\w-]))")
_NUMBERS = re.compile(rf"{_BEFORE}(?P<low>\d+) ?[–—-] ?(?P<high>\d+){_AFTER}")
_PLAIN = re.compile(rf"{_BEFORE}{_MINUS}(?P<number>{NUMBER}){_AFTER}")
_LISTED_WORDS = """
    page pages p. pp. chapter chapters ch. verse verses line lines vv. vol. vols. volumes aged
    ages section sections § §§ items lots nos. numbers
"""
_LISTED = frozenset(_LISTED_WORDS.split())
_NO_FRACTION_BEFORE = frozenset(
    ["on", "by", "since", "until", "dated", "due", "before", "after", "for"]
)
_TENTHS = frozenset((2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 20, 32, 64, 100))
_SURE_FRACTIONS = frozenset(((1, 2), (1, 3), (2, 3), (1, 4), (3, 4)))
_NAME_BEFORE = re.compile(r"[\w,;’'] (?P<name>[A-Z][\w’']*)[ \n]$")
_NUMBERED = frozenset(
    [
        "chapter",
        "page",
        "line",
        "verse",
        "psalm",
        "sonnet",
        "figure",
        "table",
        "opus",
        "op",
        "volume",
        "year",
        "ad",
    ]
)
_MOST_YEAR = 2100
_LEAST_YEAR = 1100


def in_words(written: str) -> str | None:
    """A number as English writes it in words; None for what begins with a loose zero."""
    whole, _, fraction = written.replace(",", "").replace(" ", "").partition(".")
    if len(whole) > 1 and whole[0] == "0":
        return None
    return decimal(whole or "0", fraction) if fraction else cardinal(int(whole))


def _value(written: str) -> float:
    return float(written.replace(",", "").replace(" ", ""))


def _amount(found: re.Match[str]) -> tuple[str, bool] | None:
    """An amount in words, and whether it is one of its unit."""
    low, high = found["low"], in_words(found["high"])
    if high is None:
        return None
    words, single = high, found["high"] == "1" and not low
    if low is not None:
        first = in_words(low)
        if first is None or _value(low) >= _value(found["high"]):
            return None
        words = f"{first} to {high}"
    if found["part"]:
        part = part_in_words(found["part"].strip())
        if part is None or "." in found["high"]:
            return None
        words, single = f"{words} and {part}", False
    return (f"minus {words}" if found["minus"] else words), single


def part_in_words(written: str) -> str | None:
    """ "a half", "three quarters": a fraction after a whole number."""
    top, bottom = VULGAR.get(written) or tuple(map(int, written.split("/")))
    if not 0 < top < bottom or bottom not in _TENTHS:
        return None
    if bottom == 2:
        return "a half"
    name = "quarter" if bottom == 4 else ordinal(bottom)
    return f"a {name}" if top == 1 and bottom == 4 else _counted(top, name)


def _counted(top: int, name: str | None) -> str | None:
    count = cardinal(top)
    return None if name is None or count is None else f"{count} {name}{'' if top == 1 else 's'}"


def _percent(found: re.Match[str]) -> str | None:
    amount = _amount(found)
    return None if amount is None else f"{amount[0]} percent"


def _measure(found: re.Match[str]) -> str | None:
    unit = found["unit"] or found["joined"] or found["hyphened"]
    amount = _amount(found)
    if amount is None:
        return None
    one, many = UNITS[unit]
    if found["hyphened"]:
        return f"{amount[0].replace(' ', '-')}-{one}"
    return f"{amount[0]} {one if amount[1] else many}"


def _inches(found: re.Match[str]) -> str | None:
    words = in_words(found["number"])
    part = part_in_words(found["part"].strip()) if found["part"] else ""
    if words is None or part is None:
        return None
    return f"{words}{' and ' if part else ''}{part} {'inch' if words == 'one' else 'inches'}"


def _fraction(found: re.Match[str]) -> str | None:
    """A fraction that can be nothing else; 9/11, 24/7 and 3/4 time stay as they are."""
    if found["sign"]:
        top, bottom = VULGAR[found["sign"]]
    else:
        top, bottom = int(found["top"]), int(found["bottom"])
        if not found["whole"] and not _is_fraction(found, top, bottom):
            return None
    whole = found["whole"]
    if whole:
        part, count = part_in_words(f"{top}/{bottom}"), cardinal(int(whole))
        return None if part is None or count is None else f"{count} and {part}"
    if (top, bottom) == (1, 2) and word_after(found) in ("a", "an"):
        return "half"
    if not 0 < top < bottom or bottom not in _TENTHS:
        return None
    name = {2: "half", 4: "quarter"}.get(bottom) or ordinal(bottom)
    return _counted(top, name)


def _is_fraction(found: re.Match[str], top: int, bottom: int) -> bool:
    after = word_after(found)
    if after == "time" or word_before(found).casefold() in _NO_FRACTION_BEFORE:
        return False
    if (top, bottom) in _SURE_FRACTIONS:
        return True
    return after == "of" and 0 < top < bottom and bottom in _TENTHS


def _ordinal(found: re.Match[str]) -> str | None:
    value = int(found[1].replace(",", ""))
    ending = {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")
    if value % 100 in (11, 12, 13):
        ending = "th"
    return ordinal(value) if found[2].lower() == ending and len(found[1]) < 10 else None


def _compound(found: re.Match[str]) -> str | None:
    """The number of "10,000-year-old", its own words held together."""
    words = in_words(found[1])
    return None if words is None else words.replace(" ", "-")


def _numbers(found: re.Match[str]) -> str | None:
    """A range of numbers; two numbers and a hyphen alone may be a score or a code."""
    low, high = int(found["low"]), int(found["high"])
    sure = word_after(found) in COUNTED or word_before(found).casefold() in _LISTED
    first, last = in_words(found["low"]), in_words(found["high"])
    if not sure or low >= high or first is None or last is None:
        return None
    return f"{first} to {last}"


def _plain(found: re.Match[str]) -> str | None:
    """A count, or a year where four digits are one; None where it could be either."""
    written, minus = found["number"], found["minus"]
    after, before = word_after(found), word_before(found).casefold()
    whole = written.isdecimal()
    if whole and len(written) > 1 and written[0] == "0":
        return None
    if whole and len(written) == 4 and not minus:
        words = _four_digits(int(written), before, after)
    elif (
        (whole and len(written) > 4 and not written.endswith("000") and after not in COUNTED)
        or (whole and len(written) == 3 and _is_name(found, after))
        or (minus == "-" and "." not in written and after in SMALL_WORDS)
    ):
        words = None
    else:
        words = in_words(written)
    return words and (f"minus {words}" if minus else words)


def _is_name(found: re.Match[str], after: str) -> bool:
    """Whether a number belongs to a name: nobody says "Boeing 747" as a count."""
    start = found.start()
    name = _NAME_BEFORE.search(found.string[max(0, start - 30) : start])
    if name is None or after in COUNTED or after in ("BC", "BCE", "AD", "CE"):
        return False
    return name["name"].casefold() not in SMALL_WORDS | _NUMBERED


def _four_digits(value: int, before: str, after: str) -> str | None:
    if after in COUNTED or before in _LISTED or before == "than":
        return cardinal(value)
    if not (_LEAST_YEAR <= value < _MOST_YEAR or (value >= 1000 and before in IN_YEARS)):
        return cardinal(value) if value % 100 == 0 and value else None
    plural = after.endswith("s") and after not in SMALL_WORDS and not after.endswith(("ss", "us"))
    if plural and after.islower() and len(after) > 3:
        return None
    return year(value) if value < _MOST_YEAR else None


AMOUNTS = (
    Rule(_PERCENT, _percent),
    Rule(_INCHES, _inches),
    Rule(_MEASURE, _measure),
    Rule(_FRACTION, _fraction),
    Rule(_ORDINAL, _ordinal),
    Rule(_NUMBERS, _numbers),
    *LEFTOVERS,
    Rule(_COMPOUND, _compound),
    Rule(_PLAIN, _plain),
)
