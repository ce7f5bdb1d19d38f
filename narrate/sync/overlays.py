"""Media overlays: which words of a page are heard when (EPUB 3.3, section 9)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lxml import etree

from narrate.sync.timeline import TimedChapter

__all__ = ["ACTIVE_CLASS", "STYLE", "Clip", "Sound", "clips_of", "clock", "duration_ms", "smil"]

ACTIVE_CLASS = "-epub-media-overlay-active"
STYLE = f".{ACTIVE_CLASS} {{ background-color: rgba(255, 214, 10, 0.35); }}\n"

_SMIL = "http://www.w3.org/ns/SMIL"
_OPS = "http://www.idpf.org/2007/ops"
_NAMES: dict[str, str] = {None: _SMIL, "epub": _OPS}  # type: ignore[dict-item]


@dataclass(frozen=True, slots=True)
class Sound:
    """A chapter's audio in the book: its name there, its media type."""

    name: str
    media_type: str


@dataclass(frozen=True, slots=True)
class Clip:
    """A place in a page, and the stretch of a sound in which it is heard, in milliseconds."""

    page: str
    mark: str
    sound: str
    start_ms: int
    end_ms: int


def clips_of(
    chapter: TimedChapter, places: Sequence[tuple[int, str, str]], sound: Sound
) -> list[Clip]:
    """Clips for places, each the sample at which it begins, its page and its mark.

    One follows the other without a gap, from the chapter's first sample to its last: a reader
    plays clips alone, so a pause that belongs to none would be left out.
    """
    starts = [round(start * 1000 / chapter.rate_hz) for start, _, _ in places]
    edges = [0, *starts[1:], round(chapter.duration_s * 1000)]
    return [
        Clip(page, mark, sound.name, start, end)
        for (start, end), (_, page, mark) in zip(pairwise(edges), places, strict=True)
        if end > start
    ]


def duration_ms(clips: Iterable[Clip]) -> int:
    """How long clips are, one after the other."""
    return sum(clip.end_ms - clip.start_ms for clip in clips)


def clock(ms: int) -> str:
    """Milliseconds as SMIL's full clock value."""
    seconds, ms = divmod(ms, 1000)
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}.{ms:03}"


def smil(clips: Sequence[Clip], up: str) -> bytes:
    """A media overlay document; `up` leads from its folder to the one that names start at."""
    root = etree.Element(f"{{{_SMIL}}}smil", nsmap=_NAMES, version="3.0")
    body = etree.SubElement(root, f"{{{_SMIL}}}body")
    for number, clip in enumerate(clips, 1):
        par = etree.SubElement(body, f"{{{_SMIL}}}par", id=f"par{number}")
        etree.SubElement(par, f"{{{_SMIL}}}text", src=f"{up}{clip.page}#{clip.mark}")
        etree.SubElement(
            par,
            f"{{{_SMIL}}}audio",
            src=f"{up}{clip.sound}",
            clipBegin=clock(clip.start_ms),
            clipEnd=clock(clip.end_ms),
        )
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
