"""FLAC by libsndfile, which needs no ffmpeg; the reason of a failed write is not lost."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np
import soundfile
from numpy.typing import NDArray

from narrate.audio.tags import Tags
from narrate.audio.whole import appearing

__all__ = ["write_flac"]

_TAGS = {
    "title": "title",
    "artist": "artist",
    "album": "album",
    "date": "date",
    "genre": "genre",
    "comment": "comment",
    "tracknumber": "track",
}
"""libsndfile's names and ours; it knows no others."""


def write_flac(blocks: Iterable[NDArray[np.int16]], rate_hz: int, out: Path, tags: Tags) -> None:
    """Write mono samples as 16-bit FLAC; `StorageError` or `OutputError` where it cannot be."""
    with appearing(out) as beside, beside.open("wb+") as raw:
        file = _Watched(raw)
        try:
            with soundfile.SoundFile(
                file, "w", rate_hz, 1, format="FLAC", subtype="PCM_16"
            ) as flac:
                for name, tag in _TAGS.items():
                    if tag in tags:
                        setattr(flac, name, tags[tag].replace("\0", ""))
                for block in blocks:
                    flac.write(block)
                    file.check()
        except (soundfile.LibsndfileError, AssertionError):
            file.check()  # the system's reason, where there is one
            raise
        file.check()


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
