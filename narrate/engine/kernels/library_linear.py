"""Matrix products by the card's own library, with norms and SwiGLU in Triton; twins: `plain.py`.

The library's kernels are the fastest there are from a handful of rows on, and what a norm before a
product costs is one small kernel. Which of them it takes is its own choice, but for the shapes that
`cublas_lt` knows better. Fewer rows go to `narrow_linear`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from narrate.engine.kernels import cublas_lt, narrow_linear
from narrate.engine.kernels.fast_linear import rms_norm
from narrate.engine.kernels.few_linear import swiglu
from narrate.engine.kernels.shapes import Norm

__all__ = ["add_linear", "norm_linear", "norm_swiglu"]


def norm_linear(
    x: torch.Tensor, norm: Norm, weight: torch.Tensor, out_dtype: torch.dtype | None = None
) -> torch.Tensor:
    """See `plain.norm_linear`."""
    if narrow_linear.fits(x, weight):
        return narrow_linear.norm_linear(x, norm, weight, out_dtype)
    return _linear(rms_norm(x, norm).to(weight.dtype), weight, out_dtype or weight.dtype)


def norm_swiglu(x: torch.Tensor, norm: Norm, gate_up: torch.Tensor) -> torch.Tensor:
    """See `plain.norm_swiglu`."""
    if narrow_linear.fits(x, gate_up):
        return narrow_linear.norm_swiglu(x, norm, gate_up)
    both = _linear(rms_norm(x, norm).to(gate_up.dtype), gate_up, gate_up.dtype)
    return swiglu(both[None], both.dtype)


def add_linear(x: torch.Tensor, a: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """See `plain.add_linear`."""
    if narrow_linear.fits(x, weight):
        return narrow_linear.add_linear(x, a, weight)
    if x.dtype != weight.dtype:  # the codec's stream is wider than its weights
        return x.add_(F.linear(a, weight))
    return x if cublas_lt.add(x, a, weight) else x.addmm_(a, weight.t())


def _linear(y: torch.Tensor, weight: torch.Tensor, out_dtype: torch.dtype) -> torch.Tensor:
    """y @ weight.T of y's dtype, rounded to another or not at all."""
    if out_dtype != weight.dtype:
        return torch.mm(y, weight.t(), out_dtype=out_dtype)
    made = cublas_lt.product(y, weight)
    return F.linear(y, weight) if made is None else made
