"""Matrix products with weights of a byte a number, in Triton; twins: `plain.py`.

Weights are read as they are, widened on the way to the arithmetic, and scaled once, in the finished
sums. One row is `narrow_linear`'s, as few as it takes are `few_linear`'s.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from narrate.engine.kernels import narrow_linear
from narrate.engine.kernels.fast_linear import Tile, rms_norm
from narrate.engine.kernels.reading import widened
from narrate.engine.kernels.shapes import Norm, Packed

__all__ = ["add_linear", "norm_linear", "norm_swiglu"]


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
        w = widened(tl.load(from_w + start, mask=mask, other=0.0), a.dtype).to(a.dtype)
        sums = tl.dot(w, a.trans(), sums, input_precision="ieee")
        if GATED:
            u = tl.load(from_w + columns * depth + start, mask=mask, other=0.0)
            u = widened(u, a.dtype).to(a.dtype)
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
    if narrow_linear.fits(x, weight):
        return narrow_linear.product(x, weight, out, norm, gated, add)
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
