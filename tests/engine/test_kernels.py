"""What the kernels mean: the published layers, the published sampler, and the law of the noise."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

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
    noise,
    plain,
)
from narrate.errors import BackendError

CPU = torch.device("cpu")
WIDE = torch.float64
Q_HEADS, KV_HEADS, DIM = 4, 2, 16


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def rows_of(count: int, vocab: int, seed: int = 0) -> Rows:
    return Rows(
        seeds=torch.arange(count) + seed,
        frames=torch.full((count,), 5, dtype=torch.int32),
        codes=torch.zeros(count, 16, dtype=torch.int64),
        faults=torch.zeros(count, dtype=torch.int32),
        seen=torch.zeros(count, vocab, dtype=torch.uint8),
    )


def exact_attention(qkv: torch.Tensor, heads: HeadNorms) -> torch.Tensor:
    """Whole sequences [n, t, ...] at once in float64: norms, RoPE and a causal softmax."""
    n, t = qkv.shape[:2]
    split = qkv.to(WIDE).view(n, t, -1, DIM).transpose(1, 2)
    q, k, v = split[:, :Q_HEADS], split[:, Q_HEADS:-KV_HEADS], split[:, -KV_HEADS:]
    angle = torch.arange(t, dtype=WIDE)[:, None] / 1e6 ** (torch.arange(0, DIM, 2).to(WIDE) / DIM)

    def turned(x: torch.Tensor, norm: Norm) -> torch.Tensor:
        x = x * (x.square().mean(-1, keepdim=True) + norm.eps).rsqrt() * norm.weight.to(WIDE)
        a, b = x.chunk(2, -1)
        return torch.cat((a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()), -1)

    q, k = turned(q, heads.q), turned(k, heads.k)
    k, v = (part.repeat_interleave(Q_HEADS // KV_HEADS, 1) for part in (k, v))
    scores = q @ k.transpose(-1, -2) / DIM**0.5
    scores = scores.masked_fill(torch.ones(t, t).triu(1).bool(), -torch.inf)
    together: torch.Tensor = (scores.softmax(-1) @ v).transpose(1, 2)
    return together.reshape(n, t, -1)


@pytest.fixture
def heads() -> HeadNorms:
    return HeadNorms(Norm(1 + normal(DIM) / 10), Norm(1 + normal(DIM, 1)[:, 0] / 10))


@pytest.mark.parametrize("name", ["torch", "sdpa"])
def test_decoding_step_by_step_is_attention_over_the_whole(name: str, heads: HeadNorms) -> None:
    """Rows of different lengths in slots of their own, as in a batch that was refilled."""
    steps, lengths = 12, torch.tensor([0, 3, 7])
    qkv = normal(3, 20, (Q_HEADS + 2 * KV_HEADS) * DIM)
    wanted = exact_attention(qkv, heads)
    cache = Cache(torch.zeros(5, KV_HEADS, 32, DIM), torch.zeros(5, KV_HEADS, 32, DIM))
    rotary = Rotary.table(32, DIM, 1e6, CPU)
    slots = torch.tensor([4, 0, 2], dtype=torch.int32)
    for step in range(int(lengths.max()) + steps):
        at = torch.where(step < lengths + steps, step, -1).int()
        token = qkv[torch.arange(3), at.clamp(min=0)]
        got = Kernels.choose(CPU, name).attend(token, heads, rotary, cache, slots, at)
        for row in range(3):
            if at[row] >= 0:
                assert torch.allclose(got[row].to(WIDE), wanted[row, at[row]], atol=1e-5)
            else:
                assert not got[row].any()


def test_attention_within_a_frame_is_attention_over_the_whole(heads: HeadNorms) -> None:
    qkv = normal(3, 16, (Q_HEADS + 2 * KV_HEADS) * DIM)
    cache = Cache(torch.zeros(3, KV_HEADS, 17, DIM), torch.zeros(3, KV_HEADS, 17, DIM))
    rotary = Rotary.table(17, DIM, 1e6, CPU)
    parts = [plain.attend_short(qkv[:, :2], heads, rotary, cache, 0)]
    for at in range(2, 16):
        parts.append(plain.attend_short(qkv[:, at : at + 1], heads, rotary, cache, at))
    assert torch.allclose(torch.cat(parts, 1).to(WIDE), exact_attention(qkv, heads), atol=1e-5)


def test_products_in_float64() -> None:
    x, weight, norm = normal(5, 24), normal(14, 24), Norm(1 + normal(24) / 10)
    y = x.to(WIDE) * (x.to(WIDE).square().mean(-1, keepdim=True) + norm.eps).rsqrt()
    y = y * norm.weight.to(WIDE) @ weight.to(WIDE).T
    assert torch.allclose(plain.norm_linear(x, norm, weight).to(WIDE), y, atol=1e-5)
    gate, up = y[:, :7], y[:, 7:]
    wanted = gate * gate.sigmoid() * up
    assert torch.allclose(plain.norm_swiglu(x, norm, weight).to(WIDE), wanted, atol=1e-4)
    residual = normal(5, 14)
    wanted = residual.to(WIDE) + x.to(WIDE) @ weight.to(WIDE).T
    assert plain.add_linear(residual, x, weight) is residual
    assert torch.allclose(residual.to(WIDE), wanted, atol=1e-5)


def test_layers_are_those_of_the_published_package() -> None:
    if find_spec("qwen_tts") is None:
        pytest.skip("qwen-tts is not installed")
    from narrate.speech.published import load_published

    load_published()
    from qwen_tts.core.models import modeling_qwen3_tts as published

    norm = published.Qwen3TTSRMSNorm(24, 1e-6)
    norm.weight.data = 1 + normal(24) / 10
    for dtype in (torch.float32, torch.bfloat16):
        x = normal(3, 24).to(dtype)
        got = plain.rms_norm(x, Norm(norm.weight.data.to(dtype), 1e-6))
        assert torch.equal(got, norm.to(dtype)(x))
    x, angle = normal(1, 2, 5, DIM), normal(1, 5, DIM // 2)
    both = torch.cat((angle, angle), -1)
    wanted, _ = published.apply_rotary_pos_emb(x, x, both.cos(), both.sin())
    assert torch.allclose(plain.rotate(x, angle.cos(), angle.sin()), wanted, atol=1e-6)


def draws(rules: Rules, logits: torch.Tensor, count: int, group: int = 0) -> torch.Tensor:
    rows = rows_of(count, logits.shape[-1])
    plain.sample(logits.expand(count, -1), group, rules, rows)
    return rows.codes[:, group]


@pytest.mark.parametrize(("temperature", "top_k"), [(0.9, 50), (0.7, 8), (1.5, 0)])
def test_codes_follow_the_published_law(temperature: float, top_k: int) -> None:
    """Chi-square of 20,000 draws from one state against temperature, top-k and softmax."""
    logits, count = normal(1, 64) * 1.5, 20_000
    scores = logits[0].to(WIDE) / temperature
    if top_k:
        scores[scores < scores.topk(min(top_k, 64)).values[-1]] = -torch.inf
    law = scores.softmax(-1)
    found = draws(Rules(temperature, top_k), logits, count).bincount(minlength=64)
    assert found[law == 0].sum() == 0, "a code outside the top k was drawn"
    likely = law * count >= 5
    chi = ((found - law * count).square() / (law * count))[likely].sum()
    freedom = int(likely.sum()) - 1
    assert chi < freedom + 4 * (2 * freedom) ** 0.5, (chi, freedom)


def test_top_k_keeps_exactly_the_k_and_what_ties_with_the_kth() -> None:
    logits = torch.full((1, 40), -1.0)
    logits[0, :6] = torch.tensor([2.0, 1.9, 1.8, 1.7, 1.7, 1.7])
    assert set(draws(Rules(1.0, 3), logits, 4000).tolist()) == {0, 1, 2}
    assert set(draws(Rules(1.0, 4), logits, 4000).tolist()) == {0, 1, 2, 3, 4, 5}


def test_the_rules_of_code_0_one_by_one() -> None:
    logits = torch.zeros(1, 20)
    logits[0, 3], logits[0, 7], logits[0, 15] = 5.0, 4.9, 9.0
    greedy = Rules(greedy=True, eos=15, suppress_from=12)
    assert draws(greedy, logits, 1).item() == 15
    early = Rules(greedy=True, eos=15, suppress_from=12, min_frames=6)  # the rows are at frame 5
    assert draws(early, logits, 1).item() == 3
    assert draws(Rules(greedy=True, eos=14, suppress_from=12), logits, 1).item() == 3
    rows = rows_of(1, 20)
    punished = Rules(greedy=True, penalty=1.05, suppress_from=12)
    for code in (3, 7, 3):  # once punished 3 is behind 7, and then both are
        plain.sample(logits, 0, punished, rows)
        assert rows.codes[0, 0].item() == code
    assert rows.seen[0].nonzero()[:, 0].tolist() == [3, 7]
    negative = torch.full((1, 20), -1.0)
    negative[0, 3] = -0.97
    assert draws(punished, negative, 1).item() == 3
    rows.seen.zero_()
    rows.seen[0, 3] = 1
    plain.sample(negative, 0, punished, rows)
    assert rows.codes[0, 0].item() == 0, "a negative logit is punished by multiplying"


def test_penalty_order_is_the_published_one() -> None:
    processors = pytest.importorskip("transformers.generation.logits_process")
    logits, rules = normal(6, 30) * 3, Rules(0.9, 5, 1.05, 0, 25, 20)
    drawn = torch.randint(0, 20, (6, 4), generator=torch.Generator().manual_seed(1))
    scores: Any = processors.RepetitionPenaltyLogitsProcessor(1.05)(drawn, logits.clone())
    never = [token for token in range(20, 30) if token != 25]
    scores = processors.SuppressTokensLogitsProcessor(never)(drawn, scores)
    scores = processors.TemperatureLogitsWarper(0.9)(drawn, scores)
    scores = processors.TopKLogitsWarper(5)(drawn, scores)
    for seed in range(40):
        rows = rows_of(6, 30, seed * 100)
        rows.seen.scatter_(1, drawn, 1)
        plain.sample(logits, 0, rules, rows)
        wanted = (scores + noise.gumbel(rows.seeds, rows.frames, 0, 30)).argmax(-1)
        assert torch.equal(rows.codes[:, 0], wanted)


def test_a_row_with_a_fault_is_marked_and_the_others_go_on() -> None:
    logits = normal(4, 30)
    clean, rows = rows_of(4, 30), rows_of(4, 30)
    plain.sample(logits, 2, Rules(), clean)
    logits[1, 3], logits[2, 29] = torch.nan, -torch.inf
    plain.sample(logits, 2, Rules(), rows)
    assert rows.faults.tolist() == [0, 1, 1, 0]
    assert rows.codes[1:3, 2].tolist() == [0, 0]
    assert torch.equal(rows.codes[[0, 3]], clean.codes[[0, 3]])


def test_noise_depends_on_its_four_words_and_on_nothing_else() -> None:
    seeds = torch.tensor([7, 7 + 2**32, 8, 2**62 + 5])
    frames = torch.tensor([0, 1, 2, 3], dtype=torch.int32)
    alike = noise.token_bits(seeds, frames, 3, 100)
    back = noise.token_bits(seeds.flip(0), frames.flip(0), 3, 50)
    assert torch.equal(back.flip(0), alike[:, :50]), "a row's place and the vocabulary are no words"
    other = [
        noise.token_bits(seeds + 1, frames, 3, 100),
        noise.token_bits(seeds + 2**33, frames, 3, 100),
        noise.token_bits(seeds, frames + 1, 3, 100),
        noise.token_bits(seeds, frames, 4, 100),
    ]
    for changed in other:
        assert (changed == alike).sum() == 0
    assert noise.token_bits(torch.tensor([1]), torch.tensor([2]), 3, 2).tolist() == [PINNED]


PINNED = [2820659947, 4183499293]
"""The first bits of seed 1, frame 2, group 3: a change of the hash changes every book's sound."""


def test_noise_has_the_law_of_gumbel() -> None:
    found = noise.gumbel(torch.arange(100), torch.zeros(100, dtype=torch.int32), 0, 3000).double()
    found = found.flatten().sort().values
    law = torch.exp(-torch.exp(-found))
    steps = torch.arange(1, len(found) + 1) / len(found)
    assert (law - steps).abs().max() * len(found) ** 0.5 < 1.63, "Kolmogorov-Smirnov at 1 %"


def test_what_a_code_is_turned_into() -> None:
    step, embedding = normal(30, 8), normal(30, 12)
    feed = Feed(step, torch.zeros(3, 8), embedding, torch.full((3, 12), 9.0))
    rows = rows_of(3, 30)
    for group in (0, 1):
        plain.sample(normal(3, 30), group, Rules(), rows, feed)
    assert feed.x is not None
    assert torch.equal(feed.x, step[rows.codes[:, 1]])
    assert torch.allclose(feed.total, embedding[rows.codes[:, 0]] + embedding[rows.codes[:, 1]])


def test_kernels_are_chosen_by_name() -> None:
    assert Kernels.choose(CPU).name == "torch"
    assert Kernels.choose(CPU, "sdpa").name == "sdpa"
    with pytest.raises(BackendError, match="no kernels called fast"):
        Kernels.choose(CPU, "fast")
