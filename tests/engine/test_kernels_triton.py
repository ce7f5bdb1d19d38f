"""The Triton kernels mean what their plain twins mean (on the CPU through Triton's interpreter)."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="torch is not installed")
import torch

from narrate.engine.kernels import (
    Cache,
    Feed,
    HeadNorms,
    Kernels,
    Norm,
    Rotary,
    Rows,
    Rules,
    Weight,
    plain,
)
from narrate.engine.quantise import KINDS, pack
from tests.engine.interpreted import CUDA, DEVICE

FAST = Kernels.choose(DEVICE, "triton")
TOLERANCE = {torch.float32: 2e-5, torch.float16: 2e-3, torch.bfloat16: 2e-2}
DTYPES = [torch.float32, torch.bfloat16] if CUDA else [torch.float32]
SEED = 20


def normal(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(SEED + len(shape) + shape[-1])
    return torch.randn(*shape, generator=generator).to(DEVICE, dtype)


def norm(width: int, dtype: torch.dtype = torch.float32) -> Norm:
    return Norm(1 + 0.1 * normal(width, dtype=dtype), 1e-6)


def close(got: torch.Tensor, wanted: torch.Tensor) -> None:
    far = (got.double() - wanted.double()).norm() / wanted.double().norm()
    assert far < TOLERANCE[got.dtype], far


def all_three(x: torch.Tensor, before: Norm, weight: Weight) -> None:
    """Each product by weight [80, 96] as its plain twin."""
    close(FAST.norm_linear(x, before, weight), plain.norm_linear(x, before, weight))
    close(FAST.norm_swiglu(x, before, weight), plain.norm_swiglu(x, before, weight))
    residual, a = normal(len(x), 80, dtype=x.dtype), normal(len(x), 96, dtype=x.dtype)
    wanted = plain.add_linear(residual.clone(), a, weight)
    got = FAST.add_linear(residual, a, weight)
    close(got, wanted)
    assert got.data_ptr() == residual.data_ptr()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 5, 70])
def test_products_with_what_is_fused_into_them(rows: int, dtype: torch.dtype) -> None:
    x, weight, before = normal(rows, 96, dtype=dtype), normal(80, 96, dtype=dtype), norm(96, dtype)
    close(FAST.rms_norm(x, before), plain.rms_norm(x, before))
    all_three(x, before, weight)
    logits = FAST.norm_linear(x, before, weight, torch.float32)
    assert logits.dtype == torch.float32
    assert (logits - plain.norm_linear(x, before, weight, torch.float32)).abs().max() < (
        0.2 if dtype == torch.bfloat16 else 1e-4
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 2, 5, 70])
@pytest.mark.parametrize("kind", KINDS)
def test_products_with_weights_of_a_byte(kind: str, rows: int, dtype: torch.dtype) -> None:
    x, before = normal(rows, 96, dtype=dtype), norm(96, dtype)
    sizes = torch.logspace(-3, 1, 80, device=DEVICE)[:, None]  # a channel's scale is its own
    weight = pack(normal(80, 96) * sizes, kind)
    all_three(x, before, weight)
    logits = FAST.norm_linear(x, before, weight, torch.float32)
    assert logits.dtype == torch.float32


@pytest.mark.parametrize("dtype", DTYPES)
def test_attention_of_rows_of_many_lengths(dtype: torch.dtype) -> None:
    q_heads, kv_heads, dim, positions = 4, 2, 32, 160
    lengths = torch.tensor([0, -1, 1, 63, 64, 65, 140], dtype=torch.int32, device=DEVICE)
    slots = torch.tensor([8, 3, 0, 5, 1, 2, 7], dtype=torch.int32, device=DEVICE)
    qkv = normal(7, (q_heads + 2 * kv_heads) * dim, dtype=dtype)
    heads = HeadNorms(norm(dim, dtype), norm(dim, dtype))
    rotary = Rotary.table(positions, dim, 1e6, DEVICE)
    caches = []
    for kernels in (plain, FAST):
        cache = Cache(*(normal(9, kv_heads, positions, dim, dtype=dtype) for _ in range(2)))
        caches.append((kernels.attend(qkv, heads, rotary, cache, slots, lengths), cache))
    (wanted, wanted_cache), (got, cache) = caches
    close(got, wanted)
    close(cache.keys, wanted_cache.keys)
    assert torch.equal(cache.values, wanted_cache.values)
    assert not got[1].any(), "an idle row has no output"


@pytest.mark.parametrize("dtype", DTYPES)
def test_attention_within_one_frame(dtype: torch.dtype) -> None:
    q_heads, kv_heads, dim, positions, rows = 4, 2, 32, 17, 3
    heads = HeadNorms(norm(dim, dtype), norm(dim, dtype))
    rotary = Rotary.table(positions, dim, 1e6, DEVICE)
    empty = torch.zeros(rows, kv_heads, positions, dim, dtype=dtype, device=DEVICE)
    caches = [Cache(empty.clone(), empty.clone()) for _ in range(2)]
    start = 0
    for count in [2] + [1] * 15:
        qkv = normal(rows, count, (q_heads + 2 * kv_heads) * dim, dtype=dtype) + start / 7
        wanted = plain.attend_short(qkv, heads, rotary, caches[0], start)
        got = FAST.attend_short(qkv, heads, rotary, caches[1], start)
        close(got, wanted)
        start += count
    close(caches[1].keys, caches[0].keys)
    assert torch.equal(caches[1].values, caches[0].values)


def batch(rows: int, vocab: int, groups: int = 3) -> Rows:
    return Rows(
        seeds=torch.arange(rows, device=DEVICE) * 0x1234567890AB + 2**40,
        frames=torch.arange(rows, device=DEVICE, dtype=torch.int32) % 4,
        codes=torch.full((rows, groups), -1, dtype=torch.int32, device=DEVICE),
        faults=torch.zeros(rows, dtype=torch.int32, device=DEVICE),
        seen=(normal(rows, vocab) > 1).to(torch.uint8),
    )


RULES = [
    Rules(0.9, 50),
    Rules(0.7, 1),
    Rules(1.3, 0),
    Rules(0.9, 64),
    Rules(1.1, 65),
    Rules(0.9, 90, penalty=1.05, min_frames=2, eos=90, suppress_from=80),
    Rules(0.9, 5, penalty=1.05, min_frames=2, eos=90, suppress_from=80),
    Rules(greedy=True, penalty=1.05, min_frames=2, eos=90, suppress_from=80),
]


@pytest.mark.parametrize("rules", RULES)
# Fewer tokens than two a group, and more; flat logits, and peaked ones.
@pytest.mark.parametrize(("vocab", "spread"), [(97, 0.0), (97, 9.0), (300, 0.0), (300, 0.3)])
def test_the_same_codes_from_the_same_logits(vocab: int, rules: Rules, spread: float) -> None:
    rows = 12
    logits = normal(rows, vocab) * spread
    logits[:, ::3] = logits[:, :1]  # ties, at the k-th place too
    logits[4:7] = logits[4:7].round()
    logits[5, ::2] *= -0.0
    logits[2, 5] = torch.nan
    logits[3, 6] = torch.inf
    state = [batch(rows, vocab) for _ in range(2)]
    feeds = [
        Feed(
            step=normal(vocab, 40),
            x=torch.zeros(rows, 40, device=DEVICE),
            embedding=normal(vocab, 70),
            total=torch.full((rows, 70), 7.0, device=DEVICE),
        )
        for _ in range(2)
    ]
    for group in range(3):
        plain.sample(logits, group, rules, state[0], feeds[0])
        FAST.sample(logits, group, rules, state[1], feeds[1])
    for name in ("codes", "faults", "seen"):
        assert torch.equal(getattr(state[1], name), getattr(state[0], name)), name
    assert state[0].faults.tolist() == [0, 0, 1, 1] + [0] * (rows - 4)
    assert feeds[0].x is not None and feeds[1].x is not None
    assert torch.equal(feeds[1].x, feeds[0].x)
    assert torch.allclose(feeds[1].total, feeds[0].total, atol=1e-6)
