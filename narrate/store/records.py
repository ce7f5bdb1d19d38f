"""What the store hands out: frozen values, not rows."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from narrate.core import Metadata

__all__ = ["Book", "Claimed", "Known", "Line", "Output", "Progress", "Worker"]


@dataclass(frozen=True, slots=True)
class Book:
    """A document the store knows; its results go to `folder`."""

    id: str
    source_path: Path
    source_sha256: str
    folder: Path
    title: str = ""
    author: str = ""
    language: str = ""
    series: str = ""
    year: int | None = None
    description: str = ""
    plan_digest: str = ""
    speech_digest: str = ""
    job: Mapping[str, Any] | None = None
    skipped: Mapping[str, int] | None = None
    updated_at: float = 0.0

    @property
    def metadata(self) -> Metadata:
        """What the document says, overridden by what was asked for."""
        asked = self.job or {}

        def chosen(name: str) -> Any:
            return getattr(self, name) if asked.get(name) is None else asked[name]

        return Metadata(
            title=_line(chosen("title")) or _line(self.title) or self.folder.name,
            author=_line(chosen("author")),
            narrator=_line(asked.get("narrator") or ""),
            series=_line(chosen("series")),
            year=chosen("year"),
            language=self.language,
            description="\n".join(map(_line, chosen("description").splitlines())).strip(),
        )


def _line(words: str) -> str:
    """Words as a tag, a manifest and a terminal can show them: one line, nothing but characters."""
    hidden = {char for char in words if unicodedata.category(char) in ("Cc", "Cs")}
    shown = (" " if char in hidden or char in "\ufffe\uffff" else char for char in words)
    return " ".join("".join(shown).split())


@dataclass(frozen=True, slots=True)
class Output:
    """A finished file of a book; `inputs` is the digest of all that went into it.

    `marks` of a chapter: where each chunk's speech starts and ends in it, in samples.
    `facts`: what was found out when it was made.
    """

    kind: str
    number: int
    path: Path
    inputs: str
    samples: int
    rate_hz: int
    marks: tuple[tuple[int, int], ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.samples / self.rate_hz

    @property
    def voice_hz(self) -> int:
        """Rate that a chapter's speech had before it was stitched; 0 where nobody noted it."""
        return int(self.facts.get("voice_hz", 0))


@dataclass(frozen=True, slots=True)
class Line:
    """A chunk without its words: what a run of many thousand chunks can afford to hold."""

    chapter: int
    position: int
    take_key: str
    attempt: int
    characters: int
    pause_after_s: float


@dataclass(frozen=True, slots=True)
class Claimed:
    """A take that this process is to speak, and what it says."""

    position: int
    take_key: str
    attempt: int
    spoken: str


@dataclass(frozen=True, slots=True)
class Known:
    """A take as its row tells of it: how long it is, what is wrong with it, when it was stored."""

    duration_s: float
    fault: str | None
    created_at: float


@dataclass(frozen=True, slots=True)
class Worker:
    """A process at work on a book; `chunks` are claimed by it, the first of them in `chapter`."""

    name: str
    leads: bool
    chunks: int
    chapter: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a chapter is, in chunks and in seconds of recorded audio."""

    number: int
    title: str
    chunks: int
    done: int
    audio_s: float
