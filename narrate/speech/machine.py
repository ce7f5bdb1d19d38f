"""What this machine has that a speech model could run on; loads no torch in this process."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from narrate.speech.devices import driver_cuda

__all__ = ["Card", "Machine", "look_at_machine"]

_SCRIPT = Path(__file__).with_name("torch_probe.py")
_PROBE_S = 120.0
_QUERY_S = 20.0
_MIB = 1 << 20
_QUERY = "name,compute_cap,memory.total,driver_version"


@dataclass(frozen=True, slots=True)
class Card:
    """A CUDA card; a `capability` of (8, 0) is what is called sm80."""

    name: str
    capability: tuple[int, int]
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Machine:
    """What was found; None is what is not there, an `_error` why something that is does not load.

    `cards` are those of the driver, `torch_cards` how many of them torch can use. `driver_cuda` is
    the newest CUDA that the driver speaks, `torch_arches` what torch was compiled for (`sm_80`).
    """

    python: tuple[int, int, int]
    platform: str
    cards: tuple[Card, ...] = ()
    driver: str | None = None
    driver_cuda: tuple[int, int] | None = None
    torch: str | None = None
    torch_error: str | None = None
    torch_cuda: str | None = None
    torch_abi: bool = True
    torch_arches: tuple[str, ...] = ()
    torch_cards: int = 0
    flash_attn: str | None = None
    flash_attn_error: str | None = None
    qwen_tts: str | None = None


def look_at_machine() -> Machine:
    """Ask the driver, the packages and, in a process of its own, torch."""
    cards, driver = _driver_cards()
    facts = _probe()
    seen: Sequence[Sequence[Any]] = facts.get("torch_cards") or ()
    by_torch = tuple(Card(str(n), (int(a), int(b)), int(memory)) for n, a, b, memory in seen)
    version = sys.version_info
    return Machine(
        python=(version.major, version.minor, version.micro),
        platform=f"{platform.system()}_{platform.machine()}".lower(),
        cards=cards or by_torch,
        driver=driver,
        driver_cuda=driver_cuda(),
        torch=facts.get("torch"),
        torch_error=facts.get("torch_error"),
        torch_cuda=facts.get("torch_cuda"),
        torch_abi=bool(facts.get("torch_abi", True)),
        torch_arches=tuple(facts.get("torch_arches") or ()),
        torch_cards=len(by_torch),
        flash_attn=facts.get("flash_attn"),
        flash_attn_error=facts.get("flash_attn_error"),
        qwen_tts=_version("qwen-tts"),
    )


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _probe(script: Path = _SCRIPT) -> Mapping[str, Any]:
    """Return what the probe prints, or a `torch_error` that says how its process ended."""
    # NOTE: -P keeps this folder off the path, where `voice.py` would hide other packages' modules.
    command = [sys.executable, "-P", str(script)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_PROBE_S, check=False)
    except subprocess.TimeoutExpired:
        return {"torch_error": f"it does not load within {_PROBE_S:.0f} s"}
    try:
        facts = json.loads(done.stdout)
    except ValueError:
        facts = None
    if done.returncode == 0 and isinstance(facts, dict):
        return facts
    last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
    ended = f"signal {-done.returncode}" if done.returncode < 0 else f"code {done.returncode}"
    return {"torch_error": f"the process that loads it ends with {ended} {''.join(last)}".strip()}


def _driver_cards() -> tuple[tuple[Card, ...], str | None]:
    """Ask nvidia-smi, which needs no torch; nothing where it is not there or has nothing to say."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return (), None
    command = [program, f"--query-gpu={_QUERY}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_QUERY_S, check=True)
    except (subprocess.SubprocessError, OSError):
        return (), None
    return _cards_of(done.stdout)


def _cards_of(table: str) -> tuple[tuple[Card, ...], str | None]:
    """Read nvidia-smi's lines; one that is not a card (an error, a MIG part) is left out."""
    cards, driver = [], None
    for line in table.splitlines():
        parts = [part.strip() for part in line.rsplit(",", 3)]
        if len(parts) != 4 or not parts[2].isdecimal():
            continue
        major, _, minor = parts[1].partition(".")
        if major.isdecimal() and minor.isdecimal():
            cards.append(Card(parts[0], (int(major), int(minor)), int(parts[2]) * _MIB))
            driver = parts[3]
    return tuple(cards), driver
