"""Weights of a byte a number on their way to the arithmetic, in Triton."""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from narrate.engine.kernels.shapes import Packed, Weight

__all__ = ["as_read", "widened"]


def as_read(weight: Weight) -> tuple[torch.Tensor, torch.Tensor]:
    """Values and scales as a kernel is handed them; a weight without scales has none that count."""
    return (weight.values, weight.scales) if isinstance(weight, Packed) else (weight, weight)


@triton.jit
def widened(w, kind: tl.constexpr):
    """Weights as numbers of `kind`, by a type that holds each exactly: the fewest instructions."""
    if w.dtype == tl.float8e4nv:
        return w.to(tl.float16).to(kind)
    return w.to(kind)
