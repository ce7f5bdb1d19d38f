"""Kernels compiled beside each other, in a process where Triton compiles."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine import interpreted  # noqa: F401  skips where there is no triton

RUN = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]


def test_rehearsals_compile_and_run_nothing() -> None:
    import triton

    if not hasattr(triton, "AsyncCompileMode"):
        pytest.skip("this Triton compiles one kernel after the other")
    run = subprocess.run(
        [*RUN, str(Path(__file__).with_name("rehearsals.py"))],
        env={**os.environ, "TRITON_INTERPRET": "0"},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
