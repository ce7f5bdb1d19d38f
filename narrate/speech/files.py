"""Files that appear whole under their name, or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from narrate.errors import StorageError

__all__ = ["write_whole"]


def write_whole(path: Path, content: bytes) -> None:
    """Write beside, flush to the disk, rename into place; `StorageError` where it cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
        beside = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(
            f"what is known about the voice cannot be kept: {error.strerror}",
            where=str(path.parent),
            remedy="free space on the disk or make the folder writable, then run it again",
        ) from error
