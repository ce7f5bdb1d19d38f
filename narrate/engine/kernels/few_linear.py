"""Matrix products of two to 32 rows in parts of their depth, in Triton; twins: `plain.py`.

So few rows leave a product with its weight to read and a launch to wait for. A program takes 64
columns and a part of the depth, has its weights in shared memory before the kernel in front of it
has ended, and multiplies once. What it leaves is a part of the sum, [parts, n, columns] in fp32;
whoever reads it adds the parts up, always in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from narrate.engine.kernels.early import FEW_ROWS, can_start_early, start_early
from narrate.engine.kernels.fast_linear import rms_norm
from narrate.engine.kernels.reading import as_read, whole, widened
from narrate.engine.kernels.shapes import Norm, Packed, Weight

__all__ = ["add_norm", "fits", "parts", "swiglu"]

_COLUMNS, _DEPTH = 64, 512  # a program's, by measurement: docs/log.md
_BROAD = 4096  # columns from which four warps are faster than eight
_MOST = 1 << 23  # numbers of a weight: larger ones read as fast in the library's products
_SWIGLU_BLOCK = 1024


@triton.jit
def _parts_kernel(
    x, weight, scales, out, rows, columns, depth,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr, EARLY: tl.constexpr,
    PACKED: tl.constexpr,
):  # fmt: skip
    if EARLY:
        gdc_launch_dependents()
    part = tl.program_id(1)
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    lane = part * DEPTH + tl.arange(0, DEPTH)
    row = tl.arange(0, ROWS)
    w = tl.load(weight + column.to(tl.int64)[:, None] * depth + lane[None])
    w = widened(w, x.dtype.element_ty)
    if EARLY:
        gdc_wait()  # weights are nobody's result: only what follows waits for the last kernel
    real = row < rows
    a = tl.load(x + row[:, None] * depth + lane[None], mask=real[:, None], other=0.0)
    sums = tl.dot(w, a.trans(), input_precision="ieee")
    if PACKED:
        sums *= tl.load(scales + column)[:, None]
    to = out + (part * rows + row[None]) * columns + column[:, None]
    tl.store(to, sums, mask=real[None])


@triton.jit
def _swiglu_kernel(
    both, out, rows, inner, PARTS: tl.constexpr, BLOCK: tl.constexpr, EARLY: tl.constexpr
):
    start_early(EARLY)
    row = tl.program_id(0).to(tl.int64)
    lane = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    fits = lane < inner
    kind = out.dtype.element_ty
    own, stride = both + row * 2 * inner + lane, rows * 2 * inner
    gate = whole(own, stride, fits, PARTS).to(kind).to(tl.float32)
    up = whole(own + inner, stride, fits, PARTS).to(kind).to(tl.float32)
    tl.store(out + row * inner + lane, (gate * tl.sigmoid(gate) * up).to(kind), mask=fits)


def fits(rows: int, weights: Iterable[Weight]) -> bool:
    """Whether these products are for this file: few rows, 8 or 16 bits, shapes that fit.

    On a card where nothing can start early they have not been measured: the library keeps them.
    """
    return 1 < rows <= FEW_ROWS and all(_suits(rows, weight) for weight in weights)


def _suits(rows: int, weight: Weight) -> bool:
    values, _ = as_read(weight)
    return (
        (isinstance(weight, Packed) or values.dtype in (torch.bfloat16, torch.float16))
        and values.shape[0] % _COLUMNS == 0
        and values.shape[1] % _DEPTH == 0
        and values.numel() <= _MOST
        and (can_start_early(rows, values) or not values.is_cuda)
    )


def parts(x: torch.Tensor, weight: Weight) -> torch.Tensor:
    """x [n, in] @ weight.T, weight [out, in], as parts [in / 512, n, out] fp32 of the sum."""
    rows, depth = x.shape
    columns, count = len(weight), depth // _DEPTH
    values, scales = as_read(weight)
    out = torch.empty(count, rows, columns, dtype=torch.float32, device=x.device)
    early = can_start_early(rows, x)
    _parts_kernel[(columns // _COLUMNS, count)](
        x.contiguous(), values, scales, out, rows, columns, depth,
        max(triton.next_power_of_2(rows), 8), _COLUMNS, _DEPTH, early, isinstance(weight, Packed),
        num_warps=4 if columns > _BROAD else 8, launch_pdl=early,
    )  # fmt: skip
    return out


def add_norm(x: torch.Tensor, sums: torch.Tensor, norm: Norm) -> torch.Tensor:
    """The residual x [n, width] += sums [parts, n, width], in place; returns rms_norm(x, norm)."""
    return rms_norm(x, norm, sums)


def swiglu(both: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """silu(g) * u with g, u = halves of a product: both [parts, n, 2 * inner] -> [n, inner].

    The sums are rounded to `dtype` first, as a product that leaves whole does.
    """
    count, rows, columns = both.shape
    inner = columns // 2
    out = torch.empty(rows, inner, dtype=dtype, device=both.device)
    early = can_start_early(rows, both)
    _swiglu_kernel[(rows, triton.cdiv(inner, _SWIGLU_BLOCK))](
        both, out, rows, inner, count, _SWIGLU_BLOCK, early, num_warps=4, launch_pdl=early
    )
    return out
