"""The other languages, as far as num2words has their words and the form does not hang on the noun.

A number whose form follows the gender or the case of what it counts ("21 libros", "с 5 книгами")
is left as it is written: the voice knows no less about it than these rules do. Chinese is left
alone altogether, Korean but for the counters that take Chinese numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from narrate.text.verbal.abroad import ABROAD
from narrate.text.verbal.centuries import CENTURIES
from narrate.text.verbal.claims import Group, Rule, alone, word_after, word_before
from narrate.text.verbal.numerals import cardinal, decimal, money, ordinal, year
from narrate.text.verbal.shapes import MAIL, UNTOUCHED

__all__ = ["OTHERS"]

_DIGIT = re.compile(r"\d")
_BEFORE = r"(?<![\w.,:/\\^~=<>@#$£€¥₽+×*'’–—-])"
_AFTER = r"(?![\w/\\^%°²³⁰-⁹=+×*$£€¥₽ºª]|[.,:]\d|[–-][\w]| \d| ?[€$£¥₽%])"
_ZERO = re.compile(r"(?:,? (?:und|et|con|e|y))? ?(?:null|zéro|cero|zero|ноль) \w+$")
_CODES = {"€": "EUR", "$": "USD", "£": "GBP", "₽": "RUB"}


@dataclass(frozen=True, slots=True)
class _Manner:
    """How a language writes and says numbers."""

    language: str
    group: str  # between thousands, a character class
    point: str
    percent: str
    changing: re.Pattern[str]  # the last digits of numbers whose form follows the noun
    years: bool = False  # whether a year is said otherwise than a count
    cases: re.Pattern[str] | None = None  # words before a number that change its case

    @property
    def number(self) -> str:
        """The pattern of a number, its thousands grouped, with decimals or without."""
        grouped = rf"\d{{1,3}}(?:{self.group}\d{{3}})+"
        return rf"(?P<whole>{grouped}|\d+)(?:{self.point}(?P<fraction>\d+))?"


_DAY_WORDS = "am vom zum der die das dem den des bis im ab"
_GERMAN_DAY_WORDS = frozenset(_DAY_WORDS.split())
_MONTHS = "января февраля марта апреля мая июня июля августа сентября октября ноября декабря"
_RUSSIAN_MONTHS = frozenset(_MONTHS.split())
_ONE = re.compile(r"(?:^|[^1])1$")
_ONE_OR_HUNDREDS = re.compile(r"(?:^|[^1])1$|[2-9]\d\d$|[2-9]\d\d\d{3}$")
_ROMANCE_TWO = re.compile(r"(?:^|[^1])[12]$|[2-9]\d\d$|[2-9]\d\d\d{3}$")
_RUSSIAN = re.compile(r"(?:^|[^1])[12]$")
_PREPOSITIONS = re.compile(
    r"(?:в|во|на|с|со|к|ко|о|об|от|до|из|у|для|без|по|при|над|под|за|перед|около|более|менее|свыше"
    r"|между|после|против|среди)",
    re.IGNORECASE,
)
_MANNERS = (
    _Manner("de", r"[. ]", ",", "Prozent", re.compile(r"^1$"), years=True),
    _Manner("fr", r"[ .]", ",", "pour cent", _ONE),
    _Manner("es", r"[. ]", ",", "por ciento", _ONE_OR_HUNDREDS),
    _Manner("it", r"[. ]", ",", "per cento", re.compile(r"^1$")),
    _Manner("pt", r"[. ]", ",", "por cento", _ROMANCE_TWO),
    _Manner("ru", r" ", ",", "", _RUSSIAN, cases=_PREPOSITIONS),
)


class _Numbers:
    """The rules of one language with a decimal comma."""

    def __init__(self, manner: _Manner) -> None:
        self.manner = manner
        self.language = manner.language

    def rules(self) -> tuple[Rule, ...]:
        """From the surest to the plainest."""
        number = self.manner.number
        found = [
            Rule(re.compile(rf"{_BEFORE}{number} ?(?P<sign>[€$£₽])(?!\w)"), self._money),
            Rule(
                re.compile(rf"(?<![\w€$£])(?P<sign>[€$£]) ?{number}(?!\w|[.,:/-]\d)"), self._money
            ),
        ]
        found.append(Rule(re.compile(rf"{_BEFORE}{number} ?%(?!\w)"), self._percent))
        found.append(Rule(re.compile(rf"{_BEFORE}{number}{_AFTER}"), self._count))
        return tuple(found)

    def _words(self, found: re.Match[str]) -> str | None:
        whole = re.sub(r"\D", "", found["whole"])
        if len(whole) > 1 and whole[0] == "0":
            return None
        if found["fraction"]:
            return decimal(whole, found["fraction"], self.language)
        return cardinal(int(whole), self.language)

    def _money(self, found: re.Match[str]) -> str | None:
        whole = int(re.sub(r"\D", "", found["whole"]))
        fraction = found["fraction"] or ""
        if len(fraction) not in (0, 2) or whole >= 10**12:
            return None
        hundredths = 100 * whole + int(fraction or "0")
        words = money(hundredths, _CODES[found["sign"]], self.language)
        if words is None or hundredths % 100 or fraction.strip("0"):
            return words
        return _ZERO.sub("", words)

    def _percent(self, found: re.Match[str]) -> str | None:
        words = self._words(found)
        if words is None or self._changes(word_before(found)):
            return None
        percent = self.manner.percent or _russian_percent(found["whole"], found["fraction"])
        return f"{words} {percent}"

    def _changes(self, before: str) -> bool:
        """Whether the word before puts the number into another case."""
        return self.manner.cases is not None and self.manner.cases.fullmatch(before) is not None

    def _count(self, found: re.Match[str]) -> str | None:
        """A count; what could be a year, a date or a form of another gender is left alone."""
        whole = found["whole"]
        before, after = word_before(found), word_after(found)
        if self._changes(before):
            return None
        if whole.isdecimal() and len(whole) == 4 and not found["fraction"]:
            return self._year(int(whole))
        if whole.isdecimal() and len(whole) > 4:
            return None
        if (
            after
            and not found["fraction"]
            and self.manner.changing.search(re.sub(r"\D", "", whole))
        ):
            return None
        # "3. Mai", "am 3.": a stop after one or two digits makes an ordinal in German.
        rest = found.string[found.end() :]
        day = before.casefold() in _GERMAN_DAY_WORDS or re.match(r"\.\s+[^\W\d_]", rest)
        if self.language == "de" and len(whole) < 3 and rest.startswith(".") and day:
            return None
        if self.language == "ru" and after.casefold() in _RUSSIAN_MONTHS:
            return None
        return self._words(found)

    def _year(self, value: int) -> str | None:
        if not 1000 <= value < 2100:
            return None
        if self.language == "ru":
            return None  # a year is an ordinal there, in a case that the sentence gives
        return year(value, self.language) if self.manner.years else cardinal(value, self.language)


def _russian_percent(whole: str, fraction: str | None) -> str:
    last = int(re.sub(r"\D", "", whole)[-2:])
    if fraction or (last % 10 in (2, 3, 4) and last not in (12, 13, 14)):
        return "процента"
    return "процент" if last % 10 == 1 and last != 11 else "процентов"


def _ordinals(pattern: str, language: str, endings: Mapping[str, str]) -> Rule:
    """ "2e", "3º": the written ending chooses the ending of the word, where it is a known one."""

    def say(found: re.Match[str]) -> str | None:
        words = ordinal(int(found["whole"]), language)
        ending = endings.get(found["ending"])
        if words is None or ending is None:
            return None
        return "première" if found["ending"] in ("re", "ère") else words[: -len(ending)] + ending

    return Rule(re.compile(rf"(?<![\w.,/-])(?P<whole>\d{{1,3}}){pattern}(?!\w)"), say)


_DECADE = re.compile(r"(?<![\w.,/–-])(?P<year>1[1-9]\d0|[2-9]0)er(?:n)?(?!\w)")
_GERMAN_DAY = re.compile(
    r"\b(?P<word>[Aa]m|[Vv]om|[Zz]um|[Dd]e[mnrs]|[Dd]ie|[Dd]as) (?P<whole>\d{1,2})\."
    r"(?= (?:Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember"
    r"|Jahrhundert|Kapitel|Tag|Mal|Stock|Geburtstag))"
)


def _german_decade(found: re.Match[str]) -> str | None:
    """ "die 1990er": neunzehnhundertneunziger."""
    value = int(found["year"])
    words = year(value, "de") if value > 99 else cardinal(value, "de")
    return words and words + found[0][len(found["year"]) :]


_GERMAN_TIME = re.compile(r"(?<![\d.,:])(?P<hour>[01]?\d|2[0-4])[:.](?P<minute>[0-5]\d) Uhr\b")


def _german_time(found: re.Match[str]) -> str | None:
    """ "14:30 Uhr": vierzehn Uhr dreißig."""
    hour, minute = int(found["hour"]), int(found["minute"])
    said = "ein" if hour == 1 else cardinal(hour, "de")
    return f"{said} Uhr {cardinal(minute, 'de')}" if minute else f"{said} Uhr"


_FRENCH_TIME = re.compile(
    r"(?<![\w.,:])(?P<hour>[01]?\d|2[0-4]) ?h(?: ?(?P<minute>[0-5]\d))?(?![\w/])"
)


def _french_time(found: re.Match[str]) -> str | None:
    """ "14 h 30": quatorze heures trente; an hour is feminine."""
    hour, minute = int(found["hour"]), int(found["minute"] or 0)
    said = cardinal(hour, "fr")
    if said is None or hour == 0:
        return None
    said = f"{said}e" if hour % 10 == 1 and hour != 11 else said
    words = f"{said} heure{'s' if hour > 1 else ''}"
    return f"{words} {cardinal(minute, 'fr')}" if minute else words


def _german_day(found: re.Match[str]) -> str | None:
    words = ordinal(int(found["whole"]), "de")
    ending = "" if found["word"].lower() in ("der", "die", "das") else "n"
    return words and f"{found['word']} {words}{ending}"


_ORDINALS: Mapping[str, tuple[Rule, ...]] = MappingProxyType(
    {
        "de": (Rule(_DECADE, _german_decade), Rule(_GERMAN_DAY, _german_day),
               Rule(_GERMAN_TIME, _german_time)),
        "fr": (
            Rule(_FRENCH_TIME, _french_time),
            _ordinals("(?P<ending>er|re|ère|e|ème|è)", "fr",
                      {"er": "r", "re": "r", "ère": "r", "e": "e", "ème": "e", "è": "e"}),
        ),
        "es": (_ordinals(r"\.?(?P<ending>[ºª])", "es", {"º": "o", "ª": "a"}),),
        "it": (_ordinals(r"(?P<ending>[º°ª])", "it", {"º": "o", "°": "o", "ª": "a"}),),
        "pt": (Rule(re.compile(r"R\$\s?\d[\d.,]*"), alone),
               _ordinals(r"\.?(?P<ending>[ºª])", "pt", {"º": "o", "ª": "a"}),),
    }
)  # fmt: skip

_EAST_NUMBER = r"(?<![A-Za-z\d.,:/-])(?P<whole>\d{1,3}(?:,\d{3})+|\d{1,8})(?:\.(?P<fraction>\d+))?"
_JAPANESE_UNIT = "年|月|日|時|分|秒|人|円|万|億|個|本|枚|冊|回|度|歳|才|階|番|号|章|話|世紀|ページ"
_JAPANESE = re.compile(
    rf"{_EAST_NUMBER}(?P<unit>%|％|(?={_JAPANESE_UNIT})|(?<=[.,]\d\d)(?![\w.,:/-])|(?<=,\d{{3}})(?![A-Za-z\d.,-]))"
)
_KOREAN = re.compile(rf"{_EAST_NUMBER} ?(?P<unit>%|％|년|일|초|원|세기|페이지|층|도|월)(?!\d)")
_IRREGULAR_MONTHS = frozenset({"6", "10"})


def _east(language: str, percent: str) -> Rule:
    def say(found: re.Match[str]) -> str | None:
        whole, unit = found["whole"].replace(",", ""), found["unit"]
        if (unit == "월" and whole in _IRREGULAR_MONTHS) or (len(whole) > 1 and whole[0] == "0"):
            return None
        if found["fraction"]:
            words = decimal(whole, found["fraction"], language)
        else:
            words = cardinal(int(whole), language)
        return words and words + (percent if unit in ("%", "％") else unit)

    return Rule(_JAPANESE if language == "ja" else _KOREAN, say)


_KEPT = (Rule(MAIL, alone), *UNTOUCHED)
_EAST = {"ja": _east("ja", "パーセント"), "ko": _east("ko", " 퍼센트")}

OTHERS: Mapping[str, tuple[Group, ...]] = MappingProxyType(
    {
        manner.language: (
            Group(_DIGIT, _KEPT),
            ABROAD[manner.language],
            Group(
                _DIGIT,
                (*_ORDINALS.get(manner.language, ()), *_Numbers(manner).rules()),
            ),
            *((CENTURIES[manner.language],) if manner.language in CENTURIES else ()),
        )
        for manner in _MANNERS
    }
    | {language: (Group(_DIGIT, (*_KEPT, rule)),) for language, rule in _EAST.items()}
)
"""The languages besides English; one that is missing is spoken as it is written."""
