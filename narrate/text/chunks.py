"""Sentences packed into chunks: 150 to 250 characters where the text allows, never over the limit.

A paragraph is first cut at anchors, sentence ends chosen by their own words, so that a sentence
put in or taken out changes the chunks around it and no others. What still lies between two anchors
and is too long is divided at the least cost: at sentence ends, else at clauses, else at spaces.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from narrate.text.boundaries import CLOSERS, OPENERS, is_abbreviation
from narrate.text.clean import joins
from narrate.text.sentences import sentences

__all__ = ["Cut", "Limits", "Piece", "pieces"]


class Cut(IntEnum):
    """What a chunk ends at; the value is what it costs to end one there."""

    SENTENCE = 0
    CLAUSE = 1_500
    COMMA = 2_500
    SPACE = 8_000
    ANYWHERE = 40_000


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a chunk may be, in characters: derived from the hard limit."""

    max_chars: int

    @property
    def high(self) -> int:
        """Above this a chunk is longer than wanted: 250 of 300."""
        return self.max_chars * 5 // 6

    @property
    def low(self) -> int:
        """Below this a chunk is shorter than wanted: 150 of 300."""
        return self.max_chars // 2


@dataclass(frozen=True, slots=True)
class Piece:
    """The characters `[start, end)` of a block, to be spoken in one go."""

    start: int
    end: int
    cut: Cut


_ANCHOR_CHARS = 24  # of the text on each side decide whether a sentence end is an anchor
_CHUNK_COST = 500
_MIN_APART = 10  # of the limit between two clause ends that are looked at: bounds the search
_NO_START = re.compile(rf"[{re.escape(CLOSERS)}.,;:!?…·、，。；：！？%–—-]")
_BOTH_WAYS = "\"'»›"
# A line's end comes first: in verse a comma there is worth more than one inside a line.
_CLAUSE = re.compile(
    rf"(?P<line>[,;:—–-]*[{re.escape(CLOSERS)}]*\n)"
    rf"|(?:(?P<clause>[;:]|[—–]|--)|(?P<comma>,))[{re.escape(CLOSERS)}]*(?=\s)"
    r"|(?P<dash>—|--)(?=[^\W_])|(?P<east_clause>[；：])|(?P<east_comma>[，、])"
)
_CUTS = {
    "clause": Cut.CLAUSE,
    "dash": Cut.CLAUSE,
    "east_clause": Cut.CLAUSE,
    "line": Cut.CLAUSE,
    "comma": Cut.COMMA,
    "east_comma": Cut.COMMA,
}
_EAST = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")
_WORD_BEFORE = re.compile(r"\S*$")


def pieces(text: str, language: str, limits: Limits) -> list[Piece]:
    """Divide a block's text; the pieces are in order and leave out only white space."""
    if len(text) <= limits.high:
        return [Piece(0, len(text), Cut.SENTENCE)]
    spans = sentences(text, language)
    if len(text) <= limits.max_chars:
        return [Piece(0, len(text), Cut.SENTENCE)]
    result: list[Piece] = []
    for first, last in _between_anchors(text, spans, limits.low):
        start, end = spans[first][0], spans[last - 1][1]
        if end - start <= limits.max_chars:
            result.append(Piece(start, end, Cut.SENTENCE))
        else:
            result += _divided(text, spans[first:last], limits)
    return result


def _between_anchors(
    text: str, spans: Sequence[tuple[int, int]], reach: int
) -> list[tuple[int, int]]:
    """Runs of sentences: an anchor's hash is the highest within `reach` characters around it."""
    ends = [end for _, end in spans[:-1]]
    hashes = [
        zlib.crc32(text[max(0, end - _ANCHOR_CHARS) : end + _ANCHOR_CHARS].encode("utf-8"))
        for end in ends
    ]
    starts = [0]
    left = right = 0
    for index, end in enumerate(ends):
        while ends[left] < end - reach:
            left += 1
        while right < len(ends) and ends[right] <= end + reach:
            right += 1
        inside = spans[0][0] + reach <= end <= spans[-1][1] - reach
        first_highest = left + hashes[left:right].index(max(hashes[left:right]))
        if inside and index == first_highest:
            starts.append(index + 1)
    return list(zip(starts, [*starts[1:], len(spans)], strict=True))


def _divided(text: str, spans: Sequence[tuple[int, int]], limits: Limits) -> list[Piece]:
    """The cheapest division of some sentences into chunks, every one within the limit."""
    start = spans[0][0]
    cuts = _cuts(text, spans, limits)
    costs, back = [0], [0]
    prices = _prices(limits)
    places = [start, *(place for place, _ in cuts)]
    for index in range(1, len(places)):
        best, chosen = -1, index - 1
        for previous in range(index - 1, -1, -1):
            length = places[index] - places[previous]
            if length > limits.max_chars and previous < index - 1:
                break
            cost = costs[previous] + (
                prices[length] if length < len(prices) else _cost(length, limits)
            )
            if best < 0 or cost < best:
                best, chosen = cost, previous
        costs.append(best + int(cuts[index - 1][1]))
        back.append(chosen)
    chosen_cuts: list[int] = []
    index = len(places) - 1
    while index:
        chosen_cuts.append(index)
        index = back[index]
    result: list[Piece] = []
    for index in reversed(chosen_cuts):
        place, cut = cuts[index - 1]
        result.append(_trimmed(text, start, place, cut))
        start = place
    return result


@lru_cache(maxsize=8)
def _prices(limits: Limits) -> Sequence[int]:
    """The cost of each length up to the limit, which is asked for ten thousands of times."""
    return tuple(_cost(length, limits) for length in range(limits.max_chars + 1))


def _cost(length: int, limits: Limits) -> int:
    """What a chunk of this length costs, on the scale of a limit of 300."""
    length, low, high = (
        value * 300 // limits.max_chars for value in (length, limits.low, limits.high)
    )
    if length < low:
        return _CHUNK_COST + (low - length) ** 2 // 2
    return _CHUNK_COST + max(0, length - high) ** 2


def _cuts(text: str, spans: Sequence[tuple[int, int]], limits: Limits) -> list[tuple[int, Cut]]:
    """Every place a chunk may end at, the last one included, never further apart than the limit."""
    result: list[tuple[int, Cut]] = []
    for start, end in spans:
        previous = start
        if end - start > limits.low:
            for found in _CLAUSE.finditer(text, start, end):
                place, name = found.end(), found.lastgroup or "comma"
                apart = place - previous >= limits.max_chars // _MIN_APART
                if apart and place < end and _may_start(text, place):
                    result += _spaces(text, previous, place, limits)
                    result.append((place, _CUTS[name]))
                    previous = place
        result += _spaces(text, previous, end, limits)
        result.append((end, Cut.SENTENCE))
    return result


def _spaces(text: str, start: int, end: int, limits: Limits) -> list[tuple[int, Cut]]:
    """Cuts inside a stretch without a clause: few, of like size, at spaces if there are any."""
    result: list[tuple[int, Cut]] = []
    while end - start > limits.high:
        left = end - start
        aim = start + left // -(-left // limits.high)
        last = min(start + limits.high, end - 1)
        place = _near(text, start + limits.max_chars // 4, aim, last)
        cut = Cut.SPACE
        if place < 0:
            place, cut = _grapheme_end(text, start, last), Cut.ANYWHERE
        result.append((place, cut))
        start = place
    return result


def _near(text: str, first: int, aim: int, last: int) -> int:
    """The cut between words nearest to `aim`, -1 if there is none."""
    for distance in range(max(aim - first, last - aim) + 1):
        for place in (aim - distance, aim + distance):
            if first < place <= last and _between_words(text, place):
                return place
    return -1


def _between_words(text: str, place: int) -> bool:
    if text[place].isspace():
        word = _WORD_BEFORE.search(text, max(0, place - 20), place)
        before = "" if word is None else word.group().lstrip(OPENERS)
        if before.endswith(".") and is_abbreviation(before[:-1]):
            return False
        if before[-1:].isdigit() and text[place + 1 : place + 2].isdigit():
            return False
        return _may_start(text, place) and before[-1:] not in OPENERS
    east = _EAST.match(text[place]) and _EAST.match(text[place - 1])
    return bool(east)


def _may_start(text: str, place: int) -> bool:
    """Whether a chunk may begin here: not with what closes the one before."""
    while place < len(text) and text[place].isspace():
        place += 1
    if place < len(text) and text[place] in _BOTH_WAYS and text[place - 1].isspace():
        return text[place + 1 : place + 2].isalnum()  # it opens what follows
    return place < len(text) and not _NO_START.match(text[place])


def _grapheme_end(text: str, start: int, last: int) -> int:
    """The last place up to `last` that parts no letter from its marks, `last` if there is none."""
    place = last
    while place > start + 1 and _joins(text[place], text[place - 1]):
        place -= 1
    return place if place > start + 1 else last


def _joins(char: str, before: str) -> bool:
    return (
        joins(char)
        or char == "\u200d"
        or before == "\u200d"
        or "\U0001f3fb" <= char <= "\U0001f3ff"
    )


def _trimmed(text: str, start: int, end: int, cut: Cut) -> Piece:
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    return Piece(start, start + len(piece.strip()), cut)
