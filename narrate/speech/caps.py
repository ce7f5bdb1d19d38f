"""How many frames a text may take: the one rule against generations that never end.

A model that misses the end of a sentence goes on for minutes. A frame is 80 ms, and an unhurried
reader says 10 to 15 letters a second, so a letter takes 0.8 to 1.3 frames. The cap allows 2 a
letter, with 25 letters on top for the breath before and after: never reached by speech that is
going well, and a bound of some 45 s for the longest chunk.
"""

from __future__ import annotations

import math
import unicodedata

__all__ = ["FRAMES_PER_CHARACTER", "FRAMES_PER_S", "frame_cap", "spoken_length"]

FRAMES_PER_S = 12.5
FRAMES_PER_CHARACTER = 2.0
_MARGIN_CHARACTERS = 25
_DIGIT_CHARACTERS = 5  # "7" is said as "seven", "1984" as four words
_WIDE_CHARACTERS = 3  # a Chinese, Japanese or Korean character is a syllable or more


def frame_cap(text: str, frames_per_character: float = FRAMES_PER_CHARACTER) -> int:
    """The most frames that `text` may take; a digit counts 5 characters, a wide character 3."""
    return math.ceil(frames_per_character * (spoken_length(text) + _MARGIN_CHARACTERS))


def spoken_length(text: str) -> int:
    """Count the letters that `text` takes to say; a digit counts 5, a wide character 3."""
    return sum(_weight(character) for character in text)


def _weight(character: str) -> int:
    if character.isdigit():
        return _DIGIT_CHARACTERS
    return _WIDE_CHARACTERS if unicodedata.east_asian_width(character) in "WF" else 1
