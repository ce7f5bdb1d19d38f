"""The nouns every room shares: frozen values, no behaviour beyond what their fields imply.

Units are in the names: `_s` seconds, `_hz` samples a second, `_samples` and `_frames` counts.
A `Span` counts characters of `Document.source`, the decoded text that a reader worked on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "Block",
    "BlockKind",
    "Chapter",
    "Chunk",
    "Cover",
    "Document",
    "Metadata",
    "Pauses",
    "Plan",
    "Skipped",
    "Span",
    "Spoken",
    "Take",
    "Utterance",
    "Voice",
    "VoicePrompt",
    "canonical_digest",
    "seed_of",
    "take_key",
]


_PICTURE_TAIL_BYTES = 4096  # programs leave notes of their own behind a picture


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Half-open range `[start, end)` of characters in a document's source."""

    start: int
    end: int


class BlockKind(StrEnum):
    """What a block of text is in the structure of its document."""

    PARAGRAPH = "paragraph"
    HEADING = "heading"
    ITEM = "item"
    QUOTE = "quote"
    VERSE = "verse"
    CODE = "code"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Block:
    """One paragraph, heading or list item as it is to be read.

    `origins[i]` is the source offset of `text[i]`, never decreasing, so every character that is
    spoken can be traced to the character that was written. `level` is a heading's depth from 1.
    `aside` says what a block is that is not spoken unless asked for: a footnote, the contents.
    """

    kind: BlockKind
    text: str
    origins: Sequence[int]
    level: int = 0
    aside: str = ""


@dataclass(frozen=True, slots=True)
class Chapter:
    """A title (empty when the document has none) and the blocks under it, heading included."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A stretch of the source that is not spoken, and why."""

    span: Span
    reason: str


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a book says about itself; an empty field is not known.

    `series` may end in the book's number in it: `Earthsea #2`. `language` is an ISO 639-1 code.
    """

    title: str = ""
    author: str = ""
    narrator: str = ""
    series: str = ""
    year: int | None = None
    language: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True)
class Cover:
    """A picture as a file's bytes."""

    data: bytes

    @property
    def media_type(self) -> str:
        """`image/jpeg` or `image/png` by the file's first bytes and last ones, else empty."""
        whole = {
            "image/jpeg": (b"\xff\xd8\xff", b"\xff\xd9"),
            "image/png": (b"\x89PNG\r\n\x1a\n", b"IEND"),
        }
        for name, (first, last) in whole.items():
            if self.data.startswith(first) and last in self.data[-_PICTURE_TAIL_BYTES:]:
                return name
        return ""

    @property
    def suffix(self) -> str:
        """The ending of a file that holds the picture."""
        return {"image/jpeg": ".jpg", "image/png": ".png"}.get(self.media_type, "")


@dataclass(frozen=True, slots=True)
class Document:
    """A document as a reader understood it; `source` is the decoded text the spans refer to.

    `notes` say what whoever listens ought to know, such as bytes that could only be guessed.
    """

    title: str
    author: str
    language: str
    chapters: tuple[Chapter, ...]
    source: str
    skipped: tuple[Skipped, ...] = ()
    cover: bytes | None = None
    series: str = ""
    year: int | None = None
    description: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pauses:
    """Silence after a chunk by what comes next in the structure, in seconds."""

    sentence_s: float = 0.35
    paragraph_s: float = 0.7
    heading_s: float = 1.2
    chapter_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Chunk:
    """What is spoken in one go: `text` as written (cleaned), `spoken` as the voice gets it.

    `chapter` and `position` count from 1; `position` runs through the whole document.
    """

    chapter: int
    position: int
    text: str
    spoken: str
    span: Span
    pause_after_s: float


@dataclass(frozen=True, slots=True)
class Plan:
    """All chunks of a document in reading order, and what of the source is not spoken."""

    title: str
    author: str
    language: str
    chapter_titles: tuple[str, ...]
    chunks: tuple[Chunk, ...]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Voice:
    """Who speaks. `digest` is the voice's identity; the preview voice has nothing else.

    A cloned voice has a recording, its transcript (None: x-vector mode), and the place where what
    a model is told about it is kept; `reference_sha256` is that of the samples that the digest
    covers, where they were heard. `speaker_name` is a named speaker of a CustomVoice model,
    `instruct` the description that a VoiceDesign model makes a voice from.
    """

    name: str
    digest: str
    prompt_path: Path | None = None
    reference_text: str | None = None
    reference_path: Path | None = None
    speaker_name: str | None = None
    instruct: str | None = None
    reference_sha256: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class VoicePrompt:
    """What a cloning model is told about a voice, computed once and kept with the voice.

    `codes`: [frames, 16] int64, the reference recording in codec codes, or None without a
    transcript (x-vector mode). `speaker`: [talker hidden] float32, the speaker embedding, or None
    for a named speaker. `reference_text`: the transcript that goes with `codes`.
    `speaker_name`: a CustomVoice speaker. `instruct`: a VoiceDesign description.
    """

    codes: NDArray[np.int64] | None = None
    speaker: NDArray[np.float32] | None = None
    reference_text: str | None = None
    speaker_name: str | None = None
    instruct: str | None = None


@dataclass(frozen=True, slots=True)
class Utterance:
    """One request to a backend; a `frame_cap` of 0 leaves the cap to the backend's own rule."""

    take_key: str
    spoken: str
    language: str
    seed: int
    frame_cap: int = 0
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Spoken:
    """A backend's answer: mono samples, int16 or float32 in [-1, 1], at `rate_hz`."""

    utterance: Utterance
    samples: NDArray[np.int16] | NDArray[np.float32]
    rate_hz: int
    checks: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Take:
    """A stored recording of one utterance, content-addressed by its key and shared by all books."""

    take_key: str
    audio_path: Path
    sha256: str
    samples: int
    rate_hz: int
    seed: int
    attempt: int
    checks: Mapping[str, object] = field(default_factory=dict)
    fault: str | None = None

    @property
    def duration_s(self) -> float:
        """Length of the recording before its edges are trimmed, in seconds."""
        return self.samples / self.rate_hz


def canonical_digest(value: object) -> str:
    """SHA-256 (hex) of the canonical JSON of a value: sorted keys, no spaces, UTF-8."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def take_key(
    spoken: str,
    language: str,
    voice_digest: str,
    backend_digest: str,
    sampling: Mapping[str, object],
    attempt: int = 0,
) -> str:
    """Identity of a recording: all that changes its samples, and nothing that does not.

    The position in the book is left out on purpose: a sentence that moves keeps its take.
    """
    return canonical_digest(
        {
            "spoken": spoken,
            "language": language,
            "voice": voice_digest,
            "backend": backend_digest,
            "sampling": dict(sampling),
            "attempt": attempt,
        }
    )


def seed_of(key: str) -> int:
    """The random seed of a take, 63 bits, taken from its key."""
    return int(key[:16], 16) >> 1
