"""Keep the memory of a long run flat: glibc's allocator is told to give buffers back."""

from __future__ import annotations

import ctypes
import functools
import sys
from typing import Any

__all__ = ["ALLOCATOR_ENVIRONMENT", "give_memory_back", "keep_memory_flat"]

# Numbers of glibc's malloc.h. Left alone, it raises its own thresholds to the largest buffer it
# has seen and keeps an arena a thread: a run of ten thousand takes then grows by a third.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_SMALL_BYTES = 128 * 1024
# A take's buffers are up to some MB: mapped anew each time they cost a fifth of a preview run, in
# page faults (docs/log.md).
_TAKE_BYTES = 4 << 20
# What several takes at work let go of together: given back each time, it is mapped anew each time.
_TAKES_BYTES = 16 << 20

ALLOCATOR_ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(_SMALL_BYTES),
    "MALLOC_TRIM_THRESHOLD_": str(_SMALL_BYTES),
}
"""The same for a child process, which glibc reads at its start."""


def give_memory_back() -> None:
    """Hand back what lies free between buffers in use: after stitching, more than half of all."""
    if trim := _of_glibc("malloc_trim"):
        trim(0)


@functools.cache
def keep_memory_flat() -> bool:
    """Set the thresholds once a process; returns whether there was a glibc to set them in."""
    mallopt = _of_glibc("mallopt")
    return mallopt is not None and all(
        mallopt(name, value)
        for name, value in (
            (_TRIM_THRESHOLD, _TAKES_BYTES),
            (_MMAP_THRESHOLD, _TAKE_BYTES),
            (_ARENA_MAX, 1),
        )
    )


def _of_glibc(name: str) -> Any:
    """A function of the C library, None where there is none of that name."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform.startswith("linux") else None
