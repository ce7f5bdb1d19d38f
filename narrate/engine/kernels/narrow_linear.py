"""Matrix products of a few rows, in Triton; twins: `plain.py`.

With one to four rows a product only reads its weight once, as fast as memory gives it: a program
takes a few columns over the whole depth and sums without matrix units. Norm, SwiGLU and residual
are fused in as in `fast_linear`. On cards that can, a program fetches its weights while the kernel
before it still runs.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from narrate.engine.kernels.early import FEW_ROWS, can_start_early
from narrate.engine.kernels.shapes import Norm

__all__ = ["add_linear", "fits", "norm_linear", "norm_swiglu"]

# Columns a program, depth a step, warps: by measurement, docs/log.md.
_BROAD, _LONG, _GATED = (4, 1024, 4), (4, 2048, 8), (2, 1024, 2)


@triton.jit
def _narrow_kernel(
    x, norm, weight, out, columns, depth, eps,
    ROWS: tl.constexpr, NORM: tl.constexpr, GATED: tl.constexpr, ADD: tl.constexpr,
    COLUMNS: tl.constexpr, DEPTH: tl.constexpr, EARLY: tl.constexpr,
):  # fmt: skip
    if EARLY:
        gdc_launch_dependents()
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    real = column < columns
    lane = tl.arange(0, DEPTH)
    row = tl.arange(0, ROWS)
    from_w = weight + column.to(tl.int64)[:, None] * depth + lane[None]
    sums = tl.zeros([ROWS, COLUMNS], tl.float32)
    others = tl.zeros([ROWS, COLUMNS], tl.float32)
    squares = tl.zeros([ROWS], tl.float32)
    for start in range(0, depth, DEPTH):
        deep = start + lane < depth
        mask = real[:, None] & deep[None]
        w = tl.load(from_w + start, mask=mask, other=0.0).to(tl.float32)
        if GATED:
            u = tl.load(from_w + columns * depth + start, mask=mask, other=0.0).to(tl.float32)
        if EARLY:
            gdc_wait()  # weights are nobody's result: only what follows waits for the last kernel
        a = tl.load(x + row[:, None] * depth + (start + lane)[None], mask=deep[None], other=0.0)
        wide = a.to(tl.float32)
        if NORM:
            squares += tl.sum(wide * wide, 1)
            scale = tl.load(norm + start + lane, mask=deep, other=0.0).to(tl.float32)
            wide = (wide * scale[None]).to(a.dtype).to(tl.float32)
        sums += tl.sum(wide[:, None, :] * w[None], 2)
        if GATED:
            others += tl.sum(wide[:, None, :] * u[None], 2)
    if NORM:
        scale = tl.rsqrt(squares / depth + eps)[:, None]
        sums *= scale
        others *= scale
    if GATED:
        sums = sums * tl.sigmoid(sums) * others
    to = out + row[:, None] * columns + column[None]
    if ADD:
        sums += tl.load(to, mask=real[None], other=0.0).to(tl.float32)
    tl.store(to, sums.to(out.dtype.element_ty), mask=real[None])


def _product(
    x: torch.Tensor, weight: torch.Tensor, out: torch.Tensor,
    norm: Norm | None = None, gated: bool = False, add: bool = False,
) -> torch.Tensor:  # fmt: skip
    rows, depth = x.shape
    columns = out.shape[1]
    early = can_start_early(rows, x)
    wide, deep, warps = _GATED if gated else _LONG if columns <= 2048 else _BROAD
    _narrow_kernel[(triton.cdiv(columns, wide),)](
        x, norm.weight if norm else x, weight, out, columns, depth, norm.eps if norm else 0.0,
        rows, norm is not None, gated, add, wide, deep, early, num_warps=warps, launch_pdl=early,
    )  # fmt: skip
    return out


def fits(x: torch.Tensor, weight: torch.Tensor) -> bool:
    """Whether these products are for this file: few rows, a power of two, of one type."""
    return len(x) in (1, 2, FEW_ROWS) and x.dtype == weight.dtype


def norm_linear(
    x: torch.Tensor, norm: Norm, weight: torch.Tensor, out_dtype: torch.dtype | None = None
) -> torch.Tensor:
    """See `plain.norm_linear`."""
    out = torch.empty(len(x), len(weight), dtype=out_dtype or x.dtype, device=x.device)
    return _product(x.contiguous(), weight, out, norm)


def norm_swiglu(x: torch.Tensor, norm: Norm, gate_up: torch.Tensor) -> torch.Tensor:
    """See `plain.norm_swiglu`."""
    out = torch.empty(len(x), len(gate_up) // 2, dtype=x.dtype, device=x.device)
    return _product(x.contiguous(), gate_up, out, norm, gated=True)


def add_linear(x: torch.Tensor, a: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """See `plain.add_linear`."""
    return _product(a.contiguous(), weight, x, add=True)
