"""Subtitles: sentences as cues that can be read in time, as SRT and as WebVTT.

A sentence that is too long for two lines or for seven seconds becomes several cues, parted behind
punctuation where it has some; times inside a sentence are shared out by characters. Sentences that
would flash by (`No. Never.`) share a cue with their neighbour in the chunk. Lines of Chinese and
Japanese begin with no mark that closes, and no line with half a character.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType

from narrate.sync.timeline import Heard, TimedChapter, shared_out

__all__ = ["FORMATS", "LONGEST_S", "Cue", "book_cues", "chapter_cues", "srt", "vtt"]

LINES = 2
LINE_CHARACTERS = 42
LINE_CHARACTERS_EAST = 18
LONGEST_S = 7.0
SHORTEST_S = 1.0
MOST_CHARACTERS_PER_S, MOST_CHARACTERS_PER_S_EAST = 17.0, 9.0
"""A cue that is shorter, or faster to be read, stays on the screen into the pause after it, as far
as the next cue allows."""

_EAST = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
_NOT_FIRST = frozenset(
    "、。，．,.；：;:！？!?…」』）)】》〉’”ーぁぃぅぇぉっゃゅょァィゥェォッャュョ々ゝ"
)
_NOT_LAST = frozenset("「『（(【《〈‘“")
_CLOSING = "\"'”’»）)」』】"
_AFTER_MARK = re.compile(rf"(?:[.!?…;:,—–、。，；：！？][{_CLOSING}]*|—)(?=\s|[\u3040-\u9fff])")
_SRT_MARKUP = re.compile(r"(<)(?=[/A-Za-z])|(\{)(?=\\)")
_WORD_JOINER = "\u2060"
_JOINER = "\u200d"


@dataclass(frozen=True, slots=True)
class Cue:
    """One or two lines, shown from `start_ms` to `end_ms`."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]


def chapter_cues(chapter: TimedChapter, before_ms: float = 0.0) -> list[Cue]:
    """The cues of a chapter in order, none over another; `before_ms` is what is heard before it."""
    cues: list[Cue] = []
    for chunk in chapter.chunks:
        for sentence in _told(chunk.sentences, chapter.rate_hz):
            words = " ".join(sentence.text.split())
            seconds = (sentence.end - sentence.start) / chapter.rate_hz
            for heard in shared_out(sentence.start, sentence.end, _pieces(words, seconds)):
                start, end = (
                    round(before_ms + place * 1000 / chapter.rate_hz)
                    for place in (heard.start, heard.end)
                )
                cues.append(Cue(start, max(end, start + 1), _lines(heard.text)))
    return list(_readable(cues, round(before_ms + chapter.duration_s * 1000)))


def book_cues(chapters: Iterable[TimedChapter]) -> Iterator[Cue]:
    """The cues of chapters that are heard one after the other."""
    before_ms = 0.0
    for chapter in chapters:
        yield from chapter_cues(chapter, before_ms)
        before_ms += chapter.duration_s * 1000


def srt(cues: Iterable[Cue]) -> str:
    """SubRip: a `<` or `{` that players would take for markup is parted from what follows."""
    return "".join(
        f"{number}\n{_clock(cue.start_ms, ',')} --> {_clock(cue.end_ms, ',')}\n"
        + "".join(_SRT_MARKUP.sub(rf"\g<0>{_WORD_JOINER}", line) + "\n" for line in cue.lines)
        + "\n"
        for number, cue in enumerate(cues, 1)
    )


def vtt(cues: Iterable[Cue]) -> str:
    """WebVTT, with `&`, `<` and `>` escaped."""
    return "WEBVTT\n\n" + "".join(
        f"{number}\n{_clock(cue.start_ms, '.')} --> {_clock(cue.end_ms, '.')}\n"
        + "".join(html.escape(line, quote=False) + "\n" for line in cue.lines)
        + "\n"
        for number, cue in enumerate(cues, 1)
    )


FORMATS: Mapping[str, Callable[[Iterable[Cue]], str]] = MappingProxyType({"srt": srt, "vtt": vtt})


def _clock(ms: int, point: str) -> str:
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}{point}{ms:03}"


def _told(sentences: Iterable[Heard], rate_hz: int) -> Iterator[Heard]:
    """The sentences of a chunk, those that flash by joined to a neighbour that has room."""
    held: Heard | None = None
    for sentence in sentences:
        if held is None:
            held = sentence
            continue
        gap = "" if _is_unspaced(held.text + sentence.text) else " "
        both = Heard(held.start, sentence.end, f"{held.text}{gap}{sentence.text}")
        shorter = min(held.end - held.start, sentence.end - sentence.start) / rate_hz
        fits = (both.end - both.start) / rate_hz <= LONGEST_S and len(_lines(both.text)) <= LINES
        if shorter < SHORTEST_S and fits:
            held = both
        else:
            yield held
            held = sentence
    if held is not None:
        yield held


def _readable(cues: Sequence[Cue], end_ms: int) -> Iterator[Cue]:
    """The cues, those that flash by held on until they can be read or the next one comes."""
    last = Cue(max(end_ms, cues[-1].end_ms), 0, ()) if cues else Cue(0, 0, ())
    for cue, following in pairwise([*cues, last]):
        held = max(cue.end_ms, cue.start_ms + round(1000 * _reading_s("".join(cue.lines))))
        yield replace(cue, end_ms=min(held, max(following.start_ms, cue.start_ms + 1)))


def _reading_s(text: str) -> float:
    per_s = MOST_CHARACTERS_PER_S_EAST if _is_east(text) else MOST_CHARACTERS_PER_S
    return min(max(SHORTEST_S, len(text) / per_s), LONGEST_S)


def _pieces(text: str, seconds: float) -> list[str]:
    """The text in the fewest pieces that fit on the screen and last no longer than they should."""
    most = LINES * _width(text)
    count = max(1, -(-len(text) // most), -(-int(seconds * 1000) // int(LONGEST_S * 1000)))
    while count < len(text):
        pieces = _parted(text, count)
        longest_s = seconds * max(map(len, pieces)) / len(text)
        if longest_s <= LONGEST_S and all(len(_lines(piece)) <= LINES for piece in pieces):
            return pieces
        if len(pieces) < count:  # no more places to part it at
            return pieces
        count += 1
    return [text]


def _parted(text: str, count: int) -> list[str]:
    """Up to `count` pieces of like length, parted behind punctuation before between words."""
    marks = [found.end() for found in _AFTER_MARK.finditer(text)]
    spaces = [place for place in range(1, len(text)) if _may_part(text, place)]
    pieces: list[str] = []
    start = 0
    for left in range(count, 1, -1):
        aim = start + (len(text) - start) / left
        reach = (len(text) - start) / left / 3
        near = [place for place in marks if abs(place - aim) <= reach and place > start]
        places = near or [place for place in spaces if place > start]
        if not places:
            break
        place = min(places, key=lambda place: abs(place - aim))
        pieces.append(text[start:place].strip())
        start = place
    pieces.append(text[start:].strip())
    return [piece for piece in pieces if piece]


def _may_part(text: str, place: int) -> bool:
    before, after = text[place - 1], text[place]
    if after.isspace():
        return True
    if after in _NOT_FIRST or before in _NOT_LAST:
        return False
    return bool(
        (_UNSPACED.match(after) or after in _NOT_LAST)
        and (_UNSPACED.match(before) or before in _NOT_FIRST)
    )


def _width(text: str) -> int:
    return LINE_CHARACTERS_EAST if _is_east(text) else LINE_CHARACTERS


def _is_unspaced(text: str) -> bool:
    return 3 * len(_UNSPACED.findall(text)) > len(text)


def _is_east(text: str) -> bool:
    return 3 * len(_EAST.findall(text)) > len(text)


def _lines(text: str) -> tuple[str, ...]:
    """The text on one line, on two of like length, or on as many as it takes."""
    width = _width(text)
    if len(text) <= width:
        return (text,)
    places = [place for place in range(1, len(text)) if _may_part(text, place)]
    halves = [place for place in places if max(place, len(text[place:].lstrip())) <= width]
    if halves:
        place = min(halves, key=lambda place: abs(place - len(text) / 2))
        return text[:place].rstrip(), text[place:].lstrip()
    within = [place for place in places if place <= width]
    place = within[-1] if within else _cut(text, width)
    return text[:place].rstrip(), *_lines(text[place:].lstrip())


def _cut(text: str, width: int) -> int:
    """Where a word that is longer than a line can be cut: not inside a letter and its signs."""
    for place in range(width, 0, -1):
        is_sign = unicodedata.category(text[place]).startswith("M")
        if not is_sign and _JOINER not in text[place - 1 : place + 1]:
            return place
    return width
