"""The attention of a talker's step in Triton; meaning and shapes: `plain.attend`.

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

__all__ = ["attend"]

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
