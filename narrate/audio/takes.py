"""Takes on disk: 16-bit mono FLAC at the backend's own rate, encoded and decoded in memory."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import tempfile
from pathlib import Path
from typing import IO

import numpy as np
import soundfile
from numpy.typing import NDArray

from narrate.errors import StorageError

__all__ = ["DamagedTakeError", "decode_take", "encode_take"]

# libFLAC's level 2 of 8 as libsndfile counts (0..1). Measured on the preview voice: 5,400 times
# real time and 59 % of PCM's size; the highest level halves the speed for 55 %.
_COMPRESSION = 0.25


class DamagedTakeError(StorageError):
    """A take's file is missing, unreadable, or not what was stored: speak it again.

    `path` is the file.
    """

    @property
    def path(self) -> Path:
        """The file of the take, as it was asked for."""
        return Path(self.where)


def encode_take(samples: NDArray[np.int16] | NDArray[np.float32], rate_hz: int) -> bytes:
    """Mono samples, int16 or float32 in [-1, 1], as the bytes of a 16-bit FLAC file.

    Floats are rounded to the nearest step and clipped. The same samples give the same bytes.
    """
    if samples.ndim != 1 or not samples.size:
        raise ValueError(f"a take is one row of samples, got the shape {samples.shape}")
    if samples.dtype != np.int16:
        samples = np.clip(np.rint(samples * 32_768.0), -32_768, 32_767).astype(np.int16)
    with _scratch() as file:
        soundfile.write(
            os.dup(file.fileno()), samples, rate_hz,
            format="FLAC", subtype="PCM_16", compression_level=_COMPRESSION,
        )  # fmt: skip
        file.seek(0)
        return file.read()


def _scratch() -> IO[bytes]:
    """A file that the encoder writes by itself: one of ours would ask for Python's lock each time.

    It lies in memory where the system has such files.
    """
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("take"), "w+b")
    return tempfile.TemporaryFile()


def decode_take(path: Path, sha256: str | None = None) -> tuple[NDArray[np.float32], int]:
    """Samples (float32 in [-1, 1), mono) and rate in Hz of a take's file.

    With `sha256` (hex) the file's bytes must have it. `DamagedTakeError` names the file.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _damaged(path, error.strerror or "unreadable") from error
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise _damaged(path, "its bytes have changed")
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            samples = file.read(dtype="float32")
            wanted, rate_hz = file.frames, file.samplerate
    except soundfile.LibsndfileError as error:
        raise _damaged(path, str(error.error_string)) from error
    if samples.ndim != 1 or not samples.size or len(samples) != wanted:
        raise _damaged(path, f"{len(samples)} of {wanted} samples, shape {samples.shape}")
    return samples, rate_hz


def _damaged(path: Path, reason: str) -> DamagedTakeError:
    return DamagedTakeError(
        f"a recorded take cannot be used: {reason}",
        where=str(path),
        remedy="run the same command again: it speaks this take anew",
    )
