"""Matrix products with their neighbours fused in, in Triton; twins: `plain.py`.

The norm before a product costs no kernel: its weight multiplies the tile as it is read, the mean
square is summed on the way, and its root scales the finished sums. SwiGLU and the residual are
epilogues. Sums are fp32 over the whole of K in one program, so a result does not depend on how
many programs ran, and no sum is ever split between programs.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from narrate.engine.kernels.early import can_start_early
from narrate.engine.kernels.reading import whole
from narrate.engine.kernels.shapes import Norm

__all__ = ["Tile", "add_linear", "norm_linear", "norm_swiglu", "rms_norm"]


class Tile(NamedTuple):
    """How much of a product one program makes: rows by columns, K a step, warps, stages."""

    rows: int
    columns: int
    depth: int
    warps: int
    stages: int


@triton.jit
def _rms_norm_kernel(
    x, sums, weight, out, rows, width, eps,
    PARTS: tl.constexpr, WIDTH: tl.constexpr, EARLY: tl.constexpr,
):  # fmt: skip
    if EARLY:
        gdc_launch_dependents()
    row = tl.program_id(0).to(tl.int64)
    lane = tl.arange(0, WIDTH)
    fits = lane < width
    scale = tl.load(weight + lane, mask=fits, other=0.0)
    if EARLY:
        gdc_wait()
    kind = out.dtype.element_ty
    wide = tl.load(x + row * width + lane, mask=fits, other=0.0).to(tl.float32)
    if PARTS:
        added = (wide + whole(sums + row * width + lane, rows * width, fits, PARTS)).to(kind)
        tl.store(x + row * width + lane, added, mask=fits)
        wide = added.to(tl.float32)
    scaled = wide * tl.rsqrt(tl.sum(wide * wide, 0) / width + eps)
    scaled = scale * scaled.to(kind)
    tl.store(out + row * width + lane, scaled.to(kind), mask=fits)


@triton.jit
def _product_kernel(
    x, norm, weight, out, rows, columns, eps, K: tl.constexpr,
    NORM: tl.constexpr, GATED: tl.constexpr, ADD: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    # Rows vary fastest: programs that run together share their columns of the weight.
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    real_row, real_column = row < rows, column < columns
    lane = tl.arange(0, DEPTH)
    from_x = x + row.to(tl.int64)[:, None] * K + lane[None]
    from_w = weight + column.to(tl.int64)[:, None] * K + lane[None]
    sums = tl.zeros([ROWS, COLUMNS], tl.float32)
    others = tl.zeros([ROWS, COLUMNS], tl.float32)
    squares = tl.zeros([ROWS], tl.float32)
    for start in range(0, K, DEPTH):
        deep = start + lane < K
        a = tl.load(from_x + start, mask=real_row[:, None] & deep[None], other=0.0)
        w = tl.load(from_w + start, mask=real_column[:, None] & deep[None], other=0.0)
        if NORM:
            wide = a.to(tl.float32)
            squares += tl.sum(wide * wide, 1)
            scale = tl.load(norm + start + lane, mask=deep, other=0.0).to(tl.float32)
            a = (wide * scale[None]).to(w.dtype)
        sums = tl.dot(a, w.trans(), sums, input_precision="ieee")
        if GATED:
            u = tl.load(
                from_w + columns * K + start,
                mask=real_column[:, None] & deep[None], other=0.0,
            )  # fmt: skip
            others = tl.dot(a, u.trans(), others, input_precision="ieee")
    if NORM:
        scale = tl.rsqrt(squares / K + eps)[:, None]
        sums *= scale
        others *= scale
    kind = out.dtype.element_ty
    if GATED:
        sums = sums * tl.sigmoid(sums) * others
    to = out + row.to(tl.int64)[:, None] * columns + column[None]
    real = real_row[:, None] & real_column[None]
    if ADD:
        sums += tl.load(to, mask=real, other=0.0).to(tl.float32)
    tl.store(to, sums.to(kind), mask=real)


def product(
    x: torch.Tensor, weight: torch.Tensor, out: torch.Tensor, tile: Tile,
    norm: Norm | None = None, gated: bool = False, add: bool = False,
) -> torch.Tensor:  # fmt: skip
    """`out`, filled: [n, columns] from x [n, depth]; every tensor is contiguous."""
    assert x.is_contiguous(), "rows are read one after the other: hand over x.contiguous()"
    rows, depth = x.shape
    columns = out.shape[1]
    grid = (triton.cdiv(rows, tile.rows), triton.cdiv(columns, tile.columns))
    _product_kernel[grid](
        x, norm.weight if norm else x, weight, out, rows, columns, norm.eps if norm else 0.0,
        depth, norm is not None, gated, add,
        tile.rows, tile.columns, tile.depth, num_warps=tile.warps, num_stages=tile.stages,
    )  # fmt: skip
    return out


def rms_norm(x: torch.Tensor, norm: Norm, sums: torch.Tensor | None = None) -> torch.Tensor:
    """See `plain.rms_norm`; `sums` [parts, n, width] fp32 are added to x before, in place."""
    assert x.is_contiguous(), "rows are read one after the other: hand over x.contiguous()"
    width = x.shape[-1]
    rows = x.numel() // width
    out = torch.empty_like(x)
    early = can_start_early(rows, x)
    _rms_norm_kernel[(rows,)](
        x, x if sums is None else sums, norm.weight, out, rows, width, norm.eps,
        0 if sums is None else len(sums), triton.next_power_of_2(width), early,
        num_warps=4, launch_pdl=early,
    )  # fmt: skip
    return out


def _tile(rows: int, columns: int) -> Tile:
    """Tiles by measurement (docs/log.md); fixed, so that a run repeats to the last bit."""
    if rows <= 16:
        return Tile(16, 16, 256, 4, 3) if columns <= 2048 else Tile(16, 32, 256, 4, 3)
    if rows <= 64:
        return Tile(32, 32, 128, 4, 4)
    return Tile(64, 64, 64, 4, 4) if columns <= 2048 else Tile(128, 64, 64, 4, 4)


def norm_linear(
    x: torch.Tensor, norm: Norm, weight: torch.Tensor, out_dtype: torch.dtype | None = None
) -> torch.Tensor:
    """See `plain.norm_linear`."""
    out = torch.empty(len(x), len(weight), dtype=out_dtype or weight.dtype, device=x.device)
    return product(x, weight, out, _tile(len(x), len(weight)), norm)


def norm_swiglu(x: torch.Tensor, norm: Norm, gate_up: torch.Tensor) -> torch.Tensor:
    """See `plain.norm_swiglu`."""
    columns = len(gate_up) // 2
    out = torch.empty(len(x), columns, dtype=gate_up.dtype, device=x.device)
    return product(x, gate_up, out, _tile(len(x), columns), norm, gated=True)


def add_linear(x: torch.Tensor, a: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """See `plain.add_linear`."""
    return product(a, weight, x, _tile(len(a), len(weight)), add=True)
