"""A card that is made of paper: kernels are compiled to the last byte, and launches written down.

What stands at Triton's edge to the hardware is replaced, in a process of its own, because the other
tests have Triton interpret.
"""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.backends.driver import DriverBase

SHARED_BYTES = 227 << 10  # that a program of a Hopper card can have


class Paper(DriverBase):  # type: ignore[misc]
    """A Hopper card on which launches are written down: `launches`, the threads they came from."""

    def __init__(self) -> None:
        self.launches: list[str] = []
        self.utils = self

    def launcher_cls(self, _source: object, _metadata: object) -> Callable[..., None]:
        return lambda *_: self.launches.append(threading.current_thread().name)

    def load_binary(self, *_: object) -> tuple[object, ...]:
        return object(), object(), 0, 0, 1024

    def get_device_properties(self, _device: int) -> dict[str, int]:
        return {"max_shared_mem": SHARED_BYTES}

    @classmethod
    def is_active(cls) -> bool:
        return True

    def map_python_to_cpp_type(self, ty: str) -> str:
        return ty

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", 90, 32)

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, _device: int) -> int:
        return 0

    def get_active_torch_device(self) -> torch.device:
        return torch.device("cpu")

    def get_benchmarker(self) -> Any:
        raise NotImplementedError


@contextmanager
def paper_card(kernels: Path) -> Iterator[Paper]:
    """Have Triton take a paper card for the only one there is, and keep its kernels in a folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_CACHE_DIR", str(kernels))
        card = Paper()
        triton.runtime.driver.set_active(card)
        try:
            yield card
        finally:
            triton.runtime.driver.set_active(None)


def used(kernels: Path, name: str, binary: str = "") -> dict[str, int]:
    """What a thread of the one kernel of this name takes: REG registers, bytes of STACK, LOCAL.

    A kernel of Triton's has a binary of its own, which has its name.
    """
    (file,) = kernels.glob(f"*/{binary or name}.cubin")
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    shown = subprocess.run(
        [str(tool), "--dump-resource-usage", str(file)],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    _, _, own = shown.partition(f"Function {name}:")
    found = re.findall(r"(REG|STACK|LOCAL):(\d+)", own.strip().partition("\n")[0])
    return {key: int(number) for key, number in found}
