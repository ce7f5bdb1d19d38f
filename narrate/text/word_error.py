"""How many words of a text were heard otherwise: word error rate, on words made comparable.

Case, punctuation and the way numbers are written do not count: both texts go through what puts
numbers into words. Where a script has no spaces, each of its characters is a word. Two words that
were heard as one, or one as two (to-day and today), are the same.
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
    old: list[int] = []
    row = list(range(len(other) + 1))
    for index, word in enumerate(one):
        older, old, row = old, row, [index + 1]
        for place, heard in enumerate(other):
            least = min(old[place] + (word != heard), old[place + 1] + 1, row[place] + 1)
            if index and one[index - 1] + word == heard:
                least = min(least, older[place])
            if place and other[place - 1] + heard == word:
                least = min(least, old[place - 1])
            row.append(least)
    return row[-1]
