"""Every kernel in plain torch: what the CPU runs, and what the fast ones are compared with."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from narrate.engine.kernels.noise import gumbel
from narrate.engine.kernels.shapes import (
    Cache,
    Feed,
    HeadNorms,
    Norm,
    Packed,
    Rotary,
    Rows,
    Rules,
    Weight,
)

__all__ = [
    "add_linear",
    "attend",
    "attend_short",
    "enter",
    "norm_linear",
    "norm_swiglu",
    "rms_norm",
    "rotate",
    "sample",
    "step_in",
]


def rms_norm(x: torch.Tensor, norm: Norm) -> torch.Tensor:
    """RMSNorm over the last axis, fp32 inside, of x's dtype outside (rounded before the weight)."""
    wide = x.float()
    scaled = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + norm.eps)
    return norm.weight.to(x.dtype) * scaled.to(x.dtype)


def _packed_linear(y: torch.Tensor, weight: Packed) -> torch.Tensor:
    """y @ weight.T by a packed weight: fp32 throughout, and not rounded."""
    return F.linear(y.float(), weight.unpacked())


def norm_linear(
    x: torch.Tensor, norm: Norm, weight: Weight, out_dtype: torch.dtype | None = None
) -> torch.Tensor:
    """rms_norm(x) @ weight.T: x [n, in], weight [out, in] -> [n, out], of `out_dtype`.

    The product is of the weight's dtype, which is `out_dtype` too where none is given; x may be
    wider. With fp32 as `out_dtype` the sums leave unrounded: that is how logits are made. A packed
    weight has no dtype of its own: x's counts, in all three products.
    """
    if isinstance(weight, Packed):
        return _packed_linear(rms_norm(x, norm), weight).to(out_dtype or x.dtype)
    y = rms_norm(x, norm).to(weight.dtype)
    if out_dtype is None or out_dtype == weight.dtype:
        return F.linear(y, weight)
    return F.linear(y.to(out_dtype), weight.to(out_dtype))


def norm_swiglu(x: torch.Tensor, norm: Norm, gate_up: Weight) -> torch.Tensor:
    """silu(g) * u with g, u = halves of rms_norm(x) @ gate_up.T.

    x [n, in], gate_up [2 * inner, in], the gate's rows first -> [n, inner], of gate_up's dtype.
    """
    if isinstance(gate_up, Packed):
        gate, up = _packed_linear(rms_norm(x, norm), gate_up).chunk(2, -1)
        return (F.silu(gate) * up).to(x.dtype)
    gate, up = F.linear(rms_norm(x, norm).to(gate_up.dtype), gate_up).chunk(2, -1)
    return F.silu(gate) * up


def add_linear(x: torch.Tensor, a: torch.Tensor, weight: Weight) -> torch.Tensor:
    """The residual x += a @ weight.T, in place: x [n, out], a [n, in], weight [out, in].

    x may be wider than a and weight: a stream that stays fp32 through the layers.
    """
    if isinstance(weight, Packed):
        return x.add_(_packed_linear(a, weight))
    return x.add_(F.linear(a, weight))


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """RoPE on the last axis, x [..., head_dim], cos and sin broadcast to [..., head_dim // 2]."""
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


def _heads(
    qkv: torch.Tensor, heads: HeadNorms, cos: torch.Tensor, sin: torch.Tensor, kv_heads: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Split [..., (q + 2 kv) * head_dim]; normalise and turn q and k in fp32; qkv's dtype out."""
    head_dim = heads.q.weight.shape[0]
    split = qkv.view(*qkv.shape[:-1], -1, head_dim)
    q_heads = split.shape[-2] - 2 * kv_heads
    q, k, v = (part for part in split.tensor_split((q_heads, q_heads + kv_heads), -2))
    turned = []
    for part, norm in ((q, heads.q), (k, heads.k)):
        wide = rms_norm(part.float(), Norm(norm.weight.float(), norm.eps))
        turned.append(rotate(wide, cos, sin).to(qkv.dtype))
    return turned[0], turned[1], v


def attend(
    qkv: torch.Tensor,
    heads: HeadNorms,
    rotary: Rotary,
    cache: Cache,
    slots: torch.Tensor,
    lengths: torch.Tensor,
) -> torch.Tensor:
    """One decoding step of attention for n rows, each over exactly the positions it has.

    qkv [n, (q_heads + 2 * kv_heads) * head_dim]: the new token, not yet normalised or turned.
    slots [n] int32: each row's place in the cache, no two alike. lengths [n] int32: how many
    positions the row had before this token, which is the token's own position too; its key and
    value are written there. A row of length -1 idles: nothing is read or written, its output is 0.
    Returns [n, q_heads * head_dim], of qkv's dtype.
    """
    kv_heads, _, head_dim = cache.keys.shape[1:]
    q, own_keys, own_values, beyond = step_in(qkv, heads, rotary, cache, slots, lengths)
    grouped = q.float().reshape(len(q), kv_heads, -1, head_dim)
    scores = grouped @ own_keys.float().transpose(-1, -2) * head_dim**-0.5
    weights = scores.masked_fill(beyond[:, None, None], -torch.inf).softmax(-1)
    out = (weights @ own_values.float()).flatten(1)
    return torch.where((lengths >= 0)[:, None], out, 0.0).to(qkv.dtype)


def step_in(
    qkv: torch.Tensor,
    heads: HeadNorms,
    rotary: Rotary,
    cache: Cache,
    slots: torch.Tensor,
    lengths: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """What comes before a step's attention: the new key and value go into the cache.

    The arguments are `attend`'s. Returns q [n, q_heads, head_dim], the rows' keys and values
    [n, kv_heads, span, head_dim], copied together, and which positions [n, span] are beyond a row.
    """
    keys, values = cache.keys, cache.values
    kv_heads, held, _ = keys.shape[1:]
    active, at = lengths >= 0, lengths.clamp(min=0).long()
    q, k, v = _heads(qkv, heads, rotary.cos[at][:, None], rotary.sin[at][:, None], kv_heads)
    place = (slots.long(), slice(None), at)
    for held_part, new in ((keys, k), (values, v)):
        held_part[place] = torch.where(active[:, None, None], new, held_part[place])
    # A synchronisation, and shapes that follow the data, are for the CPU only.
    span = held if qkv.is_cuda else int(at.max()) + 1
    own_keys, own_values = (part[slots.long(), :, :span] for part in (keys, values))
    beyond = torch.arange(span, device=qkv.device)[None] > at[:, None]
    return q, own_keys, own_values, beyond


def attend_short(
    qkv: torch.Tensor, heads: HeadNorms, rotary: Rotary, cache: Cache, start: int
) -> torch.Tensor:
    """Causal attention of t new tokens at positions start .. start + t - 1, the same for all rows.

    qkv [n, t, (q_heads + 2 * kv_heads) * head_dim]; the cache's slot i is row i's, and holds at
    least start + t positions, 32 at most. Returns [n, t, q_heads * head_dim], of qkv's dtype. Other
    kernels take what a model asks for: a row's first two tokens, or one more.
    """
    count, end = qkv.shape[1], start + qkv.shape[1]
    kv_heads, _, head_dim = cache.keys.shape[1:]
    cos, sin = rotary.cos[start:end, None], rotary.sin[start:end, None]
    q, k, v = _heads(qkv, heads, cos, sin, kv_heads)
    rows = qkv.shape[0]
    cache.keys[:rows, :, start:end] = k.transpose(1, 2)
    cache.values[:rows, :, start:end] = v.transpose(1, 2)
    own_keys, own_values = (p[:rows, :, :end].float() for p in (cache.keys, cache.values))
    grouped = q.float().reshape(rows, count, kv_heads, -1, head_dim).permute(0, 2, 3, 1, 4)
    scores = grouped @ own_keys.transpose(-1, -2)[:, :, None] * head_dim**-0.5
    later = torch.ones(count, end, dtype=torch.bool, device=qkv.device).triu(start + 1)
    out = scores.masked_fill(later, -torch.inf).softmax(-1) @ own_values[:, :, None]
    together: torch.Tensor = out.permute(0, 3, 1, 2, 4).flatten(2)
    return together.to(qkv.dtype)


def enter(
    qkv: torch.Tensor, heads: HeadNorms, rotary: Rotary, cache: Cache, slots: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The heads of whole prompts, positions 0 on: into the cache, and out for attention.

    qkv [n, t, (q_heads + 2 * kv_heads) * head_dim]; keys and values are written to positions
    0 .. t - 1 of slots [n] int64. Returns q, k and v, [n, heads, t, head_dim] each, contiguous.
    """
    length, kv_heads = qkv.shape[1], cache.keys.shape[1]
    cos, sin = rotary.cos[:length, None], rotary.sin[:length, None]
    parts = _heads(qkv, heads, cos, sin, kv_heads)
    q, k, v = (part.transpose(1, 2).contiguous() for part in parts)
    cache.keys[slots, :, :length] = k
    cache.values[slots, :, :length] = v
    return q, k, v


def sample(
    logits: torch.Tensor, group: int, rules: Rules, rows: Rows, feed: Feed | None = None
) -> None:
    """Draw one code a row into rows.codes[:, group], and turn it into what `feed` asks for.

    logits [n, vocab] fp32 (or another float, widened). Gumbel's trick: the code is the argmax of
    logits / temperature + noise among the top k; a tie goes to the lower token, and logits equal to
    the k-th are kept, as in the published sampler.
    """
    raw = logits.float()
    vocab = raw.shape[1]
    tokens = torch.arange(vocab, device=raw.device)
    bad = ~torch.isfinite(raw).all(-1)
    rows.faults.bitwise_or_(bad.to(rows.faults.dtype))
    scores = torch.where(bad[:, None], 0.0, raw)
    if rules.penalty != 1.0:
        penalty = torch.full((1,), rules.penalty, device=raw.device)
        punished = torch.where(scores < 0, scores * penalty, scores / penalty)
        scores = torch.where(rows.seen.bool(), punished, scores)
    early = (rows.frames < rules.min_frames)[:, None] & (tokens == rules.eos)
    never = (tokens >= rules.suppress_from) & (tokens != rules.eos)
    scores = scores.masked_fill(early | never, -torch.inf)
    if not rules.greedy:
        # By a tensor: a division by a number would be a multiplication on a card.
        scores = scores / torch.full((1,), rules.temperature, device=raw.device)
        if 0 < rules.top_k < vocab:
            least = scores.topk(rules.top_k, -1).values[:, -1:]
            scores = scores.masked_fill(scores < least, -torch.inf)
        scores = scores + gumbel(rows.seeds, rows.frames, group, vocab)
    best = scores.amax(-1, keepdim=True)
    codes = torch.where(scores == best, tokens, vocab).amin(-1).masked_fill(bad, 0)
    rows.codes[:, group] = codes.to(rows.codes.dtype)
    if rules.penalty != 1.0:
        rows.seen.scatter_(1, codes[:, None], 1)
    if feed is not None:
        _feed(codes, group, feed)


def _feed(codes: torch.Tensor, group: int, feed: Feed) -> None:
    if feed.step is not None and feed.x is not None:
        feed.x.copy_(feed.step[codes])
    if group == 0:
        feed.total.zero_()
    feed.total.add_(feed.embedding[codes])
