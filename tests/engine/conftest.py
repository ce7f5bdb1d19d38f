"""Triton for the tests: the card where there is one, else Triton's interpreter on the CPU."""

from __future__ import annotations

import importlib.util
import os
from typing import Any


def _interpret() -> None:
    os.environ["TRITON_INTERPRET"] = "1"  # read when triton is first imported
    from triton.runtime import interpreter

    patch_tensor = interpreter._patch_lang_tensor

    def patch_with_index(tensor: Any, scope: Any) -> None:
        """NOTE: from numpy 2.4 on int() refuses the one-element arrays of Triton 3.6 and older."""
        patch_tensor(tensor, scope)
        scope.set_attr(tensor, "__index__", lambda self: int(self.handle.data.item()))

    interpreter._patch_lang_tensor = patch_with_index


if importlib.util.find_spec("torch") and importlib.util.find_spec("triton"):
    import torch

    if not torch.cuda.is_available():
        _interpret()
