"""The sampler in Triton: one program a row, no sort, no threshold; twin: `plain.sample`.

Top-k without a sort: the code with the highest perturbed score is the answer when fewer than k
codes have a greater logit than it has. Otherwise it cannot be in the top k, nor can any code with
its logit or less: they leave, and the next best is asked. The answer is that of the k-th value's
threshold, ties included.

Most codes leave before the first question. Each of 64 groups of the vocabulary has a best logit,
so 64 codes have at least the least of these: with k up to 64 the k-th has, too, and what has less
is out. That leaves fewer rounds where logits are flat.

Logits and perturbed scores are compared by their ranks, integers in the order of the floats: a warp
finds the greatest of 32 integers by one instruction, of floats by ten.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from narrate.engine.kernels import noise
from narrate.engine.kernels.early import can_start_early, start_last
from narrate.engine.kernels.reading import whole
from narrate.engine.kernels.shapes import Feed, Rows, Rules

__all__ = ["sample"]

_GROUPS = 64  # of the vocabulary: no fewer than the usual k, which is 50
_FOUR_WARPS = 2048  # tokens that four warps are faster with, by measurement: docs/log.md
_OUT = tl.constexpr(-0x7FFFFFFF)  # a rank below that of minus infinity

_GOLDEN = tl.constexpr(noise.GOLDEN)
_MIX_1, _MIX_2 = tl.constexpr(noise.MIX_1), tl.constexpr(noise.MIX_2)
_KEY_1, _KEY_2 = (tl.constexpr(start) for start in noise.KEY_STARTS)
_SQRT_2 = tl.constexpr(noise.SQRT_2)
_LN2_HIGH, _LN2_LOW = tl.constexpr(noise.LN2_HIGH), tl.constexpr(noise.LN2_LOW)
_L0, _L1, _L2, _L3, _L4, _L5, _L6, _L7, _L8 = (tl.constexpr(t) for t in noise.LOG_TERMS)


@triton.jit
def _mix(h):
    h = (h ^ (h >> 16)) * _MIX_1
    h = (h ^ (h >> 13)) * _MIX_2
    return h ^ (h >> 16)


@triton.jit
def _ln(x):
    bits = x.to(tl.int32, bitcast=True)
    exponent = (bits >> 23) - 127
    mantissa = ((bits & 0x7FFFFF) | 0x3F800000).to(tl.float32, bitcast=True)
    high = mantissa > _SQRT_2
    mantissa = tl.where(high, mantissa * 0.5, mantissa)
    power = (exponent + high.to(tl.int32)).to(tl.float32)
    t = mantissa - 1.0
    z = t * t
    y = t * _L0 + _L1
    y = y * t + _L2
    y = y * t + _L3
    y = y * t + _L4
    y = y * t + _L5
    y = y * t + _L6
    y = y * t + _L7
    y = y * t + _L8
    y = (y * t) * z
    y = y + power * _LN2_LOW
    y = y - z * 0.5
    return (t + y) + power * _LN2_HIGH


@triton.jit
def _gumbel(seed, frame, group, tokens):
    zero = tl.zeros_like(tokens).to(tl.uint32)
    low = zero + (seed & 0xFFFFFFFF).to(tl.uint32)
    high = zero + ((seed >> 32) & 0xFFFFFFFF).to(tl.uint32)
    frame = zero + frame.to(tl.uint32)
    group = zero + group  # not .to: a 1 arrives as a constant
    key1 = _mix(((zero + _KEY_1) ^ low) + _GOLDEN)
    key2 = _mix(((zero + _KEY_2) ^ low) + _GOLDEN)
    key1 = _mix((key1 ^ high) + _GOLDEN)
    key2 = _mix((key2 ^ high) + _GOLDEN)
    key1 = _mix((key1 ^ frame) + _GOLDEN)
    key2 = _mix((key2 ^ frame) + _GOLDEN)
    key1 = _mix((key1 ^ group) + _GOLDEN)
    key2 = _mix((key2 ^ group) + _GOLDEN)
    bits = _mix(_mix(tokens.to(tl.uint32) * _GOLDEN + key1) ^ key2)
    odd = ((bits >> 9) * 2 + 1).to(tl.float32)
    return -_ln(-_ln(odd * 5.9604644775390625e-08))


@triton.jit
def _ranks(x):
    """Floats as integers of the same order, -0 as 0."""
    bits = (x + 0.0).to(tl.int32, bitcast=True)
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


@triton.jit
def _bound(ranks, top_k, VOCAB: tl.constexpr, GROUPS: tl.constexpr):
    """A rank that the first top_k have at least."""
    least = _OUT
    if top_k <= GROUPS:
        bests = tl.max(tl.max(ranks.reshape(2, GROUPS, VOCAB // 2 // GROUPS), 2), 0)
        least = tl.min(bests, 0)
    return least


@triton.jit
def _best(drawn, ranks, tokens, top_k, VOCAB: tl.constexpr):
    """The token that is drawn best among the first top_k by rank."""
    left = drawn
    most = tl.max(left, 0)
    # Of those that share the best, the least: if it is among the first k, all of them are.
    own = tl.min(tl.where(left == most, ranks, 0x7FFFFFFF), 0)
    above = tl.sum((ranks > own).to(tl.int32), 0)
    while above >= top_k:
        left = tl.where(ranks > own, left, _OUT)
        most = tl.max(left, 0)
        own = tl.min(tl.where(left == most, ranks, 0x7FFFFFFF), 0)
        above = tl.sum((ranks > own).to(tl.int32), 0)
    return tl.min(tl.where((drawn == most) & (ranks >= own), tokens, VOCAB), 0)


@triton.jit
def _sample_kernel(
    logits, seeds, frames, codes, faults, seen, step, x, embedding, total,
    vocab, group, codes_stride, temperature, top_k, penalty, min_frames, eos, suppress_from,
    step_width, total_width, PARTS: tl.constexpr,
    GREEDY: tl.constexpr, PENALTY: tl.constexpr, FEEDS_STEP: tl.constexpr,
    FEEDS_TOTAL: tl.constexpr, FIRST: tl.constexpr,
    VOCAB: tl.constexpr, STEP: tl.constexpr, TOTAL: tl.constexpr, EARLY: tl.constexpr,
    GROUPS: tl.constexpr,
):  # fmt: skip
    start_last(EARLY)
    row = tl.program_id(0).to(tl.int64)
    tokens = tl.arange(0, VOCAB)
    inside = tokens < vocab
    raw = whole(logits + row * vocab + tokens, tl.num_programs(0) * vocab, inside, PARTS)
    seed = tl.load(seeds + row)
    frame = tl.load(frames + row)
    finite = tl.abs(raw) < float("inf")  # false for a NaN too
    bad = tl.max((~finite).to(tl.int32), 0) > 0
    scores = tl.where(finite, raw, 0.0)
    if PENALTY:
        met = tl.load(seen + row * vocab + tokens, mask=inside, other=0) != 0
        punished = tl.where(scores < 0, scores * penalty, tl.div_rn(scores, penalty))
        scores = tl.where(met, punished, scores)
    is_eos = tokens == eos
    banned = (tokens >= suppress_from) & ~is_eos
    banned = banned | (is_eos & (frame < min_frames)) | ~inside
    scores = tl.where(banned, float("-inf"), scores)
    if GREEDY:
        ranks = _ranks(scores)
        code = tl.min(tl.where(ranks == tl.max(ranks, 0), tokens, VOCAB), 0)
    else:
        scores = tl.div_rn(scores, temperature + tl.zeros_like(scores))
        ranks = _ranks(scores)
        least = _bound(ranks, top_k, VOCAB, GROUPS)
        drawn = _ranks(scores + _gumbel(seed, frame, group, tokens))
        drawn = tl.where(ranks >= least, drawn, _OUT)
        code = _best(drawn, ranks, tokens, top_k, VOCAB)
    code = tl.where(bad, 0, code)
    tl.store(codes + row * codes_stride, code.to(codes.dtype.element_ty))
    if bad:
        tl.store(faults + row, tl.load(faults + row) | 1)
    if PENALTY:
        tl.store(seen + row * vocab + code, 1)
    if FEEDS_STEP:
        lane = tl.arange(0, STEP)
        fits = lane < step_width
        taken = tl.load(step + code.to(tl.int64) * step_width + lane, mask=fits, other=0.0)
        tl.store(x + row * step_width + lane, taken, mask=fits)
    if FEEDS_TOTAL:
        lane = tl.arange(0, TOTAL)
        fits = lane < total_width
        part = tl.load(embedding + code.to(tl.int64) * total_width + lane, mask=fits, other=0.0)
        part = part.to(tl.float32)
        to = total + row * total_width + lane
        if not FIRST:
            part += tl.load(to, mask=fits, other=0.0)
        tl.store(to, part, mask=fits)


def sample(
    logits: torch.Tensor, group: int, rules: Rules, rows: Rows, feed: Feed | None = None
) -> None:
    """See `plain.sample`."""
    parts = len(logits) if logits.dim() == 3 else 1  # as `few_linear` leaves them
    count, vocab = logits.shape[-2:]
    steps = feed is not None and feed.step is not None and feed.x is not None
    # A pointer that its flag keeps from being read still has to be some tensor.
    step, x = (feed.step, feed.x) if feed is not None and steps else (logits, logits)
    embedding, total = (feed.embedding, feed.total) if feed is not None else (logits, logits)
    assert step is not None and x is not None
    early, tokens = can_start_early(count, logits), triton.next_power_of_2(vocab)
    _sample_kernel[(count,)](
        logits, rows.seeds, rows.frames, rows.codes[:, group], rows.faults, rows.seen,
        step, x, embedding, total,
        vocab, group, rows.codes.stride(0), rules.temperature,
        rules.top_k if rules.top_k > 0 else vocab + 1, rules.penalty,
        rules.min_frames, rules.eos, rules.suppress_from, step.shape[1], embedding.shape[1],
        parts, rules.greedy, rules.penalty != 1.0, steps, feed is not None, group == 0,
        tokens, triton.next_power_of_2(step.shape[1]), triton.next_power_of_2(embedding.shape[1]),
        early, min(_GROUPS, tokens // 2),
        # Products must round before they are added: the noise has the same bits everywhere.
        num_warps=4 if tokens <= _FOUR_WARPS else 8, enable_fp_fusion=False, launch_pdl=early,
    )  # fmt: skip
