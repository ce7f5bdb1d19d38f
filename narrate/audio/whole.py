"""What `narrate.files` does, with the reasons that a user of an output folder needs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from narrate import files
from narrate.audio.wav import output_error

__all__ = ["appearing", "write_whole"]


@contextlib.contextmanager
def appearing(out: Path) -> Iterator[Path]:
    """Yield the name to write under, `<name>.part`; an error leaves nothing behind."""
    try:
        with files.appearing(out) as beside:
            yield beside
    except OSError as error:
        raise output_error(error, out) from error


def write_whole(out: Path, content: bytes) -> None:
    """Write a file that is whole under its name, or not there."""
    with appearing(out) as beside:
        beside.write_bytes(content)
