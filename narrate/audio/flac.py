"""FLAC by libsndfile, which needs no ffmpeg; labels by us, for libsndfile knows few of them.

A file is a mark, blocks of metadata, and frames of sound (RFC 9639, section 8): new labels leave
the frames as they are.
"""

from __future__ import annotations

import shutil
import struct
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np
import soundfile
from numpy.typing import NDArray

from narrate.audio.tags import Tags
from narrate.audio.whole import appearing
from narrate.core import Cover
from narrate.errors import OutputError

__all__ = ["picture_block", "relabel_flac", "write_flac"]

_MARK = b"fLaC"
_STREAMINFO, _SEEKTABLE, _VORBIS_COMMENT, _PICTURE = 0, 3, 4, 6
_LAST = 0x80
_FRONT_COVER = 3
_MOST_BYTES = 2**24 - 1  # a block counts its bytes in 24 bits
_NAMES = {"track": "TRACKNUMBER", "album_artist": "ALBUMARTIST"}


def write_flac(
    blocks: Iterable[NDArray[np.int16]], rate_hz: int, out: Path, tags: Tags, cover: Cover | None
) -> None:
    """Write mono samples as 16-bit FLAC; `StorageError` or `OutputError` where it cannot be."""
    with appearing(out) as beside, tempfile.TemporaryFile(dir=out.parent) as raw:
        file = _Watched(raw)
        try:
            with soundfile.SoundFile(
                file, "w", rate_hz, 1, format="FLAC", subtype="PCM_16"
            ) as flac:
                for block in blocks:
                    flac.write(block)
                    file.check()
        except (soundfile.LibsndfileError, AssertionError):
            file.check()  # the system's reason, where there is one
            raise
        file.check()
        raw.seek(0)
        _label(raw, beside, out, tags, cover)


def relabel_flac(made: Path, out: Path, tags: Tags, cover: Cover | None) -> None:
    """Write a FLAC file again with other labels; its sound is copied."""
    with made.open("rb") as source, appearing(out) as beside:
        _label(source, beside, out, tags, cover)


def picture_block(cover: Cover) -> bytes:
    """A picture as FLAC and Ogg have it (RFC 9639, section 8.8)."""
    kind = cover.media_type.encode()
    no_sizes = bytes(16)
    head = struct.pack(">II", _FRONT_COVER, len(kind)) + kind + struct.pack(">I", 0) + no_sizes
    return head + struct.pack(">I", len(cover.data)) + cover.data


def _label(source: IO[bytes], beside: Path, out: Path, tags: Tags, cover: Cover | None) -> None:
    """Copy a file, its labels replaced."""
    if source.read(len(_MARK)) != _MARK:
        raise OutputError("this is no FLAC file", where=str(out), remedy="delete it, and run again")
    kept, last = [], False
    while not last:
        head = source.read(4)
        last = bool(head[0] & _LAST)
        content = source.read(int.from_bytes(head[1:], "big"))
        if head[0] & ~_LAST in (_STREAMINFO, _SEEKTABLE):
            kept.append((head[0] & ~_LAST, content))
    kept.append((_VORBIS_COMMENT, _comments(tags)))
    picture = picture_block(cover) if cover else b""
    if 0 < len(picture) <= _MOST_BYTES:
        kept.append((_PICTURE, picture))
    with beside.open("wb") as file:
        file.write(_MARK)
        for number, (kind, content) in enumerate(kept, 1):
            flag = _LAST if number == len(kept) else 0
            file.write(bytes([flag | kind]) + len(content).to_bytes(3, "big") + content)
        shutil.copyfileobj(source, file, 1 << 20)


def _comments(tags: Tags) -> bytes:
    """Names and values as Ogg's comments: lengths in little endian (RFC 9639, section 8.6)."""
    vendor = b"narrate"
    # NOTE: ffmpeg reads both as `comment`, and the last one wins; the description holds the other
    left_out = "comment" if "description" in tags else ""
    said = [
        f"{_NAMES.get(name, name.upper())}={value}".encode("utf-8", "replace")
        for name, value in tags.items()
        if name != left_out
    ]
    parts = [struct.pack("<I", len(vendor)), vendor, struct.pack("<I", len(said))]
    for one in said:
        parts += [struct.pack("<I", len(one)), one]
    return b"".join(parts)


class _Watched:
    """A file that keeps the error its write ended with: libsndfile has no way to hand it on."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._error: OSError | None = None

    def write(self, content: bytes) -> int:
        try:
            return self._raw.write(content)
        except OSError as error:
            self._error = error
            return 0

    def check(self) -> None:
        try:
            self._raw.flush()
        except OSError as error:
            self._error = self._error or error
        if self._error:
            raise self._error

    def read(self, count: int = -1) -> bytes:
        return self._raw.read(count)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()
