"""A residual unit of the wave decoder in one Triton kernel; meaning and shapes: `wave.plain_unit`.

Where all channels fit one program, what stands between the two convolutions never leaves it. Their
number is three times a power of two and a product's sides are powers of two, so the columns are
divided in two parts of 2/3 and 1/3 that share the left side. The copy engine fetches and brings
away everything.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from triton.tools.tensor_descriptor import TensorDescriptor

from narrate.engine.codec.fast_places import narrow
from narrate.engine.codec.fast_wave import Tile, conv, has_copy_engine, sine
from narrate.engine.codec.layers import Grade, Snake, Unit
from narrate.engine.codec.wave import unit_of

__all__ = ["tile_of_unit", "unit"]

_HALF = Grade(torch.float16)
_MOST_CHANNELS = 192
_LEAST_PART = 16  # a product's shortest side


@triton.jit
def _bend(sums, rate, gain, column, EXACT: tl.constexpr):
    """A convolution's sums after the snake."""
    turn = sine(sums * tl.load(rate + column)[None], EXACT)
    return sums + tl.load(gain + column)[None] * (turn * turn)


@triton.jit
def _finish(
    sums, bias, add_tiles, rate, gain, alive, raw_tiles, bent_tiles, begin, left, column,
    kind: tl.constexpr, KEEP: tl.constexpr, EXACT: tl.constexpr,
):  # fmt: skip
    sums += tl.load(bias + column)[None]
    sums += add_tiles.load([begin, left]).to(tl.float32)
    if KEEP:
        raw_tiles.store([begin, left], narrow(sums, kind))
    sums = _bend(sums, rate, gain, column, EXACT)
    bent_tiles.store([begin, left], narrow(sums * alive[:, None], kind))


@triton.jit
def _unit_kernel(
    x_tiles, wide_1, wide_2, point_11, point_12, point_21, point_22,
    add_1, add_2, raw_1, raw_2, bent_1, bent_2,
    wide_bias, rate, gain, point_bias, next_rate, next_gain, live, time, steps_a_frame,
    TAPS: tl.constexpr, DILATION: tl.constexpr, CHANNELS: tl.constexpr, FIRST: tl.constexpr,
    SECOND: tl.constexpr, KEEP: tl.constexpr, EXACT: tl.constexpr, TIMES: tl.constexpr,
    DEPTH: tl.constexpr,
):  # fmt: skip
    CHUNKS: tl.constexpr = CHANNELS // DEPTH
    begin = tl.program_id(0) * TIMES
    at = begin + tl.arange(0, TIMES)
    left, right = tl.arange(0, FIRST), FIRST + tl.arange(0, SECOND)
    sums_1 = tl.zeros([TIMES, FIRST], tl.float32)
    sums_2 = tl.zeros([TIMES, SECOND], tl.float32)
    for index in range(0, TAPS * CHUNKS):
        tap = index // CHUNKS
        first = (index % CHUNKS) * DEPTH
        # Outside the tensor, before its beginning too, the copy engine writes zeros.
        a = x_tiles.load([begin - (TAPS - 1 - tap) * DILATION, first])
        sums_1 = tl.dot(a, wide_1.load([tap * CHANNELS, first]).trans(), sums_1)
        sums_2 = tl.dot(a, wide_2.load([tap * CHANNELS + FIRST, first]).trans(), sums_2)
    kind: tl.constexpr = x_tiles.dtype
    sums_1 += tl.load(wide_bias + left)[None]
    sums_2 += tl.load(wide_bias + right)[None]
    between_1 = narrow(_bend(sums_1, rate, gain, left, EXACT), kind)
    between_2 = narrow(_bend(sums_2, rate, gain, right, EXACT), kind)
    inside = at < time
    alive = tl.load(live + at // steps_a_frame, mask=inside, other=0).to(tl.float32)
    sums_1 = tl.dot(between_1, point_11.load([0, 0]).trans())
    sums_1 = tl.dot(between_2, point_12.load([0, FIRST]).trans(), sums_1)
    _finish(
        sums_1, point_bias, add_1, next_rate, next_gain, alive, raw_1, bent_1, begin, 0, left,
        kind, KEEP, EXACT,
    )  # fmt: skip
    sums_2 = tl.dot(between_1, point_21.load([FIRST, 0]).trans())
    sums_2 = tl.dot(between_2, point_22.load([FIRST, FIRST]).trans(), sums_2)
    _finish(
        sums_2, point_bias, add_2, next_rate, next_gain, alive, raw_2, bent_2, begin, FIRST, right,
        kind, KEEP, EXACT,
    )  # fmt: skip


def tile_of_unit(channels: int) -> Tile:
    """By measurement (docs/log.md), and fixed, so that a run repeats to the last bit."""
    depth = next(depth for depth in (64, 32, 16) if channels % depth == 0)
    return Tile(64, channels, depth, 4, 3) if channels > 96 else Tile(128, channels, depth, 4, 4)


def _parts(channels: int) -> tuple[int, int]:
    """The two parts of the columns: the largest power of two, and what is left."""
    first = 1 << (channels.bit_length() - 1)
    return first, channels - first


def _fits(unit: Unit, device: torch.device) -> bool:
    """Whether one program can hold the unit: 16 bits, few channels, and both parts of them."""
    _, wide_out, wide_in = unit.wide.weight.shape
    _, out, channels = unit.point.weight.shape
    _, second = _parts(channels)
    return (
        unit.wide.out == unit.point.out == _HALF
        and unit.point.keeps == _HALF.dtype
        and wide_in == wide_out == out == channels <= _MOST_CHANNELS
        and second >= _LEAST_PART
        and second & (second - 1) == 0
        and has_copy_engine(device)
    )


def unit(
    bent: torch.Tensor,
    x: torch.Tensor,
    unit: Unit,
    live: torch.Tensor,
    following: Snake,
    keep: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """See `wave.plain_unit`; everything is contiguous."""
    if not _fits(unit, x.device):
        return unit_of(conv, bent, x, unit, live, following, keep)
    taps, channels, _ = unit.wide.weight.shape
    first, second = _parts(channels)
    tile = tile_of_unit(channels)
    raw, out = torch.empty_like(x), torch.empty_like(x)
    flat = unit.wide.weight.view(taps * channels, channels)
    point, halves = unit.point.weight.view(channels, channels), (first, second)
    _unit_kernel[(triton.cdiv(len(x), tile.times),)](
        TensorDescriptor.from_tensor(bent, [tile.times, tile.depth]),
        *[TensorDescriptor.from_tensor(flat, [columns, tile.depth]) for columns in halves],
        *[
            TensorDescriptor.from_tensor(point, [rows, columns])
            for rows in halves for columns in halves
        ],
        *[
            TensorDescriptor.from_tensor(one, [tile.times, columns])
            for one in (x, raw, out) for columns in halves
        ],
        unit.wide.bias, unit.between.rate, unit.between.gain, unit.point.bias,
        following.rate, following.gain, live, len(x), len(x) // len(live),
        taps, unit.wide.dilation, channels, first, second, keep,
        not x.is_cuda,  # the interpreter knows no assembly
        tile.times, tile.depth,
        num_warps=tile.warps, num_stages=tile.stages,
    )  # fmt: skip
    return raw, out
