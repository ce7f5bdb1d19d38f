"""Subtitles: sentences as cues that can be read in time, as SRT and as WebVTT.

A sentence that is too long for two lines or for seven seconds becomes several cues, parted behind
punctuation where it has some; times inside a sentence are shared out by characters.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from types import MappingProxyType

from narrate.sync.timeline import TimedChapter, shared_out

__all__ = ["FORMATS", "LONGEST_S", "Cue", "book_cues", "chapter_cues", "srt", "vtt"]

LINES = 2
LINE_CHARACTERS = 42
LINE_CHARACTERS_EAST = 18
LONGEST_S = 7.0
SHORTEST_S = 1.0
"""A shorter cue stays on the screen into the pause after it, as far as the next cue allows."""

_EAST = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")
_CLOSING = "\"'”’»）)」』】"
_AFTER_MARK = re.compile(rf"(?:[.!?…;:,—–、。，；：！？][{_CLOSING}]*|—)(?=\s|[\u3040-\u9fff])")
_SRT_MARKUP = re.compile(r"(<)(?=[/A-Za-z])|(\{)(?=\\)")
_WORD_JOINER = "\u2060"


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
        for sentence in chunk.sentences:
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


def _readable(cues: Sequence[Cue], end_ms: int) -> Iterator[Cue]:
    """The cues, those that flash by held on until they can be read or the next one comes."""
    last = Cue(max(end_ms, cues[-1].end_ms), 0, ()) if cues else Cue(0, 0, ())
    for cue, following in pairwise([*cues, last]):
        held = max(cue.end_ms, cue.start_ms + round(SHORTEST_S * 1000))
        yield replace(cue, end_ms=min(held, max(following.start_ms, cue.start_ms + 1)))


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
    if text[place].isspace():
        return True
    return bool(_EAST.match(text[place]) and _EAST.match(text[place - 1]))


def _width(text: str) -> int:
    east = len(_EAST.findall(text))
    return LINE_CHARACTERS_EAST if 3 * east > len(text) else LINE_CHARACTERS


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
    place = within[-1] if within else width  # a word that is longer than a line
    return text[:place].rstrip(), *_lines(text[place:].lstrip())
