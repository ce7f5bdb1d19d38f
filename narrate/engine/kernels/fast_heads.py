"""Heads normalised, turned and stored in one kernel, in Triton.

`attend_one` reads what the cache holds and what is new at the same time, and the new key never
makes the way through memory; a row's first two tokens, and one after many of many rows, go to
`fast_tiles`. `enter` is `plain.enter`: a prompt's heads, into the cache and in the order that
attention reads them.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from narrate.engine.kernels import fast_tiles
from narrate.engine.kernels.early import FEW_ROWS, can_start_early
from narrate.engine.kernels.reading import whole
from narrate.engine.kernels.shapes import Cache, HeadNorms, Rotary

__all__ = ["attend_one", "attend_short", "enter"]

_MANY_HELD = 9  # positions from which tiles are faster with many rows: docs/log.md
_REGISTERS = 168  # a thread; more of them leave room for fewer programs


@triton.jit
def _turned(
    source, stride, weight, lane, cos, sin, eps,
    kind: tl.constexpr, PARTS: tl.constexpr, DIM: tl.constexpr,
):  # fmt: skip
    """One head: RMSNorm, then RoPE in fp32, rounded to `kind`."""
    HALF: tl.constexpr = DIM // 2
    other = (lane + HALF) % DIM
    x = whole(source + lane, stride, lane >= 0, PARTS).to(kind).to(tl.float32)
    y = whole(source + other, stride, lane >= 0, PARTS).to(kind).to(tl.float32)
    scale = tl.rsqrt(tl.sum(x * x, 0) / DIM + eps)
    x = x * scale * tl.load(weight + lane).to(tl.float32)
    y = y * scale * tl.load(weight + other).to(tl.float32)
    y = tl.where(lane < HALF, -y, y)
    return (x * cos + y * sin).to(kind)


@triton.jit(do_not_specialize=["start"])
def _attend_one_kernel(
    qkv, q_weight, k_weight, cos_table, sin_table, keys, values, out,
    q_eps, k_eps, scale, rows, positions, start,
    Q_HEADS: tl.constexpr, KV_HEADS: tl.constexpr, DIM: tl.constexpr, BLOCK: tl.constexpr,
    PARTS: tl.constexpr, EARLY: tl.constexpr, SETTLED: tl.constexpr,
):  # fmt: skip
    if EARLY:
        gdc_launch_dependents()
    kind: tl.constexpr = out.dtype.element_ty
    HALF: tl.constexpr = DIM // 2
    SHARED: tl.constexpr = Q_HEADS // KV_HEADS
    row = tl.program_id(0).to(tl.int64)
    head = tl.program_id(1)
    lane = tl.arange(0, DIM)
    step = tl.arange(0, BLOCK)
    base = (row * KV_HEADS + head) * positions * DIM
    there = step < start
    if EARLY and not SETTLED:
        gdc_wait()
    here = base + step[:, None] * DIM + lane[None]
    old_k = tl.load(keys + here, mask=there[:, None], other=0.0)
    old_v = tl.load(values + here, mask=there[:, None], other=0.0)
    cos = tl.load(cos_table + start * HALF + lane % HALF)
    sin = tl.load(sin_table + start * HALF + lane % HALF)
    if EARLY and SETTLED:
        gdc_wait()
    own = qkv + row * (Q_HEADS + 2 * KV_HEADS) * DIM
    stride = rows * (Q_HEADS + 2 * KV_HEADS) * DIM
    from_k = own + (Q_HEADS + head) * DIM
    v = whole(from_k + KV_HEADS * DIM + lane, stride, lane >= 0, PARTS).to(kind)
    k = _turned(from_k, stride, k_weight, lane, cos, sin, k_eps, kind, PARTS, DIM)
    tl.store(keys + base + start * DIM + lane, k.to(keys.dtype.element_ty))
    tl.store(values + base + start * DIM + lane, v.to(values.dtype.element_ty))
    for shared in tl.static_range(SHARED):
        at = head * SHARED + shared
        from_q = own + at * DIM
        q = _turned(from_q, stride, q_weight, lane, cos, sin, q_eps, kind, PARTS, DIM)
        q = q.to(tl.float32)
        scores = tl.where(there, tl.sum(old_k.to(tl.float32) * q[None], 1) * scale, float("-inf"))
        new = tl.sum(k.to(tl.float32) * q, 0) * scale
        top = tl.maximum(tl.max(scores, 0), new)
        p = tl.exp(scores - top)
        p_new = tl.exp(new - top)
        total = tl.sum(p, 0) + p_new
        made = (tl.sum(p[:, None] * old_v.to(tl.float32), 0) + p_new * v.to(tl.float32)) / total
        tl.store(out + (row * Q_HEADS + at) * DIM + lane, made.to(out.dtype.element_ty))


def attend_short(
    qkv: torch.Tensor, heads: HeadNorms, rotary: Rotary, cache: Cache, start: int
) -> torch.Tensor:
    """See `plain.attend_short`."""
    rows, count, width = qkv.shape
    if count == 1:
        return attend_one(qkv.view(1, rows, width), heads, rotary, cache, start)[:, None]
    assert (count, start) == (2, 0), "a row's first two tokens or one more; for others call plain's"
    return fast_tiles.attend_two(qkv, heads, rotary, cache)


def attend_one(
    qkv: torch.Tensor, heads: HeadNorms, rotary: Rotary, cache: Cache, start: int
) -> torch.Tensor:
    """`plain.attend_short` of one token after at most 31: qkv [parts, n, width] -> [n, heads]."""
    count, rows, width = qkv.shape
    if rows > FEW_ROWS and start >= _MANY_HELD and count == 1 and qkv.dtype == cache.keys.dtype:
        return fast_tiles.attend_held(qkv[0], heads, rotary, cache, start)
    _, kv_heads, positions, dim = cache.keys.shape
    q_heads = width // dim - 2 * kv_heads
    out = torch.empty(rows, q_heads * dim, dtype=cache.keys.dtype, device=qkv.device)
    early = can_start_early(rows, qkv)
    _attend_one_kernel[(rows, kv_heads)](
        qkv, heads.q.weight, heads.k.weight, rotary.cos, rotary.sin,
        cache.keys, cache.values, out,
        heads.q.eps, heads.k.eps, dim**-0.5, rows, positions, start,
        q_heads, kv_heads, dim, triton.next_power_of_2(max(start, 2)), count, early,
        start > 1,  # a sampler lies between what the cache holds and now: see `early`
        num_warps=1, maxnreg=_REGISTERS, launch_pdl=early,
    )  # fmt: skip
    return out


@triton.jit
def _enter_kernel(
    qkv, q_weight, k_weight, cos_table, sin_table, slots, keys, values, q_out, k_out, v_out,
    q_eps, k_eps, length, positions,
    Q_HEADS: tl.constexpr, KV_HEADS: tl.constexpr, DIM: tl.constexpr, HEADS: tl.constexpr,
):  # fmt: skip
    HALF: tl.constexpr = DIM // 2
    token = tl.program_id(0).to(tl.int64)
    row, at = token // length, token % length
    head = tl.arange(0, HEADS)[:, None]
    lane = tl.arange(0, DIM)[None]
    other = (lane + HALF) % DIM
    is_q = head < Q_HEADS
    is_k = (head >= Q_HEADS) & (head < Q_HEADS + KV_HEADS)
    is_v = (head >= Q_HEADS + KV_HEADS) & (head < Q_HEADS + 2 * KV_HEADS)
    real = is_q | is_k | is_v
    own = qkv + token * (Q_HEADS + 2 * KV_HEADS) * DIM + head * DIM
    raw = tl.load(own + lane, mask=real, other=0.0)
    x = raw.to(tl.float32)
    y = tl.load(own + other, mask=real, other=0.0).to(tl.float32)
    eps = tl.where(is_q, q_eps, k_eps)
    scale = tl.rsqrt(tl.sum(x * x, 1)[:, None] / DIM + eps)
    x_weight = tl.where(is_q, tl.load(q_weight + lane), tl.load(k_weight + lane)).to(tl.float32)
    y_weight = tl.where(is_q, tl.load(q_weight + other), tl.load(k_weight + other)).to(tl.float32)
    y = tl.where(lane < HALF, -y, y) * scale * y_weight
    cos = tl.load(cos_table + at * HALF + lane % HALF)
    sin = tl.load(sin_table + at * HALF + lane % HALF)
    turned = (x * scale * x_weight * cos + y * sin).to(raw.dtype)
    tl.store(q_out + ((row * Q_HEADS + head) * length + at) * DIM + lane, turned, mask=is_q)
    slot = tl.load(slots + row)
    key = head - Q_HEADS
    tl.store(k_out + ((row * KV_HEADS + key) * length + at) * DIM + lane, turned, mask=is_k)
    tl.store(keys + ((slot * KV_HEADS + key) * positions + at) * DIM + lane, turned, mask=is_k)
    value = key - KV_HEADS
    tl.store(v_out + ((row * KV_HEADS + value) * length + at) * DIM + lane, raw, mask=is_v)
    tl.store(values + ((slot * KV_HEADS + value) * positions + at) * DIM + lane, raw, mask=is_v)


def enter(
    qkv: torch.Tensor, heads: HeadNorms, rotary: Rotary, cache: Cache, slots: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """See `plain.enter`."""
    rows, length, width = qkv.shape
    _, kv_heads, positions, dim = cache.keys.shape
    q_heads = width // dim - 2 * kv_heads
    q, k, v = (
        torch.empty(rows, n, length, dim, dtype=qkv.dtype, device=qkv.device)
        for n in (q_heads, kv_heads, kv_heads)
    )
    _enter_kernel[(rows * length,)](
        qkv, heads.q.weight, heads.k.weight, rotary.cos, rotary.sin, slots,
        cache.keys, cache.values, q, k, v, heads.q.eps, heads.k.eps, length, positions,
        q_heads, kv_heads, dim, triton.next_power_of_2(width // dim), num_warps=8,
    )  # fmt: skip
    return q, k, v
