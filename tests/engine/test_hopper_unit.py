"""The units' CUDA kernels compile for their card and fit it; what they compute is for a card."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("triton", reason="triton is not installed: its cache keeps the kernels")
pytest.importorskip("cuda.bindings", reason="NVIDIA's bindings are not installed")
import triton

from narrate.engine.codec import hopper_unit
from tests.engine.paper import SHARED_BYTES

REGISTERS = 64 << 10  # of a multiprocessor
BINARY = "hopper_unit.cubin"


def test_kernels_compile_and_fit_a_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    binary = hopper_unit.compiled()
    (kept,) = tmp_path.glob(f"*/{BINARY}")
    assert kept.read_bytes() == binary
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    shown = subprocess.run(
        [str(tool), "--dump-resource-usage", str(kept)], capture_output=True, text=True, check=True
    ).stdout
    threads = {96: 512, 192: 384}
    for channels in hopper_unit.CHANNELS:
        found = re.search(rf"unit_{channels}:\s+REG:(\d+) STACK:(\d+)", shown)
        assert found, shown
        registers, spilled_bytes = map(int, found.groups())
        assert registers * threads[channels] <= REGISTERS
        assert spilled_bytes <= 16
        assert hopper_unit.shared_bytes(channels) <= SHARED_BYTES


def test_what_was_compiled_is_not_compiled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    hopper_unit.compiled()
    (kept,) = tmp_path.glob(f"*/{BINARY}")
    kept.write_bytes(b"what is kept")
    assert hopper_unit.compiled() == b"what is kept"
