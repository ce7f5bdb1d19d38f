"""A child process with all that it starts: what they hold together, while it runs."""

from __future__ import annotations

import subprocess
from typing import Any

import psutil

__all__ = ["peak_bytes"]


def peak_bytes(child: subprocess.Popen[Any], every_s: float) -> int:
    """Wait for a child's end; returns the most memory of it and its children, by samples.

    Pages that processes share count once, where the system tells their proportional share.
    """
    process, peak = psutil.Process(child.pid), 0
    while True:
        peak = max(peak, _bytes(process))
        try:
            child.wait(every_s)
        except subprocess.TimeoutExpired:
            continue
        return peak


def _bytes(process: psutil.Process) -> int:
    total = 0
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for member in family:
        try:
            used = member.memory_full_info()
        except psutil.Error:
            continue
        total += getattr(used, "pss", used.uss)
    return total
