"""What an audio file says about itself: tags by ffmpeg's names, and chapter marks.

The names are those that Audiobookshelf reads: the author as artist, the reader as composer, the
series as `series` and `series-part` (MP4 has no such tags: there as `show` and `episode_id`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from narrate.core import Metadata

__all__ = ["DISCLOSURE", "Mark", "Tags", "ffmetadata", "parse_marks", "tags_of"]

DISCLOSURE = "AI narration"
_SPECIAL = "\\=;#\n"

Tags = dict[str, str]


@dataclass(frozen=True, slots=True)
class Mark:
    """A chapter in a file: half-open, in milliseconds."""

    start_ms: int
    end_ms: int
    title: str


def tags_of(metadata: Metadata, title: str = "", track: int = 0, of_tracks: int = 0) -> Tags:
    """Return the tags of a file: the whole book, or with `title` and `track` a part of it."""
    series, mark, part = metadata.series.rpartition(" #")
    if not mark:
        series, part = metadata.series, ""
    said = f"{metadata.description}\n\n{DISCLOSURE}." if metadata.description else DISCLOSURE
    found = {
        "title": title or metadata.title,
        "album": metadata.title,
        "artist": metadata.author,
        "album_artist": metadata.author,
        "composer": metadata.narrator,
        "date": str(metadata.year or ""),
        "genre": "Audiobook",
        "language": metadata.language,
        "description": said,
        "comment": DISCLOSURE,
        "track": f"{track}/{of_tracks}" if track else "",
        "grouping": metadata.series,
        "series": series,
        "series-part": part,
        "show": series,
        "episode_id": part,
        "media_type": "2",
    }
    return {name: value for name, value in found.items() if value}


def ffmetadata(tags: Tags, marks: Sequence[Mark] = ()) -> str:
    """Write tags and marks in ffmpeg's own format for them."""
    lines = [";FFMETADATA1", *(f"{name}={_escaped(value)}" for name, value in tags.items())]
    for mark in marks:
        lines += ["[CHAPTER]", "TIMEBASE=1/1000", f"START={mark.start_ms}", f"END={mark.end_ms}"]
        lines.append(f"title={_escaped(mark.title)}")
    return "\n".join(lines) + "\n"


def parse_marks(text: str) -> list[Mark]:
    """Read the chapter marks out of ffmetadata; times are rounded to milliseconds."""
    marks = []
    for part in text.split("[CHAPTER]\n")[1:]:
        values = dict(_pairs(part))
        over, under = map(int, values["TIMEBASE"].split("/"))
        start, end = (round(int(values[name]) * 1000 * over / under) for name in ("START", "END"))
        marks.append(Mark(start, end, values.get("title", "")))
    return marks


def _pairs(text: str) -> list[tuple[str, str]]:
    pairs, letters = [], iter(text)
    name, value, in_value = "", "", False
    for letter in letters:
        if letter == "\\":
            letter = next(letters, "")
        elif letter == "=" and not in_value:
            in_value = True
            continue
        elif letter == "\n":
            pairs.append((name, value))
            name, value, in_value = "", "", False
            continue
        if in_value:
            value += letter
        else:
            name += letter
    return pairs


def _escaped(value: str) -> str:
    kept = (letter for letter in value if letter >= " " or letter == "\n")
    return "".join(f"\\{letter}" if letter in _SPECIAL else letter for letter in kept)
