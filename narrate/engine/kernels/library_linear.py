"""Matrix products by the card's own library, with norms and SwiGLU in Triton; twins: `plain.py`.

The library's kernels are the fastest there are from a handful of rows on, and what a norm before a
product costs is one small kernel. Fewer rows go to `narrow_linear`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
import triton
import triton.language as tl

from narrate.engine.kernels import narrow_linear
from narrate.engine.kernels.fast_linear import rms_norm
from narrate.engine.kernels.shapes import Norm

__all__ = ["add_linear", "norm_linear", "norm_swiglu"]


@triton.jit
def _swiglu_kernel(both, out, inner, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    lane = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    fits = lane < inner
    gate = tl.load(both + row * 2 * inner + lane, mask=fits, other=0.0).to(tl.float32)
    up = tl.load(both + row * 2 * inner + inner + lane, mask=fits, other=0.0).to(tl.float32)
    made = gate * tl.sigmoid(gate) * up
    tl.store(out + row * inner + lane, made.to(out.dtype.element_ty), mask=fits)


def norm_linear(
    x: torch.Tensor, norm: Norm, weight: torch.Tensor, out_dtype: torch.dtype | None = None
) -> torch.Tensor:
    """See `plain.norm_linear`."""
    if narrow_linear.fits(x, weight):
        return narrow_linear.norm_linear(x, norm, weight, out_dtype)
    y = rms_norm(x, norm).to(weight.dtype)
    if out_dtype is None or out_dtype == weight.dtype:
        return F.linear(y, weight)
    return torch.mm(y, weight.t(), out_dtype=out_dtype)


def norm_swiglu(x: torch.Tensor, norm: Norm, gate_up: torch.Tensor) -> torch.Tensor:
    """See `plain.norm_swiglu`."""
    if narrow_linear.fits(x, gate_up):
        return narrow_linear.norm_swiglu(x, norm, gate_up)
    both = F.linear(rms_norm(x, norm).to(gate_up.dtype), gate_up)
    inner = both.shape[1] // 2
    out = torch.empty(len(x), inner, dtype=both.dtype, device=x.device)
    _swiglu_kernel[(len(x), triton.cdiv(inner, 1024))](both, out, inner, 1024, num_warps=4)
    return out


def add_linear(x: torch.Tensor, a: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """See `plain.add_linear`."""
    if narrow_linear.fits(x, weight):
        return narrow_linear.add_linear(x, a, weight)
    if x.dtype != weight.dtype:  # the codec's stream is wider than its weights
        return x.add_(F.linear(a, weight))
    return x.addmm_(a, weight.t())
