"""The codec transformer's attention in Triton; meaning and shapes: `wave.plain_attend`."""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from narrate.engine.codec import packing
from narrate.engine.codec.layers import Places

__all__ = ["TILE", "attend"]

TILE = 16  # queries a program, keys a step: what one warp holds
_PAST = tl.constexpr(packing.PAST)
_NO_QUERY, _NO_KEY = tl.constexpr(-3), tl.constexpr(-4)  # no utterance's numbers


@triton.jit
def _turned(source, cos, sin, at, real, DIM: tl.constexpr, LANES: tl.constexpr):
    """The two halves of a head at these places, after RoPE."""
    HALF: tl.constexpr = DIM // 2
    lane = tl.arange(0, LANES)[None]
    mask = real[:, None] & (lane < HALF)
    a = tl.load(source + lane, mask=mask, other=0.0)
    b = tl.load(source + HALF + lane, mask=mask, other=0.0)
    c = tl.load(cos + at[:, None] * HALF + lane, mask=mask, other=0.0)
    s = tl.load(sin + at[:, None] * HALF + lane, mask=mask, other=0.0)
    return a * c - b * s, b * c + a * s


@triton.jit
def _attend_kernel(
    qkv, cos, sin, utterance, begins, jumps, out, time, scale,
    HEADS: tl.constexpr, DIM: tl.constexpr, WINDOW: tl.constexpr, TILE: tl.constexpr,
    LANES: tl.constexpr,
):  # fmt: skip
    HALF: tl.constexpr = DIM // 2
    STRIDE: tl.constexpr = 3 * HEADS * DIM
    head = tl.program_id(1)
    step = tl.arange(0, TILE)
    lane = tl.arange(0, LANES)[None]
    at = tl.program_id(0) * TILE + step
    real = at < time
    own = tl.load(utterance + at, mask=real, other=_NO_QUERY)
    # An utterance begins at a tile, so one tile's queries have one begin, or some have none.
    begin = tl.max(tl.load(begins + at, mask=real, other=0), 0)
    jump = tl.max(tl.load(jumps + at, mask=real, other=0), 0)
    q1, q2 = _turned(qkv + at[:, None] * STRIDE + head * DIM, cos, sin, at, real, DIM, LANES)
    top = tl.full([TILE], float("-inf"), tl.float32)
    weight = tl.zeros([TILE], tl.float32)
    sum1 = tl.zeros([TILE, LANES], tl.float32)
    sum2 = tl.zeros([TILE, LANES], tl.float32)
    # From the query's own tile backwards: it sees itself, so the maximum is a number at once.
    for back in range(0, (WINDOW - 1 + TILE - 1) // TILE + 1):
        key = tl.program_id(0) * TILE - back * TILE + step
        past = key < begin
        then = tl.where(past, key - jump, key)
        there = (then >= 0) & (then < time)
        from_k = qkv + then[:, None] * STRIDE + (HEADS + head) * DIM
        k1, k2 = _turned(from_k, cos, sin, then, there, DIM, LANES)
        scores = tl.dot(q1, k1.trans(), input_precision="tf32x3")
        scores = tl.dot(q2, k2.trans(), scores, input_precision="tf32x3") * scale
        behind = at[:, None] - key[None]
        theirs = tl.load(utterance + then, mask=there, other=_NO_KEY)[None]
        same = theirs == tl.where(past[None], _PAST, own[:, None])
        seen = same & there[None] & (behind >= 0) & (behind < WINDOW)
        scores = tl.where(seen | (behind == 0), scores, float("-inf"))
        higher = tl.maximum(top, tl.max(scores, 1))
        shrink = tl.exp(top - higher)
        p = tl.exp(scores - higher[:, None])
        weight = weight * shrink + tl.sum(p, 1)
        mask = there[:, None] & (lane < HALF)
        v1 = tl.load(from_k + HEADS * DIM + lane, mask=mask, other=0.0)
        v2 = tl.load(from_k + HEADS * DIM + HALF + lane, mask=mask, other=0.0)
        sum1 = tl.dot(p, v1, sum1 * shrink[:, None], input_precision="tf32x3")
        sum2 = tl.dot(p, v2, sum2 * shrink[:, None], input_precision="tf32x3")
        top = higher
    to = out + at[:, None] * HEADS * DIM + head * DIM + lane
    mask = real[:, None] & (lane < HALF)
    tl.store(to, sum1 / weight[:, None], mask=mask)
    tl.store(to + HALF, sum2 / weight[:, None], mask=mask)


def attend(
    qkv: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, places: Places, window: int
) -> torch.Tensor:
    """See `wave.plain_attend`; everything is contiguous."""
    time, dim = len(qkv), 2 * cos.shape[1]
    heads = qkv.shape[1] // (3 * dim)
    out = torch.empty(time, heads * dim, dtype=qkv.dtype, device=qkv.device)
    lanes = max(16, triton.next_power_of_2(dim // 2))
    _attend_kernel[(triton.cdiv(time, TILE), heads)](
        qkv, cos, sin, places.utterance, places.begin, places.jump, out, time, dim**-0.5,
        heads, dim, window, TILE, lanes, num_warps=1, num_stages=2,
    )  # fmt: skip
    return out
