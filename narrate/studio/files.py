"""Small files of a book's folder, that appear whole under their name or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from narrate.audio.wav import output_error

__all__ = ["write_whole"]


def write_whole(path: Path, content: bytes) -> None:
    """Write beside, flush to the disk, rename into place; the error says why it cannot be."""
    beside = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with beside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise output_error(error, path) from error
