"""Characters made fit to be read: composed, folded, without invisible signs or loose space.

NFC, then only what is a matter of type: the ligatures ﬀ to ﬆ and full-width Latin letters and
digits. NFKC as a whole would change meaning: 10⁶ would become 106.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Sequence

from narrate.core import Skipped, Span
from narrate.text.traced import Traced

__all__ = ["LIGATURE", "clean", "folded", "joins"]

_INVISIBLE = (
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u070f\u115f\u1160\u17b4\u17b5"
    "\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb"
    "\U0001d173-\U0001d17a\U000e0000-\U000e01ef"
)
_INVISIBLES = re.compile(rf"(?:\x1b\[[0-9;]*[A-Za-z]|[{_INVISIBLE}])+")  # a terminal's colours too
_SPACES = re.compile(r"\s{2,}|[^\S \n]")
_FOLDED = {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)} | {
    code: chr(code - 0xFEE0)
    for first, last in (("０", "９"), ("Ａ", "Ｚ"), ("ａ", "ｚ"))
    for code in range(ord(first), ord(last) + 1)
}
LIGATURE = re.compile("[\ufb00-\ufb06]")
_FOLDABLE = re.compile("[" + "".join(map(chr, _FOLDED)) + "]")
_MOST_MARKS = 30
"""On one letter: as many as Unicode's Stream-Safe Text Format allows (UAX #15, section 13)."""
_MAYBE_CROWDED = re.compile(rf"[^\w\x00-\x7f]{{{_MOST_MARKS + 1}}}")


def folded(text: str) -> str:
    """The text as `clean` would write its visible characters, spacing aside."""
    return unicodedata.normalize("NFC", text.translate(_FOLDED))


def clean(piece: Traced) -> tuple[Traced, list[Skipped]]:
    """A stretch of text fit to be read, and what was dropped: signs unseen, marks past counting.

    White space becomes one space, or one line feed where it holds one: the readers put line
    feeds only where a line is a unit of its own, as in verse.
    """
    text, origins = piece.text, piece.origins
    skipped: list[Skipped] = []
    if _INVISIBLES.search(text):
        for run in _INVISIBLES.finditer(text):
            skipped += _each_run(origins[run.start() : run.end()], "invisible character")
        text, origins = _substituted(text, origins, _INVISIBLES, "")
    if _FOLDABLE.search(text):
        text, origins = _folded_traced(text, origins)
    if not unicodedata.is_normalized("NFC", text) or _MAYBE_CROWDED.search(text):
        text, origins = _composed(text, origins, skipped)
    if _SPACES.search(text):
        text, origins = _substituted(text, origins, _SPACES, " ")
    start = len(text) - len(text.lstrip())
    return Traced(text, origins).part(start, max(start, len(text.rstrip()))), skipped


def _each_run(origins: Sequence[int], reason: str) -> list[Skipped]:
    """Neighbouring offsets as spans: what stood between them in the source was spoken."""
    spans: list[Skipped] = []
    for origin in origins:
        if spans and spans[-1].span.end == origin:
            spans[-1] = Skipped(Span(spans[-1].span.start, origin + 1), reason)
        else:
            spans.append(Skipped(Span(origin, origin + 1), reason))
    return spans


def _substituted(
    text: str, origins: Sequence[int], pattern: re.Pattern[str], by: str
) -> tuple[str, array[int]]:
    parts: list[str] = []
    kept = array("I")
    done = 0
    for found in pattern.finditer(text):
        parts.append(text[done : found.start()])
        kept.extend(origins[done : found.start()])
        if by:
            parts.append("\n" if "\n" in found.group() else by)
            kept.append(origins[found.start()])
        done = found.end()
    parts.append(text[done:])
    kept.extend(origins[done:])
    return "".join(parts), kept


def _folded_traced(text: str, origins: Sequence[int]) -> tuple[str, array[int]]:
    parts: list[str] = []
    kept = array("I")
    for char, origin in zip(text, origins, strict=True):
        written = _FOLDED.get(ord(char), char)
        parts.append(written)
        kept.extend([origin] * len(written))
    return "".join(parts), kept


def _composed(text: str, origins: Sequence[int], skipped: list[Skipped]) -> tuple[str, array[int]]:
    """NFC cluster by cluster, so that a composed letter comes from its base.

    A mark that stood apart from its base, behind markup say, stays a character of its own. Marks
    that no letter bears go to `skipped`: a cluster that is longer than a chunk cannot be cut.
    """
    parts: list[str] = []
    kept = array("I")
    start = 0
    for end in range(1, len(text) + 1):
        if end < len(text) and joins(text[end]) and origins[end] == origins[end - 1] + 1:
            continue
        most = min(end, start + 1 + _MOST_MARKS)
        skipped += _each_run(origins[most:end], "more marks than a letter bears")
        written = unicodedata.normalize("NFC", text[start:most])
        parts.append(written)
        kept.extend(origins[min(start + k, most - 1)] for k in range(len(written)))
        start = end
    return "".join(parts), kept


def joins(char: str) -> bool:
    """Whether a character may melt into the one before: a mark, or a Hangul vowel or final."""
    return unicodedata.category(char).startswith("M") or "\u1161" <= char <= "\u11ff"
