"""What the wave decoder does to each place by itself, in Triton; meaning and shapes: `wave.py`.

Numbers in 16-bit parts, the depthwise convolution with its norm, and the past in the gaps.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from narrate.engine.codec.layers import FP32, Grade, NextBlock

__all__ = ["depthwise", "left_over", "narrow", "part", "paste", "store_parts"]


@triton.jit
def narrow(x, kind: tl.constexpr):
    """x as a 16-bit kind, never infinite, or as fp32."""
    if kind == tl.float16:
        x = tl.minimum(tl.maximum(x, -65504.0), 65504.0)
    return x.to(kind)


@triton.jit
def left_over(y, upper):
    """What y's upper part leaves over; beyond the type's range nothing that it could hold."""
    rest = tl.where(tl.abs(y) > 65504.0, 0.0, y - upper.to(tl.float32))
    return rest.to(upper.dtype)


@triton.jit
def store_parts(to, y, WIDTH: tl.constexpr, PARTS: tl.constexpr, mask):
    """Store y in one part, or in two that lie WIDTH apart."""
    upper = narrow(y, to.dtype.element_ty)
    tl.store(to, upper, mask=mask)
    if PARTS > 1:
        tl.store(to + WIDTH, left_over(y, upper), mask=mask)


@triton.jit
def _part_kernel(
    x, out,
    WIDTH: tl.constexpr, GATED: tl.constexpr, PARTS: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    at = tl.program_id(0).to(tl.int64)
    lane = tl.program_id(1) * TILE + tl.arange(0, TILE)
    fits = lane < WIDTH
    y = tl.load(x + at * (2 * WIDTH if GATED else WIDTH) + lane, mask=fits, other=0.0)
    if GATED:
        y = y * tl.sigmoid(y) * tl.load(x + (2 * at + 1) * WIDTH + lane, mask=fits, other=0.0)
    store_parts(out + at * PARTS * WIDTH + lane, y, WIDTH, PARTS, fits)


def part(x: torch.Tensor, grade: Grade, gated: bool = False) -> torch.Tensor:
    """See `wave.plain_part`; x is contiguous."""
    time, width = len(x), x.shape[1] // 2 if gated else x.shape[1]
    if grade == FP32 and not gated:
        return x
    out = torch.empty(time, grade.held * width, dtype=grade.dtype, device=x.device)
    tile = min(1024, triton.next_power_of_2(width))
    _part_kernel[(time, triton.cdiv(width, tile))](
        x, out, width, gated, grade.held, tile, num_warps=4
    )
    return out


@triton.jit
def _depthwise_kernel(
    x, weight, bias, norm_weight, norm_bias, out, time,
    TAPS: tl.constexpr, WIDTH: tl.constexpr, PARTS: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    at = tl.program_id(0)
    lane = tl.arange(0, TILE)
    fits = lane < WIDTH
    sums = tl.load(bias + lane, mask=fits, other=0.0)
    for tap in tl.static_range(TAPS):
        then = at - (TAPS - 1 - tap)
        a = tl.load(x + then * WIDTH + lane, mask=fits & (then >= 0), other=0.0)
        sums += a.to(tl.float32) * tl.load(weight + tap * WIDTH + lane, mask=fits, other=0.0)
    centred = tl.where(fits, sums - tl.sum(sums, 0) / WIDTH, 0.0)
    y = centred * tl.rsqrt(tl.sum(centred * centred, 0) / WIDTH + 1e-6)
    y = y * tl.load(norm_weight + lane, mask=fits, other=0.0)
    y += tl.load(norm_bias + lane, mask=fits, other=0.0)
    store_parts(out + at * PARTS * WIDTH + lane, y, WIDTH, PARTS, fits)


def depthwise(x: torch.Tensor, block: NextBlock) -> torch.Tensor:
    """See `wave.plain_depthwise`."""
    taps, width = block.depthwise.shape
    dtype, parts = block.widen.reads.dtype, block.widen.reads.held
    out = torch.empty(len(x), parts * width, dtype=dtype, device=x.device)
    _depthwise_kernel[(len(x),)](
        x, block.depthwise, block.depthwise_bias, *block.norm, out, len(x),
        taps, width, parts, triton.next_power_of_2(width), num_warps=4,
    )  # fmt: skip
    return out


@triton.jit
def _paste_kernel(x, end, past, size, TILE: tl.constexpr):
    frame = tl.program_id(0)
    which = tl.load(past + frame)
    if which >= 0:
        for begin in range(0, size, TILE):
            lane = begin + tl.arange(0, TILE)
            value = tl.load(end + which * size + lane, mask=lane < size)
            tl.store(x + frame.to(tl.int64) * size + lane, value, mask=lane < size)


def paste(x: torch.Tensor, end: torch.Tensor, past: torch.Tensor) -> None:
    """See `wave.plain_paste`; everything is contiguous."""
    _paste_kernel[(len(past),)](x, end, past, x.numel() // len(past), 1024, num_warps=4)
