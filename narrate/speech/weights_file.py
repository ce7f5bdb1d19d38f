"""A safetensors file seen from outside: is it whole, and which one is it?

The format: 8 bytes with the length of the header, the header as JSON (for each tensor its type,
shape and byte range), then the tensors' bytes one after the other.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass
from pathlib import Path

from narrate.errors import BackendError

__all__ = ["WeightsFile"]

_LENGTH = struct.Struct("<Q")
_LONGEST_HEADER = 100_000_000  # the format's own limit
_SAMPLE_BYTES = 4096
_LFS_POINTER = b"version https://git-lfs"


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A whole safetensors file; `ranges` are its tensors' byte ranges in the file, in order."""

    path: Path
    size_bytes: int
    header: bytes
    ranges: tuple[tuple[int, int], ...]

    @classmethod
    def read(cls, path: Path) -> WeightsFile:
        """Read a file's header; `BackendError` for a file that is cut short or no safetensors."""
        try:
            size_bytes = path.stat().st_size
            with path.open("rb") as file:
                start = file.read(_LENGTH.size)
                if _LFS_POINTER.startswith(start) and start:
                    raise _fault(path, "it is only a pointer, as git makes without git-lfs")
                length = _LENGTH.unpack(start)[0] if len(start) == _LENGTH.size else 0
                header = file.read(length) if 2 <= length <= _LONGEST_HEADER else b""
        except OSError as error:
            raise _fault(path, error.strerror or str(error)) from error
        if not header:
            raise _fault(path, "it is no safetensors file")
        if len(header) < length:
            raise _fault(path, f"it ends after {size_bytes:,} bytes, within its header")
        ranges = _ranges(path, header)
        end = max((stop for _, stop in ranges), default=0)
        data = _LENGTH.size + length
        if data + end != size_bytes:
            raise _fault(path, f"it has {size_bytes:,} bytes and should have {data + end:,}")
        return cls(path, size_bytes, header, tuple((data + a, data + b) for a, b in ranges))

    @property
    def names(self) -> frozenset[str]:
        """The names of its tensors."""
        return frozenset(json.loads(self.header)) - {"__metadata__"}

    def fingerprint(self) -> str:
        """SHA-256 (hex) over the header and the first 4 KiB of every tensor."""
        digest = hashlib.sha256(self.header)
        with self.path.open("rb") as file:
            for start, stop in self.ranges:
                file.seek(start)
                digest.update(file.read(min(_SAMPLE_BYTES, stop - start)))
        return digest.hexdigest()


def _ranges(path: Path, header: bytes) -> list[tuple[int, int]]:
    try:
        entries = json.loads(header)
        offsets = [e["data_offsets"] for name, e in entries.items() if name != "__metadata__"]
        return sorted((int(start), int(stop)) for start, stop in offsets)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _fault(path, "its header is damaged") from error


def _fault(path: Path, why: str) -> BackendError:
    return BackendError(
        f"the model's weights are not whole: {why}",
        where=str(path),
        remedy="download it again; what is there already is not fetched twice",
    )
