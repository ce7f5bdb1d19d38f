"""Files that appear under their name when they are whole and on the disk, and not before."""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

__all__ = ["appearing", "is_full", "size_before", "sync_folder", "write_whole"]


@contextlib.contextmanager
def appearing(path: Path, *, several_writers: bool = False) -> Iterator[Path]:
    """Yield the name to write under; an error (`OSError`) leaves nothing behind.

    The name is `<name>.part`, so that a run after a crash writes over what was left; with
    `several_writers` at once it is another one each time. Whoever stood still meanwhile, and finds
    another process's file under that name, leaves it alone: `OSError`.
    """
    token = f".{uuid.uuid4().hex}" if several_writers else ""
    beside = path.with_name(f"{path.name}{token}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    beside.unlink(missing_ok=True)  # an encoder that outlived a killed run may still write to it
    beside.touch(exist_ok=False)
    own = beside.stat().st_ino
    try:
        yield beside
        with beside.open("rb") as file:
            os.fsync(file.fileno())
            if os.fstat(file.fileno()).st_ino != own:
                raise OSError(errno.EBUSY, "another process has begun this file", str(beside))
        beside.replace(path)
        sync_folder(path.parent)
    finally:
        with contextlib.suppress(FileNotFoundError):
            if beside.stat().st_ino == own:
                beside.unlink()


def write_whole(path: Path, content: bytes, *, several_writers: bool = False) -> None:
    """Write a file as `appearing` does; `OSError` where it cannot be."""
    with appearing(path, several_writers=several_writers) as beside:
        beside.write_bytes(content)


def sync_folder(folder: Path) -> None:
    """Make a rename in the folder survive a power cut, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def size_before(path: Path, oldest: float) -> int | None:
    """Return a file's bytes if it was last written before a time; None if not, or if it is gone."""
    try:
        stat = path.stat()
    except FileNotFoundError:  # renamed to its final name, or removed by another process
        return None
    return stat.st_size if stat.st_mtime < oldest else None


def is_full(error: OSError) -> bool:
    """Whether it failed for want of room: a full disk, or a quota that is used up."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
