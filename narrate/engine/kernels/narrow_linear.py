"""Matrix products of one row, in Triton; twins: `plain.py`.

A product of one row only reads its weight once, as fast as memory gives it: a program takes a few
columns over the whole depth and sums without matrix units, each weight where it was read to. Norm,
SwiGLU and residual are fused in as in `fast_linear`. On cards that can, a program fetches its
weights while the kernel before it still runs.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from narrate.engine.kernels.early import can_start_early
from narrate.engine.kernels.reading import as_read, widened
from narrate.engine.kernels.shapes import Norm, Packed, Weight

__all__ = ["add_linear", "fits", "norm_linear", "norm_swiglu", "product"]

# Columns a program, depth a step, warps, by depth where it matters: measured, docs/log.md.
_GATED = (2, 1024, 2)
_BROAD, _BROAD_DEEP = (4, 1024, 4), (4, 2048, 4)
_LONG, _LONG_DEEP = (8, 2048, 8), (4, 4096, 8)
# Nobody reads a weight again before the others have passed through the cache.
_ONCE = "evict_first"


@triton.jit
def _by_channel(sums, scales, real, PACKED: tl.constexpr):
    if PACKED:
        sums *= tl.load(scales, mask=real, other=0.0)
    return sums


@triton.jit
def _narrow_kernel(
    x, norm, weight, scales, out, columns, depth, eps,
    NORM: tl.constexpr, GATED: tl.constexpr, ADD: tl.constexpr,
    COLUMNS: tl.constexpr, DEPTH: tl.constexpr, EARLY: tl.constexpr, POLICY: tl.constexpr,
    PACKED: tl.constexpr,
):  # fmt: skip
    if EARLY:
        gdc_launch_dependents()
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    real = column < columns
    lane = tl.arange(0, DEPTH)
    from_w = weight + column.to(tl.int64)[:, None] * depth + lane[None]
    sums = tl.zeros([COLUMNS], tl.float32)
    others = tl.zeros([COLUMNS], tl.float32)
    squares = 0.0
    for start in range(0, depth, DEPTH):
        deep = start + lane < depth
        mask = real[:, None] & deep[None]
        w = tl.load(from_w + start, mask=mask, other=0.0, eviction_policy=POLICY)
        if GATED:
            from_u = from_w + columns * depth + start
            u = tl.load(from_u, mask=mask, other=0.0, eviction_policy=POLICY)
        if EARLY:
            gdc_wait()  # weights are nobody's result: only what follows waits for the last kernel
        a = tl.load(x + start + lane, mask=deep, other=0.0)
        wide = a.to(tl.float32)
        if NORM:
            squares += tl.sum(wide * wide, 0)
            scale = tl.load(norm + start + lane, mask=deep, other=0.0).to(tl.float32)
            wide = (wide * scale).to(a.dtype).to(tl.float32)
        sums += tl.sum(wide[None] * widened(w, a.dtype).to(tl.float32), 1)
        if GATED:
            others += tl.sum(wide[None] * widened(u, a.dtype).to(tl.float32), 1)
    if NORM:
        scale = tl.rsqrt(squares / depth + eps)
        sums *= scale
        others *= scale
    sums = _by_channel(sums, scales + column, real, PACKED)
    if GATED:
        others = _by_channel(others, scales + columns + column, real, PACKED)
        sums = sums * tl.sigmoid(sums) * others
    if ADD:
        sums += tl.load(out + column, mask=real, other=0.0).to(tl.float32)
    tl.store(out + column, sums.to(out.dtype.element_ty), mask=real)


def product(
    x: torch.Tensor, weight: Weight, out: torch.Tensor,
    norm: Norm | None = None, gated: bool = False, add: bool = False,
) -> torch.Tensor:  # fmt: skip
    """`out` [1, columns], filled: x [1, depth] by the weight, with what is fused in."""
    values, scales = as_read(weight)
    depth, columns = x.shape[1], out.shape[1]
    early = can_start_early(1, x)
    wide, deep, warps = _tile(columns, depth, gated)
    _narrow_kernel[(triton.cdiv(columns, wide),)](
        x, norm.weight if norm else x, values, scales, out, columns, depth,
        norm.eps if norm else 0.0, norm is not None, gated, add, wide, deep, early, _ONCE,
        isinstance(weight, Packed), num_warps=warps, launch_pdl=early,
    )  # fmt: skip
    return out


def _tile(columns: int, depth: int, gated: bool) -> tuple[int, int, int]:
    if gated:
        return _GATED
    if columns > 2048:
        return _BROAD if depth <= 1024 else _BROAD_DEEP
    return _LONG_DEEP if 2048 < depth <= 4096 else _LONG


def fits(x: torch.Tensor, weight: Weight) -> bool:
    """Whether these products are for this file: one row, of the weight's type or packed."""
    return len(x) == 1 and (isinstance(weight, Packed) or x.dtype == weight.dtype)


def norm_linear(
    x: torch.Tensor, norm: Norm, weight: torch.Tensor, out_dtype: torch.dtype | None = None
) -> torch.Tensor:
    """See `plain.norm_linear`."""
    out = torch.empty(len(x), len(weight), dtype=out_dtype or x.dtype, device=x.device)
    return product(x.contiguous(), weight, out, norm)


def norm_swiglu(x: torch.Tensor, norm: Norm, gate_up: torch.Tensor) -> torch.Tensor:
    """See `plain.norm_swiglu`."""
    out = torch.empty(len(x), len(gate_up) // 2, dtype=x.dtype, device=x.device)
    return product(x.contiguous(), gate_up, out, norm, gated=True)


def add_linear(x: torch.Tensor, a: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """See `plain.add_linear`."""
    return product(a.contiguous(), weight, x, add=True)
