"""The wave decoder's convolutions in Triton; meaning and shapes: `wave.py`.

A convolution over [time, channels] is a product whose left side is read again for every tap, from
the cache; bias, residual, snake and the silence of the gaps are its epilogue, so an activation is
written once and read once by the next product. On cards with a copy engine it fetches what a
product reads and brings away what it gives, so that programs need fewer registers.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from triton.tools.tensor_descriptor import TensorDescriptor

from narrate.engine.codec.fast_places import left_over, narrow
from narrate.engine.codec.layers import FP32, Conv, Gelu, Snake
from narrate.engine.codec.wave import FULL_SCALE

__all__ = ["Tile", "conv", "last", "tile_of"]

_TO_WHOLE = tl.constexpr(12582912.0)  # 1.5 * 2**23: added and taken away, it leaves whole numbers


@triton.jit
def _sine(x, EXACT: tl.constexpr):
    """sin(x); where 16 bits are kept, the card's own, which is off by less than x is rounded."""
    if EXACT:
        return tl.sin(x)
    return tl.inline_asm_elementwise(
        "sin.approx.f32 $0, $1;", "=r,r", [x], dtype=tl.float32, is_pure=True, pack=1
    )


@triton.jit
def _sums(
    x, weight, x_tiles, weight_tiles, begin, left, at, column, time,
    TAPS: tl.constexpr, DILATION: tl.constexpr, HELD: tl.constexpr, IN: tl.constexpr,
    OUT: tl.constexpr, TILED: tl.constexpr, TIMES: tl.constexpr, COLUMNS: tl.constexpr,
    DEPTH: tl.constexpr,
):  # fmt: skip
    CHUNKS: tl.constexpr = (IN + DEPTH - 1) // DEPTH
    sums = tl.zeros([TIMES, COLUMNS], tl.float32)
    for index in range(0, TAPS * CHUNKS):
        tap = index // CHUNKS
        first = (index % CHUNKS) * DEPTH
        shift = (TAPS - 1 - tap) * DILATION
        # The third part of the weight reads the first again.
        if TILED:  # outside the tensor, before its beginning too, the copy engine writes zeros
            a = x_tiles.load([begin - shift, first % HELD])
            w = weight_tiles.load([tap * OUT + left, first])
        else:
            lane = tl.arange(0, DEPTH)
            fits = (first + lane < IN)[None]
            then = (at - shift)[:, None]
            heard = (then >= 0) & (then < time) & fits
            source = then.to(tl.int64) * HELD + ((first + lane) % HELD)[None]
            a = tl.load(x + source, mask=heard, other=0.0)
            w = tl.load(
                weight + (tap * OUT + column)[:, None] * IN + first + lane[None],
                mask=(column < OUT)[:, None] & fits, other=0.0,
            )  # fmt: skip
        # fp32 by three products of its upper and lower halves; 16 bits as they are.
        sums = tl.dot(a, w.trans(), sums, input_precision="tf32x3")
    return sums


@triton.jit
def _fetched(source, inside, tiles, begin, left, CARRIED: tl.constexpr):
    """A tile that begins at [begin, left], by the copy engine or from its addresses."""
    if CARRIED:
        return tiles.load([begin, left])
    return tl.load(source, mask=inside, other=0.0)


@triton.jit
def _bring(x, to, inside, tiles, begin, left, CARRIED: tl.constexpr):
    """The way back."""
    if CARRIED:
        tiles.store([begin, left], x)
    else:
        tl.store(to, x, mask=inside)


@triton.jit
def _conv_kernel(
    x, weight, x_tiles, weight_tiles, scale, bias, add, rate, gain, live, raw, bent,
    add_tiles, raw_tiles, bent_tiles, time, steps_a_frame,
    TAPS: tl.constexpr, DILATION: tl.constexpr, HELD: tl.constexpr, IN: tl.constexpr,
    OUT: tl.constexpr, CHANNELS: tl.constexpr, SCALED: tl.constexpr, ADD: tl.constexpr,
    SNAKE: tl.constexpr, GELU: tl.constexpr, LIVE: tl.constexpr, KEEP: tl.constexpr,
    BEND: tl.constexpr, PARTS: tl.constexpr, TILED: tl.constexpr, CARRIED: tl.constexpr,
    TIMES: tl.constexpr, COLUMNS: tl.constexpr, DEPTH: tl.constexpr,
):  # fmt: skip
    TILES: tl.constexpr = (OUT + COLUMNS - 1) // COLUMNS
    # Columns vary fastest: programs that run together share their stretch of time.
    begin = (tl.program_id(0) // TILES) * TIMES
    left = (tl.program_id(0) % TILES) * COLUMNS
    at = begin + tl.arange(0, TIMES)
    column = left + tl.arange(0, COLUMNS)
    real = column < OUT
    sums = _sums(
        x, weight, x_tiles, weight_tiles, begin, left, at, column, time,
        TAPS, DILATION, HELD, IN, OUT, TILED, TIMES, COLUMNS, DEPTH,
    )  # fmt: skip
    if SCALED:
        sums *= tl.load(scale + column, mask=real, other=0.0)[None]
    sums += tl.load(bias + column, mask=real, other=0.0)[None]
    to = at.to(tl.int64)[:, None] * OUT + column[None]
    inside = (at < time)[:, None] & real[None]
    if ADD:
        sums += _fetched(add + to, inside, add_tiles, begin, left, CARRIED).to(tl.float32)
    if KEEP:
        kept = narrow(sums, raw.dtype.element_ty)
        _bring(kept, raw + to, inside, raw_tiles, begin, left, CARRIED)
    if SNAKE:
        own_rate = tl.load(rate + column % CHANNELS, mask=real, other=0.0)[None]
        turn = _sine(sums * own_rate, bent.dtype.element_ty == tl.float32)
        sums += tl.load(gain + column % CHANNELS, mask=real, other=0.0)[None] * (turn * turn)
    if GELU:
        sums = 0.5 * sums * (1.0 + tl.erf(sums * 0.7071067811865476))
    if LIVE:
        sums *= tl.load(live + at // steps_a_frame, mask=at < time, other=0)[:, None].to(tl.float32)
    if BEND:
        upper = narrow(sums, bent.dtype.element_ty)
        step = at.to(tl.int64)[:, None] * (OUT // CHANNELS) + column[None] // CHANNELS
        to = bent + step * (PARTS * CHANNELS) + column[None] % CHANNELS
        first = (left // CHANNELS) * (PARTS * CHANNELS) + left % CHANNELS
        _bring(upper, to, inside, bent_tiles, begin, first, CARRIED)
        if PARTS > 1:
            lower = left_over(sums, upper)
            _bring(lower, to + CHANNELS, inside, bent_tiles, begin, first + CHANNELS, CARRIED)


def _depth(conv: Conv) -> int:
    """Channels a step: the most that divide a part of them, 64 at most."""
    wide = conv.weight.shape[2] // conv.reads.parts
    return next((depth for depth in (64, 32) if wide % depth == 0), 16)


def _columns(out: int) -> int:
    """Columns a program: the most that divide them, 128 at most."""
    return next((columns for columns in (128, 64, 32) if out % columns == 0), 16)


class Tile(NamedTuple):
    """What one program makes: times by columns, channels a step, warps, stages."""

    times: int
    columns: int
    depth: int
    warps: int
    stages: int


def tile_of(conv: Conv) -> Tile:
    """By measurement (docs/log.md), and fixed, so that a run repeats to the last bit."""
    taps, out, wide = conv.weight.shape
    depth = _depth(conv)
    if conv.weight.dtype == torch.float32:
        return Tile(128, min(_columns(out), 64), min(depth, 32), 8 if taps > 1 else 4, 3)
    if out < 16:
        return Tile(256, 16, depth, 4, 3)
    if out == 96:
        return Tile(256, 128, 32, 8, 3) if taps > 1 else Tile(64, 128, 32, 4, 4)
    if out == 192 and taps == 1:
        return Tile(128, 64, 64, 4, 4)
    if depth == 64 and wide >= 768 and out >= 768 and taps > 2:
        return Tile(128, 256, 64, 8, 3)
    if taps == 1 and wide >= 8192:
        return Tile(128, 128, 64, 8, 4)
    return Tile(128, 128 if out > 256 else _columns(out), depth, 4, 3)


@functools.cache
def _has_copy_engine(device: torch.device) -> bool:
    """Cards from Hopper on; and the interpreter, which can do anything."""
    return device.type != "cuda" or torch.cuda.get_device_capability(device)[0] >= 9


def conv(
    x: torch.Tensor,
    conv: Conv,
    live: torch.Tensor | None = None,
    add: torch.Tensor | None = None,
    bend: Snake | Gelu | None = None,
    keep: bool = True,
) -> tuple[torch.Tensor, torch.Tensor]:
    """See `wave.plain_conv`; x is contiguous."""
    dtype, parts = conv.out.dtype, conv.out.held
    time, channels = len(x) * conv.steps, conv.weight.shape[1] // conv.steps
    same = bend is None and live is None and parts == 1 and conv.keeps == dtype
    bent = torch.empty(time, parts * channels, dtype=dtype, device=x.device)
    raw = bent
    if keep and not same:
        raw = torch.empty(time, channels, dtype=conv.keeps, device=x.device)
    _convolve(x, conv, live, add, bend, raw if keep or same else None, None if same else bent)
    return raw, bent


def last(x: torch.Tensor, conv: Conv) -> torch.Tensor:
    """See `wave.plain_last`.

    One product with a column a tap, which reads x once, and a sum along its diagonals.
    """
    taps, _, wide = conv.weight.shape
    by_tap = replace(
        conv, weight=conv.weight.view(1, taps, wide), bias=conv.bias.new_zeros(taps), out=FP32
    )
    sums = torch.empty(len(x), taps, dtype=torch.float32, device=x.device)
    _convolve(x, by_tap, raw=sums)
    out = torch.empty(len(x), dtype=torch.int16, device=x.device)
    _last_kernel[(triton.cdiv(len(x), 1024),)](
        sums, conv.bias, out, len(x), FULL_SCALE, taps, 1024, num_warps=4
    )
    return out


@triton.jit
def _last_kernel(
    sums, bias, out, time, full_scale: tl.constexpr, TAPS: tl.constexpr, TIMES: tl.constexpr
):
    at = tl.program_id(0).to(tl.int64) * TIMES + tl.arange(0, TIMES)
    y = tl.zeros([TIMES], tl.float32)
    for tap in tl.static_range(TAPS):
        then = at - (TAPS - 1 - tap)
        y += tl.load(sums + then * TAPS + tap, mask=(then >= 0) & (then < time), other=0.0)
    y += tl.load(bias)
    y = tl.minimum(tl.maximum(y, -1.0), 1.0) * full_scale
    y = (y + _TO_WHOLE) - _TO_WHOLE
    tl.store(out + at, y.to(tl.int16), mask=at < time)


def _convolve(
    x: torch.Tensor,
    conv: Conv,
    live: torch.Tensor | None = None,
    add: torch.Tensor | None = None,
    bend: Snake | Gelu | None = None,
    raw: torch.Tensor | None = None,
    bent: torch.Tensor | None = None,
) -> None:
    """Compute what is given of raw and bent."""
    taps, out, wide = conv.weight.shape
    held, channels = x.shape[1], out // conv.steps
    snake = bend if isinstance(bend, Snake) else None
    tile = tile_of(conv)
    tiled = (
        _has_copy_engine(x.device)
        and held * x.element_size() % 16 == 0
        and (held == wide or held % tile.depth == 0)
    )
    flat = conv.weight.view(taps * out, wide)
    blocks = [tile.times, tile.depth], [tile.columns, tile.depth]
    results = [None if one is None else one.view(len(x), -1) for one in (add, raw, bent)]
    carried = _has_copy_engine(x.device) and _can_carry(results, conv, tile)
    nothing = conv.bias
    _conv_kernel[(triton.cdiv(len(x), tile.times) * triton.cdiv(out, tile.columns),)](
        x, flat, TensorDescriptor.from_tensor(x, blocks[0]) if tiled else x,
        TensorDescriptor.from_tensor(flat, blocks[1]) if tiled else flat,
        nothing if conv.scale is None else conv.scale, conv.bias, nothing if add is None else add,
        nothing if snake is None else snake.rate, nothing if snake is None else snake.gain,
        nothing if live is None else live, bent if raw is None else raw,
        raw if bent is None else bent,
        *[_tiles(one, tile) if carried else nothing for one in results],
        len(x), 1 if live is None else len(x) // len(live),
        taps, conv.dilation, held, wide, out, channels, conv.scale is not None, add is not None,
        snake is not None, isinstance(bend, Gelu), live is not None, raw is not None,
        bent is not None, conv.out.held, tiled, carried,
        tile.times, tile.columns, tile.depth, num_warps=tile.warps, num_stages=tile.stages,
    )  # fmt: skip


def _can_carry(results: Sequence[torch.Tensor | None], conv: Conv, tile: Tile) -> bool:
    """Whether the copy engine can carry these: rows of whole 16 bytes, and no tile in two parts."""
    whole_rows = all(x is None or x.shape[1] * x.element_size() % 16 == 0 for x in results)
    channels = conv.weight.shape[1] // conv.steps
    return whole_rows and (conv.out.held == 1 or channels % tile.columns == 0)


def _tiles(x: torch.Tensor | None, tile: Tile) -> TensorDescriptor | None:
    return None if x is None else TensorDescriptor.from_tensor(x, [tile.times, tile.columns])
