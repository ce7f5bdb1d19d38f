"""Noise that is a pure function of (utterance seed, frame, group, token), equal on every device.

Two 32-bit keys absorb the words seed_low, seed_high, frame, group (`absorb`, murmur3's finaliser
over wrapping 32-bit arithmetic); a token's bits are mix(mix(token * GOLDEN + key1) ^ key2). The top
23 bits r make u = (2r + 1) / 2^24, which fp32 holds exactly, and the noise is -ln(-ln(u)): Gumbel's
law. The logarithm is cephes' `logf` in single multiplications and additions, each correctly
rounded, so the noise has the same bits on the CPU and on a card (where products must not be fused
with sums).
"""

from __future__ import annotations

import torch

__all__ = ["gumbel", "token_bits"]

MASK = 0xFFFFFFFF
GOLDEN = 0x9E3779B9
MIX_1, MIX_2 = 0x85EBCA6B, 0xC2B2AE35
KEY_STARTS = (0x243F6A88, 0xB7E15162)  # the first digits of pi and of e: nothing up the sleeve
# Coefficients of cephes' logf on [sqrt(1/2) - 1, sqrt(2) - 1], highest power first.
LOG_TERMS = (
    7.0376836292e-2,
    -1.1514610310e-1,
    1.1676998740e-1,
    -1.2420140846e-1,
    1.4249322787e-1,
    -1.6668057665e-1,
    2.0000714765e-1,
    -2.4999993993e-1,
    3.3333331174e-1,
)
SQRT_2 = 1.41421356237
LN2_HIGH, LN2_LOW = 0.693359375, -2.12194440e-4


def _mix(h: torch.Tensor) -> torch.Tensor:
    h = ((h ^ (h >> 16)) * MIX_1) & MASK
    h = ((h ^ (h >> 13)) * MIX_2) & MASK
    return h ^ (h >> 16)


def _key(start: int, words: tuple[torch.Tensor, ...]) -> torch.Tensor:
    key = torch.full_like(words[0], start)
    for word in words:
        key = _mix(((key ^ word) + GOLDEN) & MASK)
    return key


def token_bits(seeds: torch.Tensor, frames: torch.Tensor, group: int, vocab: int) -> torch.Tensor:
    """The 32 random bits of every token, [n, vocab] int64, for seeds [n] int64 and frames [n]."""
    frame = frames.to(torch.int64) & MASK
    words = (seeds & MASK, (seeds >> 32) & MASK, frame, torch.full_like(seeds, group))
    key1, key2 = (_key(start, words)[:, None] for start in KEY_STARTS)
    tokens = torch.arange(vocab, dtype=torch.int64, device=seeds.device)[None]
    return _mix(_mix((tokens * GOLDEN + key1) & MASK) ^ key2)


def _ln(x: torch.Tensor) -> torch.Tensor:
    """Natural logarithm of positive fp32 numbers, the same bits wherever it runs."""
    bits = x.view(torch.int32)
    exponent = (bits >> 23) - 127
    mantissa = ((bits & 0x7FFFFF) | 0x3F800000).view(torch.float32)
    high = mantissa > SQRT_2
    mantissa = torch.where(high, mantissa * 0.5, mantissa)
    power = (exponent + high).float()
    t = mantissa - 1.0
    z = t * t
    y = torch.full_like(t, LOG_TERMS[0])
    for term in LOG_TERMS[1:]:
        y = y * t
        y = y + term
    y = (y * t) * z
    y = y + power * LN2_LOW
    y = y - z * 0.5
    return (t + y) + power * LN2_HIGH


def gumbel(seeds: torch.Tensor, frames: torch.Tensor, group: int, vocab: int) -> torch.Tensor:
    """Standard Gumbel noise [n, vocab] fp32 for seeds [n] int64 and frames [n]."""
    odd = ((token_bits(seeds, frames, group, vocab) >> 9) * 2 + 1).float()
    return -_ln(-_ln(odd * 2.0**-24))
