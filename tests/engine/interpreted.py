"""Triton for the tests: the card where there is one, else Triton's interpreter on the CPU.

Import this before anything that imports triton.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

__all__ = ["CUDA", "DEVICE", "run_compiled"]

CUDA = torch.cuda.is_available()
DEVICE = torch.device("cuda" if CUDA else "cpu")

if CUDA:
    torch.backends.cudnn.allow_tf32 = False  # what kernels are compared with is fp32
else:
    os.environ["TRITON_INTERPRET"] = "1"  # read when triton is first imported
pytest.importorskip("triton", reason="triton is not installed: its kernels are not compared")
if not CUDA:
    from triton.runtime import interpreter

    patch_tensor = interpreter._patch_lang_tensor

    def patch_with_index(tensor: Any, scope: Any) -> None:
        """NOTE: from numpy 2.4 on int() refuses the one-element arrays of Triton 3.6 and older."""
        patch_tensor(tensor, scope)
        scope.set_attr(tensor, "__index__", lambda self: int(self.handle.data.item()))

    interpreter._patch_lang_tensor = patch_with_index


def run_compiled(name: str, timeout_s: float) -> None:
    """Run a file of tests beside this one in a process of its own, where Triton compiles."""
    file = str(Path(__file__).with_name(name))
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", file],
        env={**os.environ, "TRITON_INTERPRET": "0"},
        capture_output=True, text=True, timeout=timeout_s, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
