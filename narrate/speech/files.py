"""What is kept of a voice: files that are whole under their name, or not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from narrate import files
from narrate.errors import StorageError

__all__ = ["in_turn", "write_whole"]


@contextmanager
def in_turn(lock: Path) -> Iterator[None]:
    """Let one process after the other do the block; `StorageError` where there can be no lock."""
    from filelock import FileLock

    held = FileLock(lock)
    with _told(lock.parent, "make the folder writable, then run it again"):
        lock.parent.mkdir(parents=True, exist_ok=True)
        held.acquire()
    try:
        yield
    finally:
        held.release()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, whoever else writes it at the same time; `StorageError` where it cannot be."""
    remedy = "free space on the disk or make the folder writable, then run it again"
    with _told(path.parent, remedy):
        files.write_whole(path, content, several_writers=True)


@contextmanager
def _told(folder: Path, remedy: str) -> Iterator[None]:
    """Say of what the disk refuses that it is about a voice."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"what is known about the voice cannot be kept: {error.strerror}",
            where=str(folder),
            remedy=remedy,
        ) from error
