"""Which lines of a plain text are headings, told by their words and numbers, by language.

A heading is one of three kinds: NUMBERED ("Chapter 3", "Kapitel III. Titel", "第三回"), NAMED
("Prologue") or BARE (a number alone, "IV." or "四", perhaps with a title after it). A sentence
that begins with such words is none: after the number there must be an end, a stop or a capital.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "NOTE_TITLE",
    "Heading",
    "HeadingKind",
    "heading_of",
    "is_contents",
    "is_index",
    "is_note",
    "is_title",
    "label_of",
]


class HeadingKind(StrEnum):
    """How a heading is told from a paragraph."""

    NUMBERED = "numbered"
    NAMED = "named"
    BARE = "bare"


@dataclass(frozen=True, slots=True)
class Heading:
    """`word` ranks it ("chapter", "part"), `number` counts it (0 if it has none)."""

    kind: HeadingKind
    word: str
    number: int
    title: str


_CHAPTER_WORDS = (
    "chapter|chap\\.?|stave|canto|letter|lecture|adventure|fable|"  # English
    "kapitel|brief|gesang|abenteuer|"  # German
    "chapitre|lettre|chant|capítulo|capitulo|carta|canto|"  # French, Spanish
    "capitolo|lettera|capítol|capítulo|"  # Italian, Catalan, Portuguese
    "hoofdstuk|kapitel|kapitola|rozdział|luku|fejezet|глава|письмо"
)
_PART_WORDS = (
    "part|book|volume|vol\\.?|section|act|scene|teil|buch|band|abschnitt|akt|szene|"
    "partie|livre|tome|acte|scène|parte|libro|tomo|acto|escena|atto|scena|"
    "livro|ato|cena|часть|книга|том|действие"
)
_NAMES = (
    "prologue|epilogue|preface|foreword|introduction|afterword|conclusion|interlude|postscript|"
    "dedication|etymology|extracts|appendix(?:\\s+[A-Z\\d]{1,4})?|acknowledge?ments|"
    "author['’]s note|prolog|epilog|vorwort|vorrede|einleitung|nachwort|einführung|anhang|widmung|"
    "épilogue|préface|avant-propos|postface|dédicace|prólogo|epílogo|prefacio|introducción|"
    "prologo|epilogo|prefazione|introduzione|prefácio|introdução|пролог|эпилог|предисловие|"
    "введение|послесловие|заключение|序|序章|序文|前言|楔子|終章|终章|尾聲|尾声|後記|后记|あとがき|まえがき"
)
_UNITS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
_UNITS += " sixteen seventeen eighteen nineteen"
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
# The same count in German, French, Spanish, Italian; feminine forms are added below.
_FOREIGN = (
    "erstes zweites drittes viertes fünftes sechstes siebtes achtes neuntes zehntes elftes",
    "premier deuxième troisième quatrième cinquième sixième septième huitième neuvième dixième",
    "primero segundo tercero cuarto quinto sexto séptimo octavo noveno décimo",
    "primo secondo terzo quarto quinto sesto settimo ottavo nono decimo",
    "primeiro segundo terceiro quarto quinto sexto sétimo oitavo nono décimo",
    "première seconde",
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_COUNTS = {word: n for n, word in enumerate(_UNITS.split(), 1)}
_COUNTS |= {word: n for n, word in enumerate(_ORDINALS.split(), 1)}
_COUNTS |= {word: 10 * n for n, word in enumerate(_TENS.split(), 2)}
_COUNTS |= {
    form: n
    for words in _FOREIGN
    for n, word in enumerate(words.split(), 1)
    for form in {word, word.removesuffix("o") + "a" if word.endswith("o") else word}
}
_HAN = {char: n for n, char in enumerate("一二三四五六七八九", 1)} | {"〇": 0, "零": 0}
_HAN_SCALES = {"十": 10, "百": 100, "千": 1000}
_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}

_WORD_NUMBER = "(?:" + "|".join(_COUNTS) + ")"
_NUMBER = rf"(?P<number>\d{{1,4}}|[IVXLCDM]+|[ivxlcdm]+|{_WORD_NUMBER}(?:[- ]{_WORD_NUMBER})?)"
_REST = (
    r"(?:[.:,]?\s*$|(?P<stop>\s*[.:—–]+\s*|\s+-+\s+|\.?\n\s*)(?P<title>\S.*)$|\s+(?P<bare>\S.*)$)"
)
_NUMBERED = re.compile(
    rf"(?:the\s+)?(?P<word>{_CHAPTER_WORDS}|{_PART_WORDS})\s+(?:the\s+)?(?i:{_NUMBER})(?!\w){_REST}",
    re.IGNORECASE | re.DOTALL,
)
_ORDINAL_FIRST = re.compile(
    rf"(?P<number>{_WORD_NUMBER}|\d{{1,3}}\.)"
    rf"\s+(?P<word>{_CHAPTER_WORDS}|{_PART_WORDS})(?:[.:]?\s*$|\s*[.:—–\n]+\s*(?P<title>\S.*)$)",
    re.IGNORECASE | re.DOTALL,
)
_EAST = re.compile(
    r"第\s*(?P<number>[0-9０-９〇零一二三四五六七八九十百千]+)\s*(?P<word>[章回節节卷部話话幕])"
    r"(?:\s+(?P<title>\S.*))?$|제?\s*(?P<korean>\d+)\s*(?P<unit>장|부|화)(?:[.:]?\s+(?P<name>\S.*))?$",
    re.DOTALL,
)
_NAMED = re.compile(
    rf"(?P<word>{_NAMES})(?:[.:]?\s*$|[.:]?\s*\(.*\)\.?$)", re.IGNORECASE | re.DOTALL
)
_BARE = re.compile(
    r"(?P<number>[IVXLC]+|\d{1,3}|[〇一二三四五六七八九十百]+)(?:\.?$|\.\s*(?P<title>\S.*)$)",
    re.DOTALL,
)
_CONTENTS = re.compile(
    r"(?:table of )?contents|inhalt(?:sverzeichnis)?|table des mati[eè]res|[ií]ndice|sommaire|"
    r"sommario|sumário|оглавление|содержание|目次|目录|目錄|차례|inhoud",
    re.IGNORECASE,
)
_INDEX = re.compile(r"(?:general |subject )?index(?: of names)?|(?:sach)?register", re.IGNORECASE)
NOTE_TITLE = r"(?:original )?transcriber['’]?s?['’]? notes?"
_NOTE = re.compile(NOTE_TITLE, re.IGNORECASE)
_TITLE_CHARS = 80
_LONG_TITLE_CHARS = 300  # "Chapter I. In which …": only after a number and a stop


def heading_of(text: str) -> Heading | None:
    """The heading a short paragraph is, if it is one; lines are parted by line feeds."""
    if len(text) > _LONG_TITLE_CHARS:
        return None
    return _numbered(text) or _east(text) or _named(text) or _bare(text)


def label_of(heading: Heading) -> tuple[str, int]:
    """What makes two headings the same entry: their word and number."""
    return heading.word, heading.number


def is_contents(text: str) -> bool:
    """Whether a paragraph is the title of a list of contents."""
    return _CONTENTS.fullmatch(text.strip(" .:_*")) is not None


def is_index(text: str) -> bool:
    """Whether a paragraph is the title of an index."""
    return _INDEX.fullmatch(text.strip(" .:_*")) is not None


def is_note(text: str) -> bool:
    """Whether a paragraph is the title of a transcriber's note."""
    return _NOTE.fullmatch(text.strip(" .:_*[]")) is not None


def is_title(lines: list[str], *, centred: bool) -> bool:
    """Whether the paragraph after "Chapter I" is that chapter's title and not its first words."""
    text = " ".join(line.strip() for line in lines)
    if not text or len(lines) > 3 or len(text) > _TITLE_CHARS or text[0] in "“\"'‘«»„`—-[(*":
        return False
    words = re.findall(r"[^\W\d_][\w'’-]*", text)
    if not words or heading_of(text) is not None:
        return False
    if centred or text.isupper():
        return True
    capitals = sum(word[0].isupper() for word in words)
    return capitals > 1 and 2 * capitals > len(words) and text[-1] not in ".!?,;:…"


def _numbered(text: str) -> Heading | None:
    found = _NUMBERED.match(text)
    if found is None:
        found = _ORDINAL_FIRST.match(text)
        if found is None or len(text) > _TITLE_CHARS:
            return None
        title = found["title"] or ""
        number = _value(found["number"].strip("."))
        return Heading(HeadingKind.NUMBERED, found["word"].lower(), number, title)
    if found["bare"] and (len(text) > _TITLE_CHARS or not _starts_title(found["bare"])):
        return None
    if found["title"] and found["title"][0].islower() and "\n" not in found["stop"]:
        return None
    if not found["word"][0].isupper():
        return None
    word = found["word"].lower().rstrip(".")
    title = found["title"] or found["bare"] or ""
    return Heading(HeadingKind.NUMBERED, word, _value(found["number"]), title.strip())


def _starts_title(rest: str) -> bool:
    """A capital, and no sentence: "Chapter 5 The Storm", not "Part I That is what he said."."""
    words = rest.split()
    capitals = sum(word[0].isupper() for word in words)
    return rest[0].isupper() and 2 * capitals >= len(words)


def _east(text: str) -> Heading | None:
    found = _EAST.match(text)
    if found is None or len(text) > _TITLE_CHARS or text[-1] in "。！？":
        return None
    word, number = found["word"] or found["unit"], found["number"] or found["korean"]
    title = found["title"] or found["name"] or ""
    return Heading(HeadingKind.NUMBERED, word, _value(number), title)


def _named(text: str) -> Heading | None:
    found = _NAMED.match(text) if len(text) <= _TITLE_CHARS else None
    if found is None or found["word"][0].islower():
        return None
    return Heading(HeadingKind.NAMED, found["word"].lower(), 0, "")


def _bare(text: str) -> Heading | None:
    found = _BARE.match(text) if len(text) <= _TITLE_CHARS else None
    if found is None:
        return None
    title, number = found["title"] or "", _value(found["number"])
    if number == 0 or (title and not (title.isupper() or _starts_title(title))):
        return None
    if title and title[-1] in ',;:?!”"':
        return None
    return Heading(HeadingKind.BARE, "", number, title)


def _value(written: str) -> int:
    """The number that digits, roman or Chinese numerals or English words write, else 0."""
    text = written.strip()
    if text.isdecimal():
        return int(text)
    if set(text.upper()) <= _ROMAN.keys():
        values = [_ROMAN[char] for char in text.upper()]
        pairs = zip(values, [*values[1:], 0], strict=True)
        return sum(-value if value < after else value for value, after in pairs)
    if set(text) <= _HAN.keys() | _HAN_SCALES.keys():
        return _han_value(text)
    return sum(_COUNTS.get(word, 0) for word in re.split("[- ]", text.lower()))


def _han_value(text: str) -> int:
    if not set(text) & _HAN_SCALES.keys():
        return int("".join(str(_HAN[char]) for char in text))
    total, digit = 0, 1
    for index, char in enumerate(text):
        if char in _HAN_SCALES:
            total += digit * _HAN_SCALES[char]
            digit = 0
        else:
            digit = _HAN[char]
            if index == len(text) - 1:
                total += digit
    return total
