"""Numbers in words, by num2words: cardinals, ordinals, decimals and years, a language each."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

__all__ = ["POINTS", "ROMAN", "cardinal", "decimal", "digits", "money", "ordinal", "roman", "year"]

POINTS = {
    "en": "point", "de": "Komma", "fr": "virgule", "es": "coma", "it": "virgola",
    "pt": "vírgula",
}  # fmt: skip
"""The word for the decimal sign, where the digits after it are said one by one."""

ROMAN = r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})"
_ROMAN = re.compile(ROMAN)
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_MOST_DIGITS = 15  # beyond these nobody says a number in words
_MOST_DECIMALS = 6


@lru_cache(maxsize=4096)
def _converted(value: int | Decimal, language: str, kind: str) -> str | None:
    # Imported here: its fifty languages take 50 ms that a text without numbers never needs.
    from num2words import num2words

    try:
        words: str = num2words(value, lang=language, to=kind)
    except (NotImplementedError, OverflowError, ValueError):
        return None
    return words.replace(",", "")


def cardinal(value: int, language: str = "en") -> str | None:
    """ "one hundred and twenty"; None where num2words has no words for it."""
    if len(str(abs(value))) > _MOST_DIGITS:
        return None
    return _converted(value, language, "cardinal")


def ordinal(value: int, language: str = "en") -> str | None:
    """ "twenty-first", in the form that stands in a dictionary."""
    return _converted(value, language, "ordinal")


def year(value: int, language: str = "en") -> str | None:
    """ "nineteen eighty-four", "nineteen oh five"."""
    words = _converted(value, language, "year")
    return None if words is None else words.replace("oh-", "oh ")


def digits(text: str, language: str = "en") -> str | None:
    """Digits one by one: "four two"."""
    words = [cardinal(int(digit), language) for digit in text]
    return None if None in words else " ".join(word for word in words if word)


def decimal(whole: str, fraction: str, language: str = "en") -> str | None:
    """ "three point one four" from "3" and "14"; None for more digits than anyone listens to."""
    if len(fraction) > _MOST_DECIMALS:
        return None
    if language not in POINTS:
        return _converted(Decimal(f"{whole}.{fraction}"), language, "cardinal")
    first, rest = cardinal(int(whole), language), digits(fraction, language)
    return None if first is None or rest is None else f"{first} {POINTS[language]} {rest}"


@lru_cache(maxsize=1024)
def money(hundredths: int, currency: str, language: str) -> str | None:
    """An amount in whole units and hundredths, in the language's own words for the currency."""
    from num2words import num2words

    try:
        words: str = num2words(hundredths / 100, lang=language, to="currency", currency=currency)
    except (NotImplementedError, OverflowError, ValueError, TypeError):
        return None
    return words.replace(",", "")


def roman(written: str) -> int:
    """The value of a roman numeral in capitals, 0 where it is none."""
    if not written or _ROMAN.fullmatch(written) is None:
        return 0
    values = [_ROMAN_VALUES[char] for char in written]
    pairs = zip(values, [*values[1:], 0], strict=True)
    return sum(-value if value < after else value for value, after in pairs)
