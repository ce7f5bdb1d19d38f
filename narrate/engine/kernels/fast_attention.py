"""Attention kernels in Triton; meaning and shapes: the functions of the same name in `plain.py`.

One program serves one row and one key-value head, so keys and values are read once for all the
query heads that share them. Norms, RoPE and softmax are fp32; heads are handled as two halves,
which is how RoPE pairs them.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from narrate.engine.kernels.reading import whole
from narrate.engine.kernels.shapes import Cache, HeadNorms, Rotary

__all__ = ["attend", "attend_short"]

_QUERY_TILE = tl.constexpr(16)  # the least rows that a matrix product takes
_BLOCK = 64  # positions a step


@triton.jit
def _turned(
    source, stride, real, weight, cos, sin, eps,
    kind: tl.constexpr, PARTS: tl.constexpr, DIM: tl.constexpr,
):  # fmt: skip
    """Heads read from `source` [rows, half]: RMSNorm over both halves, then RoPE; fp32 inside."""
    HALF: tl.constexpr = DIM // 2
    half = tl.arange(0, HALF)[None]
    x1 = whole(source, stride, real, PARTS).to(kind).to(tl.float32)
    x2 = whole(source + HALF, stride, real, PARTS).to(kind).to(tl.float32)
    scale = tl.rsqrt((tl.sum(x1 * x1, 1) + tl.sum(x2 * x2, 1)) / DIM + eps)[:, None]
    a = x1 * scale * tl.load(weight + half).to(tl.float32)
    b = x2 * scale * tl.load(weight + HALF + half).to(tl.float32)
    return (a * cos - b * sin).to(kind), (b * cos + a * sin).to(kind)


@triton.jit
def _store_pair(to, HALF: tl.constexpr, first, second, real):
    kind = to.dtype.element_ty
    tl.store(to, first.to(kind), mask=real)
    tl.store(to + HALF, second.to(kind), mask=real)


@triton.jit
def _attend_kernel(
    qkv, q_weight, k_weight, cos_table, sin_table, keys, values, slots, lengths, out,
    stride, qkv_stride, q_eps, k_eps, scale, positions,
    Q_HEADS: tl.constexpr, KV_HEADS: tl.constexpr, DIM: tl.constexpr, BLOCK: tl.constexpr,
    PARTS: tl.constexpr,
):  # fmt: skip
    HALF: tl.constexpr = DIM // 2
    SHARED: tl.constexpr = Q_HEADS // KV_HEADS
    row = tl.program_id(0)
    head = tl.program_id(1)
    at = tl.load(lengths + row)
    half = tl.arange(0, HALF)[None]
    query = tl.arange(0, _QUERY_TILE)[:, None]
    wanted = query < SHARED
    to = out + row.to(tl.int64) * Q_HEADS * DIM + (head * SHARED + query) * DIM + half
    kind: tl.constexpr = out.dtype.element_ty
    if at < 0:
        nothing = tl.zeros([_QUERY_TILE, HALF], kind)
        _store_pair(to, HALF, nothing, nothing, wanted)
        return
    cos = tl.load(cos_table + at * HALF + half)
    sin = tl.load(sin_table + at * HALF + half)
    own = qkv + row.to(tl.int64) * qkv_stride
    from_q = own + (head * SHARED + query) * DIM + half
    q1, q2 = _turned(from_q, stride, wanted, q_weight, cos, sin, q_eps, kind, PARTS, DIM)
    from_k = own + (Q_HEADS + head) * DIM + half
    k1, k2 = _turned(from_k, stride, half >= 0, k_weight, cos, sin, k_eps, kind, PARTS, DIM)
    v1 = whole(from_k + KV_HEADS * DIM, stride, half >= 0, PARTS).to(kind)
    v2 = whole(from_k + KV_HEADS * DIM + HALF, stride, half >= 0, PARTS).to(kind)
    slot = tl.load(slots + row).to(tl.int64)
    base = (slot * KV_HEADS + head) * positions * DIM
    _store_pair(keys + base + at * DIM + half, HALF, k1, k2, half >= 0)
    _store_pair(values + base + at * DIM + half, HALF, v1, v2, half >= 0)
    # The new position starts the running softmax from registers; the loop reads those before it.
    top = tl.sum(q1.to(tl.float32) * k1.to(tl.float32), 1)
    top = (top + tl.sum(q2.to(tl.float32) * k2.to(tl.float32), 1)) * scale
    weight = tl.full([_QUERY_TILE], 1.0, tl.float32)
    sum1 = tl.zeros([_QUERY_TILE, HALF], tl.float32) + v1.to(tl.float32)
    sum2 = tl.zeros([_QUERY_TILE, HALF], tl.float32) + v2.to(tl.float32)
    step = tl.arange(0, BLOCK)
    for start in range(0, at, BLOCK):
        there = (start + step < at)[:, None]
        here = base + (start + step)[:, None] * DIM + half
        b1 = tl.load(keys + here, mask=there, other=0.0)
        b2 = tl.load(keys + here + HALF, mask=there, other=0.0)
        scores = tl.dot(q1, b1.trans(), input_precision="ieee")
        scores = tl.dot(q2, b2.trans(), scores, input_precision="ieee") * scale
        scores = tl.where((start + step < at)[None], scores, float("-inf"))
        higher = tl.maximum(top, tl.max(scores, 1))
        shrink = tl.exp(top - higher)
        p = tl.exp(scores - higher[:, None])
        weight = weight * shrink + tl.sum(p, 1)
        c1 = tl.load(values + here, mask=there, other=0.0)
        c2 = tl.load(values + here + HALF, mask=there, other=0.0)
        p = p.to(kind)
        sum1 = tl.dot(p, c1, sum1 * shrink[:, None], input_precision="ieee")
        sum2 = tl.dot(p, c2, sum2 * shrink[:, None], input_precision="ieee")
        top = higher
    _store_pair(to, HALF, sum1 / weight[:, None], sum2 / weight[:, None], wanted)


def attend(
    qkv: torch.Tensor,
    heads: HeadNorms,
    rotary: Rotary,
    cache: Cache,
    slots: torch.Tensor,
    lengths: torch.Tensor,
) -> torch.Tensor:
    """See `plain.attend`; qkv may come in parts of a sum, [parts, n, width] fp32."""
    count = len(qkv) if qkv.dim() == 3 else 1
    rows, width = qkv.shape[-2:]
    _, kv_heads, positions, dim = cache.keys.shape
    q_heads = width // dim - 2 * kv_heads
    kind = qkv.dtype if qkv.dim() == 2 else cache.keys.dtype
    out = torch.empty(rows, q_heads * dim, dtype=kind, device=qkv.device)
    _attend_kernel[(rows, kv_heads)](
        qkv, heads.q.weight, heads.k.weight, rotary.cos, rotary.sin,
        cache.keys, cache.values, slots, lengths, out,
        rows * width, qkv.stride(-2), heads.q.eps, heads.k.eps, dim**-0.5, positions,
        q_heads, kv_heads, dim, _BLOCK, count, num_warps=4, num_stages=2,
    )  # fmt: skip
    return out


@triton.jit
def _attend_short_kernel(
    qkv, q_weight, k_weight, cos_table, sin_table, keys, values, out,
    q_eps, k_eps, scale, positions, start,
    COUNT: tl.constexpr, COUNT_TILE: tl.constexpr,
    Q_HEADS: tl.constexpr, KV_HEADS: tl.constexpr, DIM: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    HALF: tl.constexpr = DIM // 2
    SHARED: tl.constexpr = Q_HEADS // KV_HEADS
    WIDTH: tl.constexpr = (Q_HEADS + 2 * KV_HEADS) * DIM
    row = tl.program_id(0).to(tl.int64)
    head = tl.program_id(1)
    half = tl.arange(0, HALF)[None]
    kind: tl.constexpr = out.dtype.element_ty
    own = qkv + row * COUNT * WIDTH
    base = (row * KV_HEADS + head) * positions * DIM

    fresh = tl.arange(0, COUNT_TILE)[:, None]
    new = fresh < COUNT
    from_k = own + fresh * WIDTH + (Q_HEADS + head) * DIM + half
    turn = (start + fresh) * HALF + half
    cos = tl.load(cos_table + turn, mask=new, other=0.0)
    sin = tl.load(sin_table + turn, mask=new, other=0.0)
    k1, k2 = _turned(from_k, 0, new, k_weight, cos, sin, k_eps, kind, 1, DIM)
    to = base + (start + fresh) * DIM + half
    _store_pair(keys + to, HALF, k1, k2, new)
    v1 = tl.load(from_k + KV_HEADS * DIM, mask=new, other=0.0)
    v2 = tl.load(from_k + KV_HEADS * DIM + HALF, mask=new, other=0.0)
    _store_pair(values + to, HALF, v1, v2, new)

    # Query i of the tile is token i // SHARED, head i % SHARED.
    query = tl.arange(0, _QUERY_TILE)[:, None]
    token = query // SHARED
    wanted = token < COUNT
    lane = (head * SHARED + query % SHARED) * DIM + half
    from_q = own + token * WIDTH + lane
    turn = (start + token) * HALF + half
    cos = tl.load(cos_table + turn, mask=wanted, other=0.0)
    sin = tl.load(sin_table + turn, mask=wanted, other=0.0)
    q1, q2 = _turned(from_q, 0, wanted, q_weight, cos, sin, q_eps, kind, 1, DIM)

    tl.debug_barrier()  # what this program has just written is read back below
    step = tl.arange(0, BLOCK)
    there = (step < start + COUNT)[:, None]
    here = base + step[:, None] * DIM + half
    b1 = tl.load(keys + here, mask=there, other=0.0)
    b2 = tl.load(keys + here + HALF, mask=there, other=0.0)
    scores = tl.dot(q1, b1.trans(), input_precision="ieee")
    scores = tl.dot(q2, b2.trans(), scores, input_precision="ieee")
    scores = tl.where(step[None] <= start + token, scores * scale, float("-inf"))
    p = tl.exp(scores - tl.max(scores, 1)[:, None])
    p = (p / tl.sum(p, 1)[:, None]).to(kind)
    c1 = tl.load(values + here, mask=there, other=0.0)
    c2 = tl.load(values + here + HALF, mask=there, other=0.0)
    first = tl.dot(p, c1, input_precision="ieee")
    second = tl.dot(p, c2, input_precision="ieee")
    to_out = out + (row * COUNT + token) * Q_HEADS * DIM + lane
    _store_pair(to_out, HALF, first, second, wanted)


def attend_short(
    qkv: torch.Tensor, heads: HeadNorms, rotary: Rotary, cache: Cache, start: int
) -> torch.Tensor:
    """See `plain.attend_short`."""
    rows, count = qkv.shape[:2]
    _, kv_heads, positions, dim = cache.keys.shape
    q_heads = qkv.shape[2] // dim - 2 * kv_heads
    assert count * (q_heads // kv_heads) <= 16, "more new tokens than one tile of queries holds"
    block = 16 if start + count <= 16 else 32
    assert start + count <= block, "for more than 32 positions call attend"
    out = torch.empty(rows, count, q_heads * dim, dtype=qkv.dtype, device=qkv.device)
    _attend_short_kernel[(rows, kv_heads)](
        qkv, heads.q.weight, heads.k.weight, rotary.cos, rotary.sin,
        cache.keys, cache.values, out,
        heads.q.eps, heads.k.eps, dim**-0.5, positions, start,
        count, triton.next_power_of_2(count), q_heads, kv_heads, dim, block, num_warps=1,
    )  # fmt: skip
    return out
