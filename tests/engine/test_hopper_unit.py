"""The units' CUDA kernels compile for their card and fit it; what they compute is for a card."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("cuda.bindings", reason="NVIDIA's bindings are not installed")
import tests.engine.interpreted  # noqa: F401  # before triton, for the tests that come after these
from narrate.engine.codec import hopper_unit
from tests.engine.paper import SHARED_BYTES, used

REGISTERS = 64 << 10  # of a multiprocessor
BINARY = "hopper_unit.cubin"


def test_kernels_compile_and_fit_a_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    binary = hopper_unit.compiled()
    (kept,) = tmp_path.glob(f"*/{BINARY}")
    assert kept.read_bytes() == binary
    for channels, threads in hopper_unit.THREADS.items():
        found = used(tmp_path, f"unit_{channels}", Path(BINARY).stem)
        assert found["REG"] * threads <= REGISTERS
        assert found["STACK"] <= 16, "registers are spilled"
        assert hopper_unit.shared_bytes(channels) <= SHARED_BYTES


def test_what_was_compiled_is_not_compiled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    hopper_unit.compiled()
    (kept,) = tmp_path.glob(f"*/{BINARY}")
    kept.write_bytes(b"what is kept")
    assert hopper_unit.compiled() == b"what is kept"
