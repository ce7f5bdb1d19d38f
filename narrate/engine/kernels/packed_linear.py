"""Matrix products with weights of a byte a number, in Triton; twins: `plain.py`.

Weights are read as they are, widened on the way to the arithmetic, and scaled once, in the finished
sums. One to four rows only read the weight: a program takes a few columns over the whole depth and
sums without matrix units, the norm fused in, as in `narrow_linear`. More rows take matrix units.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from narrate.engine.kernels.early import FEW_ROWS, can_start_early
from narrate.engine.kernels.fast_linear import Tile, rms_norm
from narrate.engine.kernels.shapes import Norm, Packed

__all__ = ["add_linear", "norm_linear", "norm_swiglu"]

# Columns a program, depth a step, warps.
_BROAD, _LONG, _GATED = (4, 1024, 4), (4, 2048, 8), (2, 1024, 2)


@triton.jit
def _widened(w, kind: tl.constexpr):
    """Weights to fp32 by a type that holds each value exactly: the fewest instructions."""
    if w.dtype == tl.float8e4nv:
        return w.to(tl.float16).to(tl.float32)
    return w.to(kind).to(tl.float32)


@triton.jit
def _narrow_kernel(
    x, norm, weight, scales, out, columns, depth, eps,
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
        w = _widened(tl.load(from_w + start, mask=mask, other=0.0), x.dtype.element_ty)
        if GATED:
            u = tl.load(from_w + columns * depth + start, mask=mask, other=0.0)
            u = _widened(u, x.dtype.element_ty)
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
    sums *= tl.load(scales + column, mask=real, other=0.0)[None]
    if NORM:
        scale = tl.rsqrt(squares / depth + eps)[:, None]
        sums *= scale
        others *= scale
    if GATED:
        others *= tl.load(scales + columns + column, mask=real, other=0.0)[None]
        sums = sums * tl.sigmoid(sums) * others
    to = out + row[:, None] * columns + column[None]
    if ADD:
        sums += tl.load(to, mask=real[None], other=0.0).to(tl.float32)
    tl.store(to, sums.to(out.dtype.element_ty), mask=real[None])


@triton.jit
def _product_kernel(
    x, weight, scales, out, rows, columns, depth,
    GATED: tl.constexpr, ADD: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    # Rows vary fastest: programs that run together share their columns of the weight.
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    real_row, real_column = row < rows, column < columns
    lane = tl.arange(0, DEPTH)
    from_x = x + row.to(tl.int64)[:, None] * depth + lane[None]
    from_w = weight + column.to(tl.int64)[:, None] * depth + lane[None]
    # Columns first: what is widened stays in registers, and rows come from shared memory.
    sums = tl.zeros([COLUMNS, ROWS], tl.float32)
    others = tl.zeros([COLUMNS, ROWS], tl.float32)
    for start in range(0, depth, DEPTH):
        deep = start + lane < depth
        a = tl.load(from_x + start, mask=real_row[:, None] & deep[None], other=0.0)
        mask = real_column[:, None] & deep[None]
        w = _widened(tl.load(from_w + start, mask=mask, other=0.0), a.dtype).to(a.dtype)
        sums = tl.dot(w, a.trans(), sums, input_precision="ieee")
        if GATED:
            u = tl.load(from_w + columns * depth + start, mask=mask, other=0.0)
            u = _widened(u, a.dtype).to(a.dtype)
            others = tl.dot(u, a.trans(), others, input_precision="ieee")
    sums *= tl.load(scales + column, mask=real_column, other=0.0)[:, None]
    if GATED:
        others *= tl.load(scales + columns + column, mask=real_column, other=0.0)[:, None]
        sums = sums * tl.sigmoid(sums) * others
    to = out + row.to(tl.int64)[None] * columns + column[:, None]
    real = real_row[None] & real_column[:, None]
    if ADD:
        sums += tl.load(to, mask=real, other=0.0).to(tl.float32)
    tl.store(to, sums.to(out.dtype.element_ty), mask=real)


def _narrow(
    x: torch.Tensor, weight: Packed, out: torch.Tensor,
    norm: Norm | None, gated: bool, add: bool,
) -> torch.Tensor:  # fmt: skip
    rows, depth = x.shape
    columns = out.shape[1]
    early = can_start_early(rows, x)
    wide, deep, warps = _GATED if gated else _LONG if columns <= 2048 else _BROAD
    _narrow_kernel[(triton.cdiv(columns, wide),)](
        x, norm.weight if norm else x, weight.values, weight.scales, out, columns, depth,
        norm.eps if norm else 0.0,
        rows, norm is not None, gated, add, wide, deep, early, num_warps=warps, launch_pdl=early,
    )  # fmt: skip
    return out


def _tile(rows: int, columns: int) -> Tile:
    """Fixed by shape, so that a run repeats to the last bit."""
    if rows <= 16:
        return Tile(16, 16, 256, 4, 3) if columns <= 2048 else Tile(16, 32, 256, 4, 3)
    if rows <= 64:
        return Tile(32, 32, 128, 4, 4)
    return Tile(128, 64, 64, 4, 4)


def _product(
    x: torch.Tensor, weight: Packed, out: torch.Tensor,
    norm: Norm | None = None, gated: bool = False, add: bool = False,
) -> torch.Tensor:  # fmt: skip
    rows, depth = x.shape
    x, columns = x.contiguous(), out.shape[1]
    if rows in (1, 2, FEW_ROWS):
        return _narrow(x, weight, out, norm, gated, add)
    x = rms_norm(x, norm) if norm else x
    tile = _tile(rows, columns)
    grid = (triton.cdiv(rows, tile.rows), triton.cdiv(columns, tile.columns))
    _product_kernel[grid](
        x, weight.values, weight.scales, out, rows, columns, depth, gated, add,
        tile.rows, tile.columns, tile.depth, num_warps=tile.warps, num_stages=tile.stages,
    )  # fmt: skip
    return out


def norm_linear(
    x: torch.Tensor, norm: Norm, weight: Packed, out_dtype: torch.dtype | None = None
) -> torch.Tensor:
    """See `plain.norm_linear`."""
    out = torch.empty(len(x), len(weight), dtype=out_dtype or x.dtype, device=x.device)
    return _product(x, weight, out, norm)


def norm_swiglu(x: torch.Tensor, norm: Norm, gate_up: Packed) -> torch.Tensor:
    """See `plain.norm_swiglu`."""
    out = torch.empty(len(x), len(gate_up) // 2, dtype=x.dtype, device=x.device)
    return _product(x, gate_up, out, norm, gated=True)


def add_linear(x: torch.Tensor, a: torch.Tensor, weight: Packed) -> torch.Tensor:
    """See `plain.add_linear`."""
    return _product(a, weight, x, add=True)
