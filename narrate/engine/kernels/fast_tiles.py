"""The predictor's attention of many rows, a head's tokens as tiles, in Triton.

One program serves one row and one key-value head. The queries that share the head, its new key and
its new value are one tile, [SHARED + 2, DIM] in two halves: norms and RoPE are done once for all
of them, and scores are products of the matrix units. What is new never makes the way through
memory: what queries say to a new key is of the product of its tile with theirs. Halves are at
least 16 wide with 16 bits, as in `fast_attention`; twin: `plain.attend_short`.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from narrate.engine.kernels.shapes import Cache, HeadNorms, Rotary

__all__ = ["attend_held", "attend_two"]

_REGISTERS = 104  # a thread, with 16 places; more of them leave room for fewer programs
_LOG2_E = tl.constexpr(1.4426950408889634)


@triton.jit
def _place(head, member, SHARED: tl.constexpr, Q_HEADS: tl.constexpr, KV_HEADS: tl.constexpr):
    """Which of a token's heads the members of a tile are: queries, key, value."""
    other = Q_HEADS + head + (member - SHARED) * KV_HEADS
    return tl.where(member < SHARED, head * SHARED + member, other)


@triton.jit
def _turned(x1, x2, w1, w2, cos, sin, eps, is_v, kind: tl.constexpr, DIM: tl.constexpr):
    """A tile's halves after RMSNorm and RoPE, fp32 inside; the value's row stays as it is."""
    a = x1.to(tl.float32)
    b = x2.to(tl.float32)
    scale = tl.rsqrt(tl.sum(a * a + b * b, 1, keep_dims=True) / DIM + eps)
    a = a * scale * w1
    b = b * scale * w2
    # Chosen before it is rounded: two at a time are, then.
    first = tl.where(is_v, x1.to(tl.float32), a * cos - b * sin)
    second = tl.where(is_v, x2.to(tl.float32), b * cos + a * sin)
    return first.to(kind), second.to(kind)


@triton.jit
def _said(q1, q2, k1, k2, SHARED: tl.constexpr, TILE: tl.constexpr):
    """The scores [TILE] of one tile's queries with another's key."""
    mutual = tl.dot(q1, k1.trans(), input_precision="ieee")
    mutual = tl.dot(q2, k2.trans(), mutual, input_precision="ieee")
    return tl.sum(tl.where(tl.arange(0, TILE)[None] == SHARED, mutual, 0.0), 1)


@triton.jit
def _attend_two_kernel(
    qkv, q_weight, k_weight, cos_table, sin_table, keys, values, out,
    q_eps, k_eps, scale, positions,
    Q_HEADS: tl.constexpr, KV_HEADS: tl.constexpr, DIM: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    kind: tl.constexpr = out.dtype.element_ty
    HALF: tl.constexpr = DIM // 2
    SHARED: tl.constexpr = Q_HEADS // KV_HEADS
    WIDTH: tl.constexpr = (Q_HEADS + 2 * KV_HEADS) * DIM
    row = tl.program_id(1).to(tl.int64)
    head = tl.program_id(0)
    half = tl.arange(0, HALF)[None]
    lane = tl.arange(0, DIM)[None]
    member = tl.arange(0, TILE)[:, None]
    is_q, is_v, real = member < SHARED, member == SHARED + 1, member < SHARED + 2
    own = qkv + row * (2 * WIDTH)
    from_x = own + (_place(head, member, SHARED, Q_HEADS, KV_HEADS) * DIM + half)
    a1 = tl.load(from_x, mask=real, other=0.0)
    a2 = tl.load(from_x + HALF, mask=real, other=0.0)
    b1 = tl.load(from_x + WIDTH, mask=real, other=0.0)
    b2 = tl.load(from_x + (WIDTH + HALF), mask=real, other=0.0)
    from_v = own + (Q_HEADS + KV_HEADS + head) * DIM + lane
    v0 = tl.load(from_v)
    v1 = tl.load(from_v + WIDTH).to(tl.float32)
    weight = tl.where(is_q, q_weight, k_weight) + half
    w1 = tl.load(weight).to(tl.float32)
    w2 = tl.load(weight + HALF).to(tl.float32)
    eps = tl.where(is_q, q_eps, k_eps)
    cos, sin = tl.load(cos_table + half), tl.load(sin_table + half)
    a1, a2 = _turned(a1, a2, w1, w2, cos, sin, eps, is_v, kind, DIM)
    cos, sin = tl.load(cos_table + HALF + half), tl.load(sin_table + HALF + half)
    b1, b2 = _turned(b1, b2, w1, w2, cos, sin, eps, is_v, kind, DIM)
    to = tl.where(is_v, values, keys) + (row * KV_HEADS + head) * positions * DIM + half
    new = (member >= SHARED) & real
    tl.store(to, a1, mask=new)
    tl.store(to + HALF, a2, mask=new)
    tl.store(to + DIM, b1, mask=new)
    tl.store(to + (DIM + HALF), b2, mask=new)
    before = _said(b1, b2, a1, a2, SHARED, TILE)
    itself = _said(b1, b2, b1, b2, SHARED, TILE)
    # Softmax of two is 1 / (1 + exp(...)), of which an infinity is right, too.
    p = (1.0 / (1.0 + tl.exp((before - itself) * scale)))[:, None]
    v_first = v0.to(tl.float32)
    made = v_first + p * (v1 - v_first)
    to_out = out + (row * 2 * Q_HEADS + head * SHARED + member) * DIM + lane
    tl.store(to_out, tl.broadcast_to(v0, TILE, DIM), mask=is_q)
    tl.store(to_out + Q_HEADS * DIM, made.to(kind), mask=is_q)


def attend_two(qkv: torch.Tensor, heads: HeadNorms, rotary: Rotary, cache: Cache) -> torch.Tensor:
    """`plain.attend_short` of a row's first two tokens: qkv [n, 2, width] -> [n, 2, heads]."""
    rows, count, width = qkv.shape
    _, kv_heads, positions, dim = cache.keys.shape
    q_heads = width // dim - 2 * kv_heads
    out = torch.empty(rows, count, q_heads * dim, dtype=cache.keys.dtype, device=qkv.device)
    _attend_two_kernel[(kv_heads, rows)](
        qkv, heads.q.weight, heads.k.weight, rotary.cos, rotary.sin, cache.keys, cache.values, out,
        heads.q.eps, heads.k.eps, dim**-0.5, positions,
        q_heads, kv_heads, dim, _tile(q_heads, kv_heads), num_warps=1,
    )  # fmt: skip
    return out


@triton.jit(do_not_specialize=["start"])
def _attend_held_kernel(
    qkv, q_weight, k_weight, cos_table, sin_table, keys, values, out,
    q_eps, k_eps, scale, positions, start,
    Q_HEADS: tl.constexpr, KV_HEADS: tl.constexpr, DIM: tl.constexpr, BLOCK: tl.constexpr,
    TILE: tl.constexpr,
):  # fmt: skip
    """Place 0 of BLOCK is the new token, place i the cache's position i - 1."""
    kind: tl.constexpr = out.dtype.element_ty
    HALF: tl.constexpr = DIM // 2
    SHARED: tl.constexpr = Q_HEADS // KV_HEADS
    row = tl.program_id(1).to(tl.int64)
    first = tl.program_id(0)
    half = tl.arange(0, HALF)[None]
    lane = tl.arange(0, DIM)[None]
    member = tl.arange(0, TILE)[:, None]
    is_q, is_v, real = member < SHARED, member == SHARED + 1, member < SHARED + 2
    own = qkv + row * (Q_HEADS + 2 * KV_HEADS) * DIM
    to_k = keys + row * KV_HEADS * positions * DIM
    to_v = values + row * KV_HEADS * positions * DIM
    step = tl.arange(0, BLOCK)[:, None]
    wide = tl.arange(0, BLOCK)[None]
    weight = tl.where(is_q, q_weight, k_weight) + half
    cos = tl.load(cos_table + start * HALF + half)
    sin = tl.load(sin_table + start * HALF + half)
    w1 = tl.load(weight).to(tl.float32)
    w2 = tl.load(weight + HALF).to(tl.float32)
    eps = tl.where(is_q, q_eps, k_eps)
    to_new = tl.where(is_v, to_v, to_k) + start * DIM + half
    new = (member >= SHARED) & real
    # NOTE: one trip. Triton copies to shared memory without waiting in such loops only; elsewhere
    # keys and values wait in registers, of which they take more than there are.
    for head in tl.range(first, first + 1, num_stages=2):
        from_x = own + _place(head, member, SHARED, Q_HEADS, KV_HEADS) * DIM + half
        x1 = tl.load(from_x, mask=real, other=0.0)
        x2 = tl.load(from_x + HALF, mask=real, other=0.0)
        base = head * positions * DIM
        old = base + (step - 1) * DIM
        there = (step > 0) & (step <= start)
        k1 = tl.load(to_k + old + half, mask=there, other=0.0)
        k2 = tl.load(to_k + old + HALF + half, mask=there, other=0.0)
        new_v = own + (Q_HEADS + KV_HEADS + head) * DIM + lane
        v = tl.load(tl.where(step == 0, new_v, to_v + old + lane), mask=step <= start, other=0.0)
        x1, x2 = _turned(x1, x2, w1, w2, cos, sin, eps, is_v, kind, DIM)
        tl.store(to_new + base, x1, mask=new)
        tl.store(to_new + base + HALF, x2, mask=new)
        said = _said(x1, x2, x1, x2, SHARED, TILE)[:, None]
        scores = tl.dot(x1, k1.trans(), input_precision="ieee")
        scores = tl.dot(x2, k2.trans(), scores, input_precision="ieee")
        scores = tl.where(wide == 0, said, scores)
        scores = tl.where(wide <= start, scores * (scale * _LOG2_E), float("-inf"))
        p = tl.exp2(scores - tl.max(scores, 1)[:, None])
        p = p * (1.0 / tl.sum(p, 1)[:, None])
        made = tl.dot(p.to(kind), v, input_precision="ieee")
        to_out = out + (row * Q_HEADS + head * SHARED + member) * DIM + lane
        tl.store(to_out, made.to(kind), mask=is_q)


def attend_held(
    qkv: torch.Tensor, heads: HeadNorms, rotary: Rotary, cache: Cache, start: int
) -> torch.Tensor:
    """`plain.attend_short` of one token after at most 31: qkv [n, width] -> [n, heads].

    qkv is of the cache's dtype.
    """
    rows, width = qkv.shape
    _, kv_heads, positions, dim = cache.keys.shape
    q_heads = width // dim - 2 * kv_heads
    out = torch.empty(rows, q_heads * dim, dtype=cache.keys.dtype, device=qkv.device)
    block = 16 if start < 16 else 32
    _attend_held_kernel[(kv_heads, rows)](
        qkv, heads.q.weight, heads.k.weight, rotary.cos, rotary.sin, cache.keys, cache.values, out,
        heads.q.eps, heads.k.eps, dim**-0.5, positions, start,
        q_heads, kv_heads, dim, block, _tile(q_heads, kv_heads),
        num_warps=1, maxnreg=_REGISTERS if block == 16 else None,
    )  # fmt: skip
    return out


def _tile(q_heads: int, kv_heads: int) -> int:
    """The least tile that holds the queries of a head, its key and its value."""
    least: int = triton.next_power_of_2(q_heads // kv_heads + 2)
    return least
