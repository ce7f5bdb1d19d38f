"""Processes that this one has started: how they end."""

from __future__ import annotations

import subprocess
from typing import Any

__all__ = ["wait_or_kill"]


def wait_or_kill(process: subprocess.Popen[Any], patience_s: float) -> None:
    """Wait for a process that has been told to end, and kill it when it takes too long."""
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
