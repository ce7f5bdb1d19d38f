"""The picture of a book: the document's own, or the one that was asked for."""

from __future__ import annotations

from pathlib import Path

from narrate.config import Job
from narrate.core import Cover, Document
from narrate.errors import InputError

__all__ = ["given_cover", "own_cover"]

_REMEDY = "give a JPEG or PNG file with --cover"


def given_cover(job: Job) -> Cover | None:
    """Read the picture that a job names; InputError where it is none."""
    if job.cover is None:
        return None
    path = Path(job.cover).expanduser().absolute()
    try:
        cover = Cover(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"the cover cannot be read: {error.strerror}", where=str(path), remedy=_REMEDY
        ) from error
    if not cover.media_type:
        raise InputError("the cover is no whole picture", where=str(path), remedy=_REMEDY)
    return cover


def own_cover(document: Document) -> Cover | None:
    """Return the document's picture; one that no player shows is passed over."""
    cover = Cover(document.cover) if document.cover else None
    return cover if cover and cover.media_type else None
