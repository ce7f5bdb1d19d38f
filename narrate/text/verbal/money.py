"""English money: "$5.20" is five dollars and twenty cents, "£3 10s." three pounds ten shillings."""

from __future__ import annotations

import re

from narrate.text.verbal.amounts import NUMBER, in_words, part_in_words
from narrate.text.verbal.claims import Rule, word_after, word_before
from narrate.text.verbal.nouns import SMALL_WORDS
from narrate.text.verbal.numerals import cardinal

__all__ = ["MONEY"]

_NAMES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "US$": ("US dollar", "US dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
    "¥": ("yen", "yen", "", ""),
    "₹": ("rupee", "rupees", "paisa", "paise"),
}
_SCALES = {"k": "thousand", "K": "thousand", "m": "million", "M": "million", "bn": "billion",
           "B": "billion", "b": "billion"}  # fmt: skip
_SIGN = r"US\$|[$£€¥₹]"
_SCALE = r"(?:[ -](?P<scale>hundred|thousand|million|billion|trillion)\b|(?P<short>bn|[kKmMbB])\b)?"
_BEFORE = r"(?<![\w$£€¥₹.,/])"
_END = r"(?![\w$£€¥₹/%]|[.,]\d)"
_PREFIXED = re.compile(
    rf"{_BEFORE}(?P<minus>[−-])?(?P<sign>{_SIGN}) ?"
    rf"(?:(?P<low>{NUMBER}) ?[–-] ?(?:{_SIGN})?)?(?P<number>{NUMBER}){_SCALE}{_END}"
)
_SUFFIXED = re.compile(rf"(?<![\w.,/:-])(?P<number>{NUMBER}){_SCALE} ?(?P<sign>[£€¥¢])(?!\w)")
# Shillings by themselves could be a decade, and pence an ordinal: each needs the other, or pounds.
_STERLING = re.compile(
    r"(?<![\w$£€.,/–-])(?:£ ?(?P<pounds>\d{1,3}(?:,\d{3})+|\d+)[.,]? (?=\d+ ?s\b))?"
    r"(?P<shillings>\d{1,2}) ?s\b(?:(?:\.,?|,)? (?P<pence>1[01]|\d)(?P<part>[½¼¾])? ?d\b)?"
    r"(?![’'-])(?P<stop>\.(?=\s+[a-z(0-9]|[,;:)–—-]))?"
)
_DETERMINERS = frozenset(
    ["a", "an", "the", "this", "that", "his", "her", "their", "my", "our", "your", "one", "another"]
)


def _sterling(found: re.Match[str]) -> str | None:
    """ "three pounds ten shillings and six pence"; without pounds or pence it is left alone."""
    if not found["pounds"] and not found["pence"]:
        return None
    said = []
    if found["pounds"]:
        pounds = int(found["pounds"].replace(",", ""))
        said.append(f"{cardinal(pounds)} {'pound' if pounds == 1 else 'pounds'}")
    shillings = int(found["shillings"])
    if shillings or not found["pounds"]:
        said.append(f"{cardinal(shillings)} {'shilling' if shillings == 1 else 'shillings'}")
    words = " ".join(said)
    if not found["pence"]:
        return words
    part = f" and {part_in_words(found['part'])}" if found["part"] else ""
    if found["pence"] == "0":
        return words if not part else None
    penny = "penny" if found["pence"] == "1" and not part else "pence"
    return f"{words} and {cardinal(int(found['pence']))}{part} {penny}"


def _prefixed(found: re.Match[str]) -> str | None:
    words = _amount(found, found["low"])
    return words and (f"minus {words}" if found["minus"] else words)


def _suffixed(found: re.Match[str]) -> str | None:
    if found["sign"] == "¢":
        words = in_words(found["number"])
        return None if words is None else f"{words} {'cent' if words == 'one' else 'cents'}"
    return _amount(found, None)


def _amount(found: re.Match[str], low: str | None) -> str | None:
    one, many, cent, cents = _NAMES[found["sign"]]
    scale = found["scale"] or _SCALES.get(found["short"] or "", "")
    before = word_before(found).casefold()
    after = word_after(found)
    describing = before in _DETERMINERS and after.islower() and after not in SMALL_WORDS
    # "$20-a-day": what stands before a hyphen describes, too.
    describing = describing or re.match(r"-[a-z]", found.string[found.end() :][:2]) is not None
    whole, _, fraction = found["number"].replace(",", "").replace(" ", "").partition(".")
    if len(fraction) == 2 and not scale and not low and cent:
        return _coins(int(whole or "0"), int(fraction), (one, one, cent, cent)
                      if describing else (one, many, cent, cents))  # fmt: skip
    words = in_words(found["number"])
    if words is None:
        return None
    if low is not None:
        first = in_words(low)
        if first is None:
            return None
        words = f"{first} to {words}"
    if scale:
        words = f"{words} {scale}"
    return f"{words} {one if describing or words == 'one' else many}"


def _coins(whole: int, hundredths: int, names: tuple[str, str, str, str]) -> str | None:
    one, many, cent, cents = names
    first, rest = cardinal(whole), cardinal(hundredths)
    if first is None or rest is None:
        return None
    units = f"{first} {one if whole == 1 else many}"
    coins = f"{rest} {cent if hundredths == 1 else cents}"
    if not hundredths:
        return units
    return f"{units} and {coins}" if whole else coins


MONEY = (Rule(_STERLING, _sterling), Rule(_PREFIXED, _prefixed), Rule(_SUFFIXED, _suffixed))
