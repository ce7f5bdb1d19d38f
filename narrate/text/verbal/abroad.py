"""Short words, units and numbered names of the other languages, from closed lists.

Only what has one reading whatever the sentence around it: a unit behind a number that is not one,
an abbreviation that is never another word, a roman numeral after "Kapitel" or a king's name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from narrate.text.verbal.claims import Group, Rule
from narrate.text.verbal.numerals import cardinal, ordinal, roman

__all__ = ["ABROAD"]

_UNITS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "de": {
            "km": "Kilometer", "cm": "Zentimeter", "mm": "Millimeter", "kg": "Kilogramm",
            "mg": "Milligramm", "ml": "Milliliter", "km/h": "Kilometer pro Stunde",
            "°C": "Grad Celsius", "m²": "Quadratmeter", "km²": "Quadratkilometer",
        },
        "fr": {
            "km": "kilomètres", "cm": "centimètres", "mm": "millimètres", "kg": "kilogrammes",
            "mg": "milligrammes", "ml": "millilitres", "km/h": "kilomètres à l'heure",
            "°C": "degrés Celsius", "m²": "mètres carrés", "km²": "kilomètres carrés",
        },
        "es": {
            "km": "kilómetros", "cm": "centímetros", "mm": "milímetros", "kg": "kilogramos",
            "mg": "miligramos", "ml": "mililitros", "km/h": "kilómetros por hora",
            "°C": "grados Celsius", "m²": "metros cuadrados", "km²": "kilómetros cuadrados",
        },
        "it": {
            "km": "chilometri", "cm": "centimetri", "mm": "millimetri", "kg": "chilogrammi",
            "mg": "milligrammi", "ml": "millilitri", "km/h": "chilometri all'ora",
            "°C": "gradi Celsius", "m²": "metri quadrati", "km²": "chilometri quadrati",
        },
        "pt": {"cm": "centímetros", "mm": "milímetros", "mg": "miligramas", "°C": "graus Celsius"},
    }
)  # fmt: skip
# Behind each: what must follow, where the short word alone could be something else.
_NUMBER, _NAME, _ANY = r"(?=\s?\d)", r"(?=\s[^\W\d_a-zß-öø-ÿ])", r"(?!\w)"
_LAST = r"(?!\w)(?!\.)"  # can end a sentence with its own stop, which is kept there
_SENTENCE_ENDS = re.compile(r"[”’\"')\]»]*(?:\s+[“‘\"'(«„¿¡—–]*[^\W\d_a-zß-öø-ÿа-яё]|\s*$)")
_ERA = r"(?<=[\dIVX]\s)"
_SHORT: Mapping[str, tuple[tuple[str, str, str], ...]] = MappingProxyType(
    {
        "de": (
            (r"z\. ?B\.", "zum Beispiel", _ANY), (r"Z\. ?B\.", "Zum Beispiel", _ANY),
            (r"d\. ?h\.", "das heißt", _ANY), (r"D\. ?h\.", "Das heißt", _ANY),
            (r"bzw\.", "beziehungsweise", _ANY), (r"vgl\.", "vergleiche", _ANY),
            (r"ca\.", "circa", _NUMBER), (r"Nr\.", "Nummer", _NUMBER),
            (r"Dr\.", "Doktor", _NAME), (r"Prof\.", "Professor", _NAME),
            (r"Hr\.", "Herr", _NAME), (r"Hrn\.", "Herrn", _NAME), (r"Frl\.", "Fräulein", _NAME),
            (r"S\.", "Seite", _NUMBER),
            (r"Abb\.", "Abbildung", _NUMBER),
            (r"Abs\.", "Absatz", _NUMBER), (r"Art\.", "Artikel", _NUMBER),
            (r"Vgl\.", "Vergleiche", _ANY), (r"bspw\.", "beispielsweise", _ANY),
            (r"evtl\.", "eventuell", _ANY), (r"ggf\.", "gegebenenfalls", _ANY),
            (r"v\. ?Chr\.", "vor Christus", _LAST), (r"n\. ?Chr\.", "nach Christus", _LAST),
            (r"usw\.", "und so weiter", _LAST), (r"u\. ?s\. ?w\.", "und so weiter", _LAST),
            (r"Jh\.", "Jahrhundert", _LAST),
        ),
        "fr": (
            (r"M\.", "Monsieur", _NAME), (r"MM\.", "Messieurs", _NAME),
            (r"Mme", "Madame", _NAME), (r"Mlle", "Mademoiselle", _NAME),
            (r"Dr", "Docteur", _NAME), (r"p\. ?ex\.", "par exemple", _ANY),
            (r"c\.-à-d\.", "c'est-à-dire", _ANY), (r"n°", "numéro", _NUMBER),
            (r"N°", "Numéro", _NUMBER), (r"Mgr", "Monseigneur", _NAME),
            (r"(?<=\d )p\. ?100", "pour cent", _ANY), (r"pp\.", "pages", _NUMBER),
            (r"(?<!\d )p\.", "page", _NUMBER),
            (r"St(?=-[A-ZÉ])", "Saint", ""), (r"Ste(?=-[A-ZÉ])", "Sainte", ""),
            (r"av\. J\.-C\.", "avant Jésus-Christ", _LAST),
            (r"apr?\. J\.-C\.", "après Jésus-Christ", _LAST), (r"Ier", "premier", _ANY),
        ),
        "es": (
            (r"Sr\.", "señor", _NAME), (r"Sra\.", "señora", _NAME),
            (r"Srta\.", "señorita", _NAME), (r"Dr\.", "doctor", _NAME),
            (r"Dra\.", "doctora", _NAME), (r"p\. ?ej\.", "por ejemplo", _ANY),
            (r"EE\. ?UU\.", "Estados Unidos", _LAST), (r"n\.º", "número", _NUMBER),
            (r"Dña\.", "doña", _NAME), (r"[UV]d\.", "usted", _LAST),
            (r"[UV]ds\.", "ustedes", _LAST), (r"pág\.", "página", _NUMBER),
            (r"págs\.", "páginas", _NUMBER),
            (_ERA + r"a\. ?C\.", "antes de Cristo", _LAST),
            (_ERA + r"d\. ?C\.", "después de Cristo", _LAST),
        ),
        "it": (
            (r"Sig\.", "Signor", _NAME), (r"sig\.", "signor", _NAME),
            (r"Sig\.ra", "Signora", _NAME), (r"sig\.ra", "signora", _NAME),
            (r"Dott\.", "Dottor", _NAME), (r"dott\.", "dottor", _NAME),
            (r"p\. ?es\.", "per esempio", _ANY), (r"n\.", "numero", _NUMBER),
            (r"Dott\.ssa", "Dottoressa", _NAME), (r"dott\.ssa", "dottoressa", _NAME),
            (r"pag\.", "pagina", _NUMBER), (r"pagg\.", "pagine", _NUMBER),
            (_ERA + r"a\. ?C\.", "avanti Cristo", _LAST),
            (_ERA + r"d\. ?C\.", "dopo Cristo", _LAST), (r"ecc\.", "eccetera", _LAST),
        ),
        "pt": (
            (r"Sr\.", "Senhor", _NAME), (r"Sra\.", "Senhora", _NAME),
            (r"Dr\.", "Doutor", _NAME), (r"Dra\.", "Doutora", _NAME),
            (r"p\. ?ex\.", "por exemplo", _ANY), (r"n\.º", "número", _NUMBER),
            (r"pág\.", "página", _NUMBER),
            (_ERA + r"a\. ?C\.", "antes de Cristo", _LAST),
            (_ERA + r"d\. ?C\.", "depois de Cristo", _LAST),
        ),
        "ru": (
            (r"т\. ?е\.", "то есть", _ANY), (r"т\. ?к\.", "так как", _ANY),
            (r"№", "номер", _NUMBER), (r"напр\.", "например", _ANY),
            (r"и т\. ?д\.", "и так далее", _LAST), (r"и т\. ?п\.", "и тому подобное", _LAST),
        ),
    }
)  # fmt: skip
_PARTS = {
    "de": "Kapitel|Teil|Buch|Band|Akt|Szene|Gesang",
    "fr": "Chapitre|Partie|Livre|Tome|Acte|Scène|Chant",
    "es": "Capítulo|Parte|Libro|Tomo|Acto|Escena|Canto",
    "it": "Capitolo|Parte|Libro|Volume|Atto|Scena|Canto",
    "pt": "Capítulo|Parte|Livro|Tomo|Volume|Ato|Cena|Canto",
    "ru": "Глава|Часть|Книга|Том|Действие|Сцена",
}
# Written short before a number of either kind: "cap. IV", "Bd. 2".
_SHORT_PARTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "de": {"Kap.": "Kapitel", "Bd.": "Band"},
        "fr": {"chap.": "chapitre", "vol.": "volume"},
        "es": {"cap.": "capítulo", "vol.": "volumen"},
        "it": {"cap.": "capitolo", "vol.": "volume"},
        "pt": {"cap.": "capítulo", "vol.": "volume"},
    }
)
_FEMININE = frozenset(["partie", "scène"])
_RULERS = {
    "fr": "Louis|Henri|Charles|François|Philippe|Napoléon|Jean-Paul|Pie|Léon|Benoît|Édouard|George",
    "es": "Felipe|Carlos|Alfonso|Fernando|Juan Carlos|Juan Pablo|Pío|León|Enrique|Luis|Napoleón",
    "it": "Vittorio Emanuele|Umberto|Carlo|Luigi|Enrico|Giovanni Paolo|Pio|Leone|Federico"
    "|Napoleone|Innocenzo|Bonifacio",
    "pt": "Pedro|João|Manuel|Filipe|Luís|Carlos|João Paulo|Pio|Leão|Henrique|Napoleão|Afonso",
}
_MOST_ORDINAL = 10  # from the eleventh on, Spanish and Portuguese count
_MOST_RULERS = 30


def _unit_rule(language: str) -> Rule:
    units = _UNITS[language]
    signs = "|".join(sorted(map(re.escape, units), key=len, reverse=True))

    def say(found: re.Match[str]) -> str | None:
        one = re.search(r"(?<![\d.,])1$", found.string[: found.start()])
        return None if one else f" {units[found['unit']]}"

    return Rule(re.compile(rf"(?<=\d)[ \u00a0\u202f]?(?P<unit>{signs})(?![\w²³/*])"), say)


def _short_rules(language: str) -> tuple[Rule, ...]:
    def rule(pattern: str, words: str, after: str) -> Rule:
        def say(found: re.Match[str]) -> str:
            ends = after == _LAST and _SENTENCE_ENDS.match(found.string, found.end())
            return f"{words}." if ends else words

        return Rule(re.compile(rf"(?<![\w.]){pattern}{after}"), say)

    parts = _SHORT_PARTS.get(language, {})
    before_a_number = ((re.escape(part), words, _NUMBER) for part, words in parts.items())
    return tuple(rule(*entry) for entry in (*_SHORT[language], *before_a_number))


def _part_rule(language: str) -> Rule:
    written = _SHORT_PARTS.get(language, {}).items()
    short = {part.casefold(): whole for part, whole in written}

    def say(found: re.Match[str]) -> str | None:
        value, part = roman(found["number"]), found["part"]
        if part.casefold() in short:
            whole = short[part.casefold()]
            part = whole.capitalize() if part[0].isupper() else whole
        if value == 1 and language == "fr":
            feminine = part.casefold() in _FEMININE
            return f"{part} {'première' if feminine else 'premier'}"
        words = cardinal(value, language) if value else None
        return words and f"{part} {words}"

    number = "(?P<number>[IVX]|[IVXLC]{2,})"  # a single C may be a letter
    parts = "|".join([_PARTS[language], *map(re.escape, short)])
    return Rule(re.compile(rf"\b(?P<part>(?i:{parts}))\s{number}(?![\w’'-])"), say)


_FRENCH_RANK = re.compile(r"(?<![\w-])(?P<number>[IVX]{2,})(?:e|ème)(?![\w’'])")


def _french_rank(found: re.Match[str]) -> str | None:
    """ "IIIe République", "XVIe arrondissement"; centuries have rules of their own."""
    value = roman(found["number"])
    return ordinal(value, "fr") if value else None


def _ruler_rule(language: str) -> Rule:
    def say(found: re.Match[str]) -> str | None:
        value = roman(found["number"])
        if not 0 < value <= _MOST_RULERS or (value == 1 and language == "fr"):
            return None
        counted = language == "fr" or (language != "it" and value > _MOST_ORDINAL)
        words = cardinal(value, language) if counted else ordinal(value, language)
        return words and f"{found['name']} {words}"

    return Rule(
        re.compile(rf"\b(?P<name>{_RULERS[language]}) (?P<number>[IVXL]+)(?![\w’'&-]|\.\w)"), say
    )


def _rules(language: str) -> tuple[Rule, ...]:
    units = (_unit_rule(language),) if language in _UNITS else ()
    rulers = (_ruler_rule(language),) if language in _RULERS else ()
    ranks = (Rule(_FRENCH_RANK, _french_rank),) if language == "fr" else ()
    return (*_short_rules(language), *units, _part_rule(language), *rulers, *ranks)


_GATE = re.compile(r"[.°№\dIVX]|M(?:me|lle|gr)|Dr|Ste?-")
ABROAD: Mapping[str, Group] = MappingProxyType(
    {language: Group(_GATE, _rules(language)) for language in _PARTS}
)
"""By language; English has rules of its own."""
