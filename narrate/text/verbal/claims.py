"""Rules that put written signs into words: the first rule to claim a stretch of text keeps it.

Every rule sees the text as it is written, so what stands before and after a number is always
there to be looked at; what one rule has claimed no later rule touches.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Claims", "Group", "Rule", "alone", "word_after", "word_before"]

_WORD_AFTER = re.compile(r"[ \n]([^\W\d_]+)")
_WORD_BEFORE = re.compile(r"([^\W\d_]+\.?)[ \n][(“\"‘']?$")
_NEAR = 24  # characters before a match in which its last word is looked for


@dataclass(frozen=True, slots=True)
class Rule:
    """What a pattern is said as: None leaves it to later rules, the match itself protects it."""

    pattern: re.Pattern[str]
    say: Callable[[re.Match[str]], str | None]


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that can only match where `gate` is found: most text is passed by for one search."""

    gate: re.Pattern[str]
    rules: tuple[Rule, ...]


class Claims:
    """A text, and the stretches of it that are spoken otherwise than they are written."""

    def __init__(self, text: str) -> None:
        """Begin with nothing claimed."""
        self.text = text
        self._taken: list[tuple[int, int, str]] = []
        self._mask = bytearray(len(text))

    def apply(self, groups: Sequence[Group]) -> None:
        """Let the rules claim what they can, in their order."""
        for group in groups:
            if group.gate.search(self.text):
                for rule in group.rules:
                    self.run(rule)

    def run(self, rule: Rule) -> None:
        """Let one rule claim all that it matches and that nobody holds."""
        for found in rule.pattern.finditer(self.text):
            start, end = found.span()
            if start == end or any(self._mask[start:end]):
                continue
            words = rule.say(found)
            if words is not None:
                self._taken.append((start, end, words))
                self._mask[start:end] = b"\x01" * (end - start)

    def words(self) -> str:
        """The text with all claims put in."""
        if not self._taken:
            return self.text
        parts: list[str] = []
        cursor = 0
        for start, end, words in sorted(self._taken):
            parts += [self.text[cursor:start], words]
            cursor = end
        return "".join([*parts, self.text[cursor:]])


def alone(found: re.Match[str]) -> str:
    """Say a match as it is written, and let no other rule have it."""
    return found[0]


def word_before(found: re.Match[str]) -> str:
    """The word right before a match, its stop included, empty where there is none."""
    word = _WORD_BEFORE.search(found.string[max(0, found.start() - _NEAR) : found.start()])
    return "" if word is None else word[1]


def word_after(found: re.Match[str]) -> str:
    """The word right after a match, empty where something else follows."""
    word = _WORD_AFTER.match(found.string, found.end())
    return "" if word is None else word[1]
