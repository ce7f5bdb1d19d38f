"""How many words of a text were heard otherwise: word error rate, on words made comparable.

Case, punctuation and the way numbers are written do not count: both texts go through what puts
numbers into words. Where a script has no spaces, each of its characters is a word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from narrate.text.spoken import Reading, spoken

__all__ = ["WordError", "word_error", "words_of"]

_APOSTROPHE = re.compile(r"(?<=\w)['’](?=\w)")
_WORD = re.compile(
    "[\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]"
    "|[^\\W_\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+"
)


@dataclass(frozen=True, slots=True)
class WordError:
    """Words put in, left out or replaced, and the words that were expected."""

    errors: int
    words: int

    @property
    def rate(self) -> float:
        """Errors a word."""
        return self.errors / max(1, self.words)


def word_error(expected: str, heard: str, language: str) -> WordError:
    """Compare by the fewest changes that lead from one to the other (Levenshtein distance)."""
    wanted, got = words_of(expected, language), words_of(heard, language)
    return WordError(_distance(wanted, got), len(wanted))


def words_of(text: str, language: str) -> list[str]:
    """The words of a text as they are compared."""
    plain = spoken(unicodedata.normalize("NFKC", text), Reading(language))
    return _WORD.findall(_APOSTROPHE.sub("", plain.casefold()))


def _distance(one: Sequence[str], other: Sequence[str]) -> int:
    row = list(range(len(other) + 1))
    for index, word in enumerate(one, 1):
        before, row[0] = row[0], index
        for place, heard in enumerate(other, 1):
            changed = before + (word != heard)
            before = row[place]
            row[place] = min(changed, row[place] + 1, row[place - 1] + 1)
    return row[-1]
