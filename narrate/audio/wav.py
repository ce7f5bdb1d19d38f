"""16-bit mono WAV files that appear whole under their name, or not at all.

The bytes are written by us and not by libsndfile, which loses the system's reason when a disk is
full. Layout: RIFF, a JUNK chunk of the size of `ds64`, `fmt `, `data`; past 4 GB the first two
become RF64 and `ds64` in place (EBU Tech 3306, section 3.5), so no length is needed beforehand.
Nothing in it depends on the time or the machine.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from narrate.errors import NarrateError, OutputError, StorageError
from narrate.files import appearing

__all__ = ["RIFF_LIMIT_BYTES", "WavWriter", "format_chunk", "output_error", "wav_bytes"]

RIFF_LIMIT_BYTES = 2**32 - 1  # a RIFF file counts its bytes in 32 bits

_BYTES_PER_SAMPLE = 2
_DS64 = struct.Struct("<QQQI")  # size of the file less 8, of the data, samples, table length
_FMT = struct.Struct("<HHIIHH")
_PCM = 1
_HEADER_BYTES = 12 + 8 + _DS64.size + 8 + _FMT.size + 8
_BUFFER_BYTES = 1 << 20


def wav_bytes(seconds: float, rate_hz: int = 44_100) -> int:
    """Size of a WAV file of ours in bytes: what a dry run needs to know about the disk."""
    return _HEADER_BYTES + _BYTES_PER_SAMPLE * round(seconds * rate_hz)


def format_chunk(rate_hz: int, kind: int = _PCM, width: int = _BYTES_PER_SAMPLE) -> bytes:
    """The chunk of a WAV that says what its mono samples are, of `width` bytes each."""
    numbers = _FMT.pack(kind, 1, rate_hz, rate_hz * width, width, 8 * width)
    return struct.pack("<4sI", b"fmt ", _FMT.size) + numbers


def _header(samples: int, rate_hz: int, limit_bytes: int) -> bytes:
    data = samples * _BYTES_PER_SAMPLE
    riff = _HEADER_BYTES - 8 + data
    large = riff + 8 > limit_bytes
    unknown = 0xFFFF_FFFF
    kind, size = (b"RF64", unknown) if large else (b"RIFF", riff)
    return b"".join(
        (
            struct.pack("<4sI4s", kind, size, b"WAVE"),
            struct.pack("<4sI", b"ds64" if large else b"JUNK", _DS64.size),
            _DS64.pack(riff, data, samples, 0) if large else bytes(_DS64.size),
            format_chunk(rate_hz),
            struct.pack("<4sI", b"data", unknown if large else data),
        )
    )


_FREE_SPACE = "free some space, then run the same command again: finished work is kept"
_OTHER_FOLDER = "make the folder writable, or choose another with --out"
_FAILURES: Mapping[int, tuple[type[NarrateError], str, str]] = {
    errno.ENOSPC: (StorageError, "the disk is full", _FREE_SPACE),
    errno.EDQUOT: (StorageError, "the disk quota is used up", _FREE_SPACE),
    errno.EFBIG: (StorageError, "the file is too large for this disk", _OTHER_FOLDER),
    errno.EACCES: (OutputError, "the output cannot be written: no permission", _OTHER_FOLDER),
    errno.EPERM: (OutputError, "the output cannot be written: no permission", _OTHER_FOLDER),
    errno.EROFS: (OutputError, "the output cannot be written: read-only disk", _OTHER_FOLDER),
    errno.ENOTDIR: (OutputError, "the output's folder is a file", _OTHER_FOLDER),
    errno.EEXIST: (OutputError, "the output's folder is a file", _OTHER_FOLDER),
    errno.EBUSY: (
        OutputError,
        "another process is writing this file",
        "wait for the other run, then run the same command again",
    ),
    errno.EISDIR: (OutputError, "a folder stands where the output should be", _OTHER_FOLDER),
}


def output_error(error: OSError, path: Path) -> NarrateError:
    """What the user is told when writing `path` failed: full disk, permission, or the reason."""
    kind, what, remedy = _FAILURES.get(
        error.errno or 0,
        (StorageError, f"the output cannot be written: {error.strerror or error}", _FREE_SPACE),
    )
    return kind(what, where=str(path), remedy=remedy)


class WavWriter:
    """A context manager: leaving it normally puts the file in place, by an error removes it.

    The file grows as `<name>.part` beside the final one; at the end its header is completed, it
    is synced, measured, renamed, and its folder synced. `StorageError` or `OutputError` on failure.
    `limit_bytes` is the size past which the file becomes RF64.
    """

    def __init__(self, path: Path, rate_hz: int, *, limit_bytes: int = RIFF_LIMIT_BYTES) -> None:
        self.path, self.rate_hz = path, rate_hz
        self.samples = 0
        self._limit_bytes = limit_bytes
        try:
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            self._appearing = appearing(path)
            self._file = self._appearing.__enter__().open("wb", buffering=_BUFFER_BYTES)
        except OSError as error:
            raise output_error(error, path) from error

    def write(self, samples: NDArray[np.int16]) -> None:
        """Append mono samples."""
        if not len(samples):
            return
        try:
            if not self.samples:
                self._file.write(bytes(_HEADER_BYTES))
            self._file.write(np.ascontiguousarray(samples, dtype="<i2").data)
        except OSError as error:
            raise output_error(error, self.path) from error
        self.samples += len(samples)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._discard(error)
            return
        try:
            self._finish()
        except OSError as failure:
            self._discard(failure)
            raise output_error(failure, self.path) from failure

    def _finish(self) -> None:
        self._file.seek(0)
        self._file.write(_header(self.samples, self.rate_hz, self._limit_bytes))
        self._file.flush()
        size = os.fstat(self._file.fileno()).st_size
        self._file.close()
        if size != _HEADER_BYTES + self.samples * _BYTES_PER_SAMPLE:
            raise OSError(errno.EIO, f"{size} bytes arrived on the disk")
        self._appearing.__exit__(None, None, None)

    def _discard(self, error: BaseException) -> None:
        # closing flushes what is buffered, and on a full disk that fails once more
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._appearing.__exit__(type(error), error, None)
