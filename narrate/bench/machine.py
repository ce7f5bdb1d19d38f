"""What a figure has to name: card, driver, versions, command, commit, and who else was at work."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from narrate import __version__
from narrate.config import usable_cores
from narrate.speech.machine import look_at_machine

__all__ = ["BUSY_SHARE", "environment"]

BUSY_SHARE = 0.5
"""A machine whose load at the start was above this share of its cores was not ours alone."""
_PACKAGES = ("torch", "triton", "flash-attn", "transformers", "qwen-tts", "numpy", "prefect")
_CPU = Path("/proc/cpuinfo")


def environment(commit: str | None = None) -> Mapping[str, Any]:
    """Facts about this machine and this code; `commit` where git cannot tell."""
    machine = look_at_machine()
    card = machine.cards[0] if machine.cards else None
    return {
        "card": card.name if card else None,
        "cards": len(machine.cards),
        "card_memory_gb": round(card.memory_bytes / 2**30, 1) if card else None,
        "driver": machine.driver,
        "cuda": machine.torch_cuda,
        "processor": _processor(),
        "cores": usable_cores(),
        "load_at_start": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {"narrate": __version__, **_versions()},
        "commit": commit or _commit(),
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        lines = _CPU.read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _commit() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        git = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return git.stdout.strip() or None
