"""Where sentences end: pysbd on one paragraph, checked, with our own rules where it cannot.

pysbd takes a quotation for one sentence and uses a dozen rare symbols as its own marks, losing
text that holds them. So it gets a mask of the text, character for character: quotation marks,
brackets, double dashes and symbols blotted out. Its answer counts only where it covers the mask
completely, and each end it finds is moved behind closing marks and checked by the rules of
`boundaries`. About a mark behind a plain word it is not heard, nor asked where there is no other:
the answer is known, and asking is slow.
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from typing import Any, Protocol

from narrate.text.boundaries import (
    CLOSERS,
    END,
    after_closers,
    is_boundary,
    is_plain_end,
    rule_boundaries,
)
from narrate.text.listed import (
    item_boundaries,
    list_end_boundaries,
    pronoun_boundaries,
    unspaced_boundaries,
)

__all__ = ["sentences"]

# Languages that pysbd knows and treats no worse than our own rules; Chinese and Japanese need
# only their full stops.
_PYSBD = frozenset({"en", "de", "fr", "es", "it", "ru", "nl", "da", "pl", "el", "bg", "sk"})
_MAX_PYSBD_CHARS = 5_000  # its time grows with the square of a paragraph's length
_INNER = re.compile(rf"[.!?…‥؟۔।॥][{re.escape(CLOSERS)}]*\s+\S|[。！？｡]")
_EAST = re.compile("[。！？]")
_SPACED_STOPS = re.compile(r"(?:\s[.…])+")  # an ellipsis written with spaces
# Between two typed dashes pysbd ends no sentence, however many there are.
_QUOTES = re.compile(r"(?<!\w)['‘’]|['‘’](?!\w)|[\"“”„«»‹›()\[\]{}「」『』`_*]|-(?=-)|(?<=-)-")
_SYMBOLS = re.compile(r"[∯ȸ♨☝✂⌂♬♭☉☇☈☄☊☋☌☍☓ƪƒ♡☏&ᓰ-ᓿ\r\n]|[^\x00-\u2fff]")


class _Processor(Protocol):
    def process(self) -> list[str]: ...


class _Segmenter(Protocol):
    def processor(self, text: str) -> _Processor: ...


def sentences(text: str, language: str) -> list[tuple[int, int]]:
    """The sentences of one paragraph as `(start, end)`, without the white space between them."""
    ends: list[int] = []
    if _INNER.search(text) is None:
        pass
    elif _asks_pysbd(text, language):
        ends = _pysbd_boundaries(text, language)
    else:
        ends = list(rule_boundaries(text, language))
    more = {*item_boundaries(text), *unspaced_boundaries(text)}
    if language == "en":
        more.update(pronoun_boundaries(text))
    elif language == "de":
        more.update(list_end_boundaries(text))
    if more:
        ends = sorted(more.union(ends))
    spans: list[tuple[int, int]] = []
    start = 0
    for end in [*ends, len(text)]:
        piece = text[start:end]
        if piece.strip():
            first = start + len(piece) - len(piece.lstrip())
            spans.append((first, first + len(piece.strip())))
        start = end
    return spans


def _asks_pysbd(text: str, language: str) -> bool:
    if language not in _PYSBD or len(text) > _MAX_PYSBD_CHARS or _EAST.search(text):
        return False
    return not all(
        is_plain_end(text, found.start(), found.end() - 1, language)
        for found in _INNER.finditer(text)
    )


def _pysbd_boundaries(text: str, language: str) -> list[int]:
    """pysbd's ends that hold, or our own where its answer does not cover the text."""
    mask = _QUOTES.sub(" ", _SYMBOLS.sub("x", text))
    ends = _covered(mask, _segmenter(language).processor(mask).process())
    if ends is None:
        return list(rule_boundaries(text, language))
    plain = (
        found.end()
        for found in END.finditer(text)
        if is_plain_end(text, found.start(), found.end() + 1, language)
    )
    kept: set[int] = set()
    for end in [*ends, *plain]:
        spaced = _SPACED_STOPS.match(text, end)
        moved = after_closers(text, end if spaced is None else spaced.end())
        if moved < len(text) and is_boundary(text, moved, language):
            kept.add(moved)
    return sorted(kept)


def _covered(mask: str, pieces: list[str]) -> list[int] | None:
    """The end of each piece in the mask, None where the pieces are not the whole of it."""
    ends: list[int] = []
    cursor = 0
    for piece in pieces:
        bare = piece.strip()
        while cursor < len(mask) and mask[cursor].isspace():
            cursor += 1
        if not mask.startswith(bare, cursor):
            return None
        cursor += len(bare)
        ends.append(cursor)
    return None if mask[cursor:].strip() else ends


@lru_cache(maxsize=4)
def _segmenter(language: str) -> _Segmenter:
    # Imported here: a document of one-sentence paragraphs, and `--help`, never need it.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its patterns hold escapes that Python now warns about
        import pysbd

        segmenter = pysbd.Segmenter(language=language, clean=False)
    module = segmenter.language_module
    replacer = {"search_for_abbreviations_in_string": _abbreviations_marked}
    quick = type("Replacer", (module.AbbreviationReplacer,), replacer)
    segmenter.language_module = type("Language", (module,), {"AbbreviationReplacer": quick})
    found: _Segmenter = segmenter
    return found


def _abbreviations_marked(replacer: Any, text: str) -> str:
    """pysbd's own method, but for abbreviations with a stop behind them alone.

    The published one runs several patterns over the text for each of two hundred words of which a
    few letters occur in it, as "no" does in "not": two thirds of the time of a plan.
    """
    lowered = text.lower()
    for abbreviation in map(str.strip, replacer.lang.Abbreviation.ABBREVIATIONS):
        if f"{abbreviation}." in lowered:
            written = re.findall(rf"(?:^|\s){abbreviation}", text, flags=re.IGNORECASE)
            for match in dict.fromkeys(written):
                text = replacer.scan_for_replacements(text, match, 0, ())
    return text
