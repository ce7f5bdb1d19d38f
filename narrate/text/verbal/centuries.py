"""Centuries in roman numerals: "XIXe siècle", "siglo XIX", "XIX secolo", "the XIX century"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from narrate.text.verbal.claims import Group, Rule
from narrate.text.verbal.numerals import cardinal, ordinal, roman

__all__ = ["CENTURIES"]

_GATE = re.compile(r"[XVI][XVIeèᵉ]")
_MOST = 30
_LEAST_COUNTED = 11  # up to the tenth, Spanish and Portuguese say ordinals as often


def _ordinal_rule(pattern: str, language: str) -> Rule:
    def say(found: re.Match[str]) -> str | None:
        value = roman(found["number"])
        return ordinal(value, language) if 0 < value <= _MOST else None

    return Rule(re.compile(pattern), say)


def _cardinal_rule(pattern: str, language: str) -> Rule:
    def say(found: re.Match[str]) -> str | None:
        value = roman(found["number"])
        return cardinal(value, language) if _LEAST_COUNTED <= value <= _MOST else None

    return Rule(re.compile(pattern), say)


_RULES = {
    "en": _ordinal_rule(r"\b(?P<number>[XVI]{2,})(?=[ -][Cc]entur(?:y|ies)\b)", "en"),
    "fr": _ordinal_rule(r"\b(?P<number>[XVI]+)(?:e|ème|ᵉ)(?=\s[Ss]i[eè]cles?\b)", "fr"),
    "it": _ordinal_rule(r"\b(?P<number>[XVI]{2,})(?=\s[Ss]ecolo\b)", "it"),
    "es": _cardinal_rule(r"(?<=\b[Ss]iglo\s)(?P<number>[XVI]{2,})\b(?!-)", "es"),
    "pt": _cardinal_rule(r"(?<=\b[Ss]éculo\s)(?P<number>[XVI]{2,})\b(?!-)", "pt"),
}

CENTURIES: Mapping[str, Group] = MappingProxyType(
    {language: Group(_GATE, (rule,)) for language, rule in _RULES.items()}
)
"""By language; the others leave the numeral to the voice."""
