"""Which process on which machine: told so that it stays true when names repeat or a clock is set.

Two rented machines are often called the same, containers of one host count their processes anew,
and a clock that is set moves the time at which a process seems to have started.
"""

from __future__ import annotations

import os
import uuid
from functools import cache
from pathlib import Path

__all__ = ["has_ended", "machine", "start_of"]

_PROC = Path("/proc")
_BOOT_ID = _PROC / "sys/kernel/random/boot_id"
_OF_STATE, _OF_START = 0, 19  # behind the name in /proc/PID/stat: fields 3 and 22 of proc(5)


@cache
def machine() -> str:
    """Name where process numbers mean the same: a boot of a machine, and a container in it."""
    if not _BOOT_ID.exists():
        return f"{uuid.getnode():012x}"
    return f"{_BOOT_ID.read_text().strip()} {(_PROC / 'self/ns/pid').readlink()}"


def start_of(pid: int) -> float | None:
    """Return when a process of this machine started, by a clock of its own; None once it ended."""
    if not _BOOT_ID.exists():
        import psutil  # for the systems without /proc

        try:
            return psutil.Process(pid).create_time()
        except psutil.NoSuchProcess:
            return None
        except psutil.AccessDenied:
            return float("nan")
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    ended = fields[_OF_STATE] in "ZX"  # killed, and its parent has not asked yet
    return None if ended else int(fields[_OF_START]) / os.sysconf("SC_CLK_TCK")


def has_ended(at: str, pid: int, started: float) -> bool:
    """Return whether a process is known to have ended; of another machine's nobody knows."""
    if at != machine():
        return False
    now = start_of(pid)  # a number comes back: the start tells two processes apart
    return now is None or abs(now - started) > 1.0
