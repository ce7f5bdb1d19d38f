"""The picture of a book: the document's own, or the one that was asked for."""

from __future__ import annotations

import hashlib
import struct
import zlib
from pathlib import Path

from narrate.audio.whole import write_whole
from narrate.config import Job
from narrate.core import Cover, Document
from narrate.errors import InputError
from narrate.store import Book, Output, Store

__all__ = ["given_cover", "own_cover", "put_cover"]

COVER = "cover"

LARGEST_BYTES = (1 << 24) - 1024
"""What FLAC's blocks hold; and a picture lies in each chapter's file again."""

_REMEDY = "give a JPEG or PNG file with --cover"
_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN = 0xDA
_CMYK = 4


def given_cover(job: Job) -> Cover | None:
    """Read the picture that a job names; InputError where it is none that players show."""
    if job.cover is None:
        return None
    path = Path(job.cover).expanduser().absolute()
    try:
        cover = Cover(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"the cover cannot be read: {error.strerror}", where=str(path), remedy=_REMEDY
        ) from error
    if not _is_picture(cover):
        raise InputError("the cover is no whole picture", where=str(path), remedy=_REMEDY)
    if len(cover.data) > LARGEST_BYTES:
        raise InputError(
            f"the cover has {len(cover.data) / 1e6:.0f} MB, and files hold at most 16",
            where=str(path),
            remedy="make it smaller: 2,400 pixels a side are plenty",
        )
    if _jpeg_channels(cover.data) == _CMYK:
        raise InputError(
            "the cover is in the colours of printers (CMYK), which many players cannot show",
            where=str(path),
            remedy="save it again in RGB",
        )
    return cover


def own_cover(document: Document) -> Cover | None:
    """Return the document's picture; one that no player shows is passed over."""
    cover = Cover(document.cover) if document.cover else None
    fits = cover and _is_picture(cover) and len(cover.data) <= LARGEST_BYTES
    return cover if fits else None


def put_cover(store: Store, book: Book) -> None:
    """Put the picture beside the files, and no other of ours: players look for it there."""
    cover = store.cover(book.id)
    known = store.outputs(book.id).get((COVER, 0))
    path = book.folder / f"cover{cover.suffix}" if cover else None
    digest = hashlib.sha256(cover.data).hexdigest() if cover else ""
    if known and (known.path, known.inputs) == (path, digest):
        return
    store.drop_output(book.id, COVER, 0)
    if known and known.path != path:
        known.path.unlink(missing_ok=True)
    if cover and path:
        if not (path.exists() and path.read_bytes() == cover.data):
            write_whole(path, cover.data)
        store.put_output(book.id, Output(COVER, 0, path, digest, 0, 1))


def _is_picture(cover: Cover) -> bool:
    if cover.media_type == "image/png":
        return _is_whole_png(cover.data)
    return cover.media_type == "image/jpeg" and _jpeg_channels(cover.data) > 0


def _is_whole_png(data: bytes) -> bool:
    """Whether all chunks are there as they were written, with a size above zero."""
    at, kind = 8, b""
    while at + 12 <= len(data) and kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        if end + 4 > len(data) or zlib.crc32(data[at + 4 : end]) != _uint(data[end : end + 4]):
            return False
        at = end + 4
    return kind == b"IEND" and data[12:16] == b"IHDR" and all(struct.unpack_from(">II", data, 16))


def _jpeg_channels(data: bytes) -> int:
    """How many colours a JPEG has, 0 where it does not say so before its first scan."""
    at = 2
    while at + 10 <= len(data) and data[at] == 0xFF and data[at + 1] != _SCAN:
        if data[at + 1] in _SIZES:
            height, width, channels = struct.unpack_from(">HHB", data, at + 5)
            return int(channels) if height and width else 0
        at += 2 + _uint(data[at + 2 : at + 4])
    return 0


def _uint(data: bytes) -> int:
    return int.from_bytes(data, "big")
