"""How a kernel reads what is not simply there: packed weights, and sums in parts; in Triton."""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from narrate.engine.kernels.shapes import Packed, Weight

__all__ = ["as_read", "whole", "widened"]


def as_read(weight: Weight) -> tuple[torch.Tensor, torch.Tensor]:
    """Values and scales as a kernel is handed them; a weight without scales has none that count."""
    return (weight.values, weight.scales) if isinstance(weight, Packed) else (weight, weight)


@triton.jit
def widened(w, kind: tl.constexpr):
    """Weights as numbers of `kind`, by a type that holds each exactly: the fewest instructions."""
    if w.dtype == tl.float8e4nv:
        return w.to(tl.float16).to(kind)
    return w.to(kind)


@triton.jit
def whole(source, stride, real, PARTS: tl.constexpr):
    """What a product left in parts (`few_linear`), `stride` apart, added up in fp32."""
    total = tl.load(source, mask=real, other=0.0).to(tl.float32)
    for part in tl.static_range(1, PARTS):
        total += tl.load(source + part * stride, mask=real, other=0.0).to(tl.float32)
    return total
