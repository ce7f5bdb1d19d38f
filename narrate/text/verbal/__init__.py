"""From written to spoken words: the table of languages, and the one call into their rules.

claims    the first rule to claim a stretch keeps it     amounts   numbers as English writes them
numerals  numbers in words                               the rest  a kind of sign each
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from narrate.text.verbal.claims import Claims, Group
from narrate.text.verbal.english import ENGLISH
from narrate.text.verbal.others import OTHERS

__all__ = ["LANGUAGES", "say"]

LANGUAGES: Mapping[str, tuple[Group, ...]] = MappingProxyType({"en": ENGLISH, **OTHERS})
"""The rules of each language; a text in any other is spoken as it is written."""


def say(claims: Claims, language: str) -> None:
    """Claim all that the rules of a language (an ISO 639-1 code) are sure of."""
    claims.apply(LANGUAGES.get(language, ()))
