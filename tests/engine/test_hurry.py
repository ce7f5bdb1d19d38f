"""Kernels compiled beside each other, in a process where Triton compiles."""

from __future__ import annotations

import pytest

from tests.engine.interpreted import run_compiled


def test_rehearsals_compile_and_run_nothing() -> None:
    import triton

    if not hasattr(triton, "AsyncCompileMode"):
        pytest.skip("this Triton compiles one kernel after the other")
    run_compiled("rehearsals.py", 240)
