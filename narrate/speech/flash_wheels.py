"""Which flash-attn 2 wheels are published: one fits one torch, one Python, one C++ ABI.

The package index has the source only: `pip install flash-attn` compiles for half an hour to hours
unless its setup finds one of these files. They hang on the project's release page on GitHub.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from narrate.speech.machine import Machine

__all__ = ["LOOKED_UP", "RELEASE", "Wheels", "python_tag", "torch_with_wheel", "wheel_for"]

RELEASE = "2.8.3"
LOOKED_UP = "2026-11-21"
_PAGE = f"https://github.com/Dao-AILab/flash-attention/releases/download/v{RELEASE}"


@dataclass(frozen=True, slots=True)
class Wheels:
    """The wheels for one torch minor: every Python with every ABI, on every platform named."""

    torch: str
    pythons: tuple[str, ...]
    abis: tuple[bool, ...] = (True, False)
    platforms: tuple[str, ...] = ("linux_x86_64",)
    cuda: str = "12"


# Release v2.8.3 whole, oldest torch first. It has nothing for torch 2.10 or newer, or for CUDA 13.
_PUBLISHED: Sequence[Wheels] = (
    Wheels("2.4", ("cp39", "cp310", "cp311", "cp312")),
    Wheels("2.5", ("cp39", "cp310", "cp311", "cp312", "cp313")),
    Wheels("2.6", ("cp39", "cp310", "cp311", "cp312", "cp313")),
    Wheels("2.7", ("cp39", "cp310", "cp311", "cp312", "cp313")),
    Wheels("2.8", ("cp39", "cp310", "cp311", "cp312", "cp313")),
    Wheels("2.9", ("cp312",), abis=(True,), platforms=("linux_x86_64", "linux_aarch64")),
)


def wheel_for(machine: Machine) -> str | None:
    """Return the address of the published wheel that fits this torch and Python, None without."""
    minor = ".".join((machine.torch or "").split(".")[:2])
    cuda = (machine.torch_cuda or "").partition(".")[0]
    for wheels in _PUBLISHED:
        if wheels.torch == minor and wheels.cuda == cuda and _fits(wheels, machine):
            tag = python_tag(machine)
            name = (
                f"flash_attn-{RELEASE}+cu{wheels.cuda}torch{minor}"
                f"cxx11abi{str(machine.torch_abi).upper()}-{tag}-{tag}-{machine.platform}.whl"
            )
            return f"{_PAGE}/{name}"
    return None


def torch_with_wheel(machine: Machine) -> str | None:
    """Return the newest torch minor with a wheel for this Python and platform, None without."""
    fitting = [wheels.torch for wheels in _PUBLISHED if _fits(wheels, machine)]
    return fitting[-1] if fitting else None


def python_tag(machine: Machine) -> str:
    """Return `cp311` for Python 3.11."""
    return f"cp{machine.python[0]}{machine.python[1]}"


def _fits(wheels: Wheels, machine: Machine) -> bool:
    return (
        python_tag(machine) in wheels.pythons
        and machine.torch_abi in wheels.abis
        and machine.platform in wheels.platforms
    )
