"""What is spoken: texts of our own of eight lengths, and a chapter of chunks as long as a book's.

A text of n characters is given the frames that a calm reader needs for it; with an endless model
(see `narrate.bench.weights`) every row runs to exactly that, so all cells do equal work.
"""

from __future__ import annotations

from importlib.resources import files
from itertools import cycle, islice

from narrate.core import Utterance
from narrate.speech.caps import FRAMES_PER_S

__all__ = ["CHAPTER", "LENGTHS", "chapter", "frames_for", "rows", "sample"]

LENGTHS = (12, 39, 44, 97, 187, 255, 506, 2594)
CHARACTERS_PER_S = 15.0
_LEAST_FRAMES = 3

CHAPTER = (
    *(10, 17, 30, 42, 54, 65, 73, 82, 92, 101, 106, 112, 116, 122, 126, 131, 134, 138, 142, 146),
    *(149, 152, 155, 158, 160, 164, 166, 169, 172, 175, 178, 181, 183, 186, 189, 192, 194, 197),
    *(199, 203, 205, 208, 211, 214, 217, 220, 223, 226, 230, 234, 237, 240, 243, 247, 251, 254),
    *(258, 263, 268, 272, 277, 283, 289, 297),
)
"""Quantiles of the chunk lengths of Pride and Prejudice, whose average chapter has 63 chunks."""


def sample(characters: int) -> str:
    """The text of exactly so many characters; the longest is a tutorial about tokenization."""
    path = files(__package__) / "samples" / f"{characters}.txt"
    return path.read_text(encoding="utf-8")


def frames_for(characters: int, most: int | None = None) -> int:
    """Frames of a text at 15 characters a second, `most` at most."""
    frames = max(_LEAST_FRAMES, round(characters / CHARACTERS_PER_S * FRAMES_PER_S))
    return frames if most is None else min(frames, most)


def rows(text: str, count: int, most_frames: int | None = None) -> list[Utterance]:
    """The same text in `count` rows, each with a seed of its own."""
    cap = frames_for(len(text), most_frames)
    return [Utterance(f"{row}", text, "en", row + 1, cap) for row in range(count)]


def chapter(most_frames: int | None = None, chunks: int | None = None) -> list[Utterance]:
    """A chapter: our longest text cut to the lengths that a novel's chunks have."""
    words = cycle(sample(LENGTHS[-1]).split())
    lengths = CHAPTER if chunks is None else CHAPTER[:: max(1, len(CHAPTER) // chunks)][:chunks]
    said = []
    for number, length in enumerate(lengths):
        text = " ".join(islice(words, length // 4 + 1))[:length].strip().ljust(length, ".")
        said.append(Utterance(f"{number}", text, "en", number + 1, frames_for(length, most_frames)))
    return said
