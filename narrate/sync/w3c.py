"""The manifest of the W3C's Audiobooks profile: `publication.json` (Recommendation, 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from narrate.core import Metadata

__all__ = ["Track", "manifest"]

PROFILE = "https://www.w3.org/TR/audiobooks/"


@dataclass(frozen=True, slots=True)
class Track:
    """One sound in reading order; `url` is relative to the manifest."""

    url: str
    media_type: str
    title: str
    duration_s: float


def manifest(
    metadata: Metadata,
    identifier: str,
    modified: str,
    narrator: str,
    tracks: Sequence[Track],
    cover: tuple[str, str] | None = None,
) -> dict[str, Any]:
    """The manifest as JSON has it; `cover` is the picture's URL and media type.

    Durations are ISO 8601 in seconds, the whole one the sum of the parts as they are written.
    """
    language = metadata.language or "und"
    durations = [round(track.duration_s, 3) for track in tracks]
    values: dict[str, Any] = {
        "@context": [
            "https://schema.org",
            "https://www.w3.org/ns/pub-context",
            {"language": language},
        ],
        "conformsTo": PROFILE,
        "type": "Audiobook",
        "id": identifier,
        "name": metadata.title,
        "author": [metadata.author] if metadata.author else None,
        "readBy": [narrator],
        "inLanguage": language,
        "description": metadata.description or None,
        "datePublished": str(metadata.year) if metadata.year else None,
        "dateModified": modified,
        "abridged": False,
        "accessMode": ["auditory"],
        "accessModeSufficient": [{"type": "ItemList", "itemListElement": ["auditory"]}],
        "accessibilityHazard": ["none"],
        "duration": _duration(round(sum(durations), 3)),
        "readingOrder": [
            {
                "type": "LinkedResource",
                "url": track.url,
                "encodingFormat": track.media_type,
                "name": track.title,
                "duration": _duration(duration_s),
            }
            for track, duration_s in zip(tracks, durations, strict=True)
        ],
    }
    if cover:
        url, kind = cover
        picture = {"type": "LinkedResource", "url": url, "encodingFormat": kind, "rel": "cover"}
        values["resources"] = [picture | {"name": "Cover"}]
    return {name: value for name, value in values.items() if value is not None}


def _duration(seconds: float) -> str:
    return f"PT{seconds:.3f}S"
