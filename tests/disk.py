"""A disk small enough to be filled: memory under a folder, by the system's own call."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

__all__ = ["SmallDisk", "small_disk"]

_REMOUNT = 32  # MS_REMOUNT, linux/mount.h


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A mounted folder whose size can be changed."""

    path: Path

    def resize(self, size_bytes: int) -> None:
        """Give the disk another size, in whole kilobytes; what it holds stays."""
        _mount(self.path, size_bytes, _REMOUNT)


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[SmallDisk]:
    """Make `folder` a disk of that size; the test is skipped where nothing can be mounted."""
    folder.mkdir()
    if sys.platform != "linux":
        pytest.skip("cannot mount a small tmpfs here")
    try:
        _mount(folder, size_bytes)
    except OSError as error:
        pytest.skip(f"cannot mount a small tmpfs here: {error.strerror}")
    try:
        yield SmallDisk(folder)
    finally:
        _checked(_libc().umount(os.fsencode(folder)))


def _mount(folder: Path, size_bytes: int, flags: int = 0) -> None:
    where, options = os.fsencode(folder), f"size={size_bytes >> 10}k".encode()
    _checked(_libc().mount(b"tmpfs", where, b"tmpfs", ctypes.c_ulong(flags), options))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _checked(failed: int) -> None:
    if failed:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
