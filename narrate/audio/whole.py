"""Files that appear under their name when they are whole and on the disk, and not before."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from narrate.audio.wav import output_error, sync_folder

__all__ = ["appearing"]


@contextlib.contextmanager
def appearing(out: Path) -> Iterator[Path]:
    """Yield the name to write under, `<name>.part`; an error leaves nothing behind."""
    beside = out.with_name(out.name + ".part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield beside
            with beside.open("rb") as file:
                os.fsync(file.fileno())
            beside.replace(out)
            sync_folder(out.parent)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise output_error(error, out) from error
