"""Roman numerals where they can be nothing else: after "Chapter" and in the names of rulers."""

from __future__ import annotations

import re

from narrate.text.verbal.claims import Rule, word_after, word_before
from narrate.text.verbal.numerals import cardinal, ordinal, roman

__all__ = ["HEADING", "REGNAL"]

_PARTS = (
    "Chapter|Book|Bk\\.|Part|Volume|Vol\\.|Act|Scene|Canto|Stave|Article|Letter|Lecture|Adventure"
    "|Psalm|Sonnet|Symphony|No\\.|Ch\\.|Chap\\.|World War"
)
_WRITTEN_OUT = {
    "Bk.": "Book",
    "Vol.": "Volume", "vol.": "volume", "Ch.": "Chapter", "ch.": "chapter", "Chap.": "Chapter",
    "chap.": "chapter", "No.": "Number", "Fig.": "Figure",
}  # fmt: skip
# A single letter after these is as often a letter: "Type C", "Appendix V".
_KINDS = (
    "Section|Title|Appendix|Figure|Fig\\.|Table|Plate|Phase|Type|Class|Stage|Level|Grade|Episode"
    "|Season|Apollo|Super Bowl|Vatican"
)
# "Charles I. was", "ch. iv., p. 5": a stop behind the numeral, as printers set it once.
_STOP = r"(?P<stop>\.(?=\s+[a-z]|[,;:]))?"
_AFTER_PART = re.compile(
    rf"\b(?:(?P<part>{_PARTS}|{_PARTS.upper()}) (?P<number>[IVX]|[IVXLC]{{2,}})"
    rf"|(?P<kind>{_KINDS}) (?P<many>[IVXLC]{{2,}}))(?![\w'’&-]){_STOP}"
)
_SMALL = re.compile(r"\b(?P<part>chapter|ch\.|chap\.|book|part|volume|vol\.|act|[Ss]cene|canto) "
                    rf"(?P<number>[ivxlc]{{2,}}|[IVXLC]{{2,}})(?![\w'’-]){_STOP}")  # fmt: skip
_RULER_NAMES = """
    Henry Louis George Edward William Charles James Richard Elizabeth Mary John Paul Pius
    Benedict Leo Gregory Innocent Clement Urban Alexander Nicholas Catherine Peter Ivan Philip
    Ferdinand Francis Frederick Wilhelm Friedrich Franz Joseph Leopold Napoleon Ptolemy Ramesses
    Ramses Rameses Thutmose Amenhotep Seti Xerxes Darius Cyrus Artaxerxes Otto Conrad Rudolf
    Rudolph Maximilian Christian Gustav Gustavus Olaf Olav Haakon Harald Erik Eric Canute Robert
    David Constantine Constantius Justinian Theodosius Basil Michael Sixtus Boniface Celestine
    Adrian Hadrian Stephen Alfonso Alphonso Pedro Sancho Umberto Emmanuel Emanuel Antiochus
    Mithridates Cleopatra Sigismund Casimir Ladislaus Matthias Bela Andrew Murad Mehmed Selim
    Suleiman Ahmed Mustafa Abdulhamid Juan Carlos Felipe Isabella Margaret Anne Baldwin Albert
    Baudouin Rainier Callixtus Honorius Julius Martin Eugene Marcellus Hohenzollern Vittorio
    Tutankhamun Pepi Mentuhotep Senusret Kamehameha Rama Shapur Khosrow Tiglath-Pileser
    Shalmaneser Malcolm
"""
_RULERS = _RULER_NAMES.split()
_RULER = re.compile(rf"\b(?P<name>{'|'.join(_RULERS)}) (?P<number>[IVXL]+)(?![\w&-]|\.\w){_STOP}")
_TITLES = frozenset(
    [
        "King",
        "Queen",
        "Pope",
        "Emperor",
        "Empress",
        "Tsar",
        "Czar",
        "Kaiser",
        "Prince",
        "Pharaoh",
        "Sultan",
        "Duke",
    ]
)
_NO_PRONOUN_AFTER = frozenset(["of", "who", "is", "has", "and", "reigns", "ruled", "reigned"])
# "II. The storm; III. the calm": where a sentence or a clause begins, and with its stop.
_LISTED = re.compile(
    r"(?:\A|(?<=[;:.!?] )|(?<=[;:]—))(?P<number>[IVX]{2,}|[VX](?=\.,? (?:[Tt]he|[Aa]n?)\b))"
    r"(?:(?=\. )|\.(?=, ))"
)
_PARTICLES = frozenset(["de", "du", "der", "von", "van", "da", "di", "la", "le"])
_INITIAL = re.compile(r"\. [A-Z]")
HEADING = re.compile(r"\A(?P<number>[IVXLC]+)(?=\.?$|\.\s|[:—–]|\n)")
"""A bare numeral at the start of a heading: "IV." or "IV. The Storm"."""
_MOST_RULERS = 40


def _part(found: re.Match[str]) -> str | None:
    groups = found.groupdict()
    part, number = groups.get("kind") or found["part"], groups.get("many") or found["number"]
    value = roman(number.upper())
    if not value or (value == 1 and part != "World War" and not _ends_there(found)):
        return None
    words = cardinal(value)
    return words and f"{_WRITTEN_OUT.get(part, part)} {words}"


def _ends_there(found: re.Match[str]) -> bool:
    """Whether "I" is a number after "Part": "Part I liked best" goes on as a sentence does."""
    rest = found.string[found.end() :]
    return not re.match(r"\s+[a-z]", rest) or word_after(found) in ("of", "is", "and", "in")


def _ruler(found: re.Match[str]) -> str | None:
    number, rest = found["number"], found.string[found.end() :]
    value = roman(number)
    if not 0 < value <= _MOST_RULERS or (found["name"] == "Malcolm" and number == "X"):
        return None
    if len(number) == 1 and (_INITIAL.match(rest) or word_after(found) in _PARTICLES):
        return None  # "George V. Smith" has a middle name, and "Francis X. de Hall"
    if value == 1 and not _surely_first(found, rest):
        return None
    return f"{found['name']} the {(ordinal(value) or number).capitalize()}"


def _surely_first(found: re.Match[str], rest: str) -> bool:
    """Whether "I" counts a ruler and is no pronoun."""
    if found["stop"]:
        return True
    if rest[:2] in ("'s", "’s"):
        return True
    titled = word_before(found) in _TITLES or found["name"] == "Napoleon"
    plain = word_after(found) in _NO_PRONOUN_AFTER or not re.match(r"\s*\w|['’]", rest)
    return titled and plain


def _listed(found: re.Match[str]) -> str | None:
    value = roman(found["number"])
    return cardinal(value) if value else None


REGNAL = (
    Rule(_AFTER_PART, _part),
    Rule(_SMALL, _part),
    Rule(_RULER, _ruler),
    Rule(_LISTED, _listed),
)
