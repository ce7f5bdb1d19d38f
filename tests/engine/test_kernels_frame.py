"""Products of one row and of few, a token's attention, prompts' heads: as their plain twins."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.engine.interpreted import CUDA, DEVICE  # before anything that imports triton

# isort: split
from benchmarks.random_model import published_config
from narrate.engine.config import StackConfig
from narrate.engine.kernels import (
    Cache,
    HeadNorms,
    Kernels,
    Rotary,
    Rules,
    fast_heads,
    fast_sampling,
    few_linear,
    narrow_linear,
    plain,
)
from narrate.engine.model.predictor import predict
from narrate.engine.model.talker import talker_step
from narrate.engine.quantise import KINDS, pack
from narrate.engine.state import State
from narrate.engine.weights import build_model, shapes_of
from tests.engine.test_kernels_triton import DTYPES, batch, close, norm, normal

Q_HEADS, KV_HEADS, DIM = 4, 2, 32
WIDTH = (Q_HEADS + 2 * KV_HEADS) * DIM


def heads(dtype: torch.dtype) -> HeadNorms:
    return HeadNorms(norm(DIM, dtype), norm(DIM, dtype))


def cache(slots: int, positions: int, dtype: torch.dtype) -> Cache:
    shape = (slots, KV_HEADS, positions, DIM)
    return Cache(normal(*shape, dtype=dtype), normal(*shape, dtype=dtype) + 1)


def copy(held: Cache) -> Cache:
    return Cache(held.keys.clone(), held.values.clone())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("columns", "depth"), [(24, 96), (9, 1200), (5, 2100)])
def test_products_of_one_row(columns: int, depth: int, dtype: torch.dtype) -> None:
    x, weight = normal(1, depth, dtype=dtype), normal(2 * columns, depth, dtype=dtype)
    scale = norm(depth, dtype)
    half = weight[:columns].contiguous()
    assert narrow_linear.fits(x, weight)
    close(narrow_linear.norm_linear(x, scale, half), plain.norm_linear(x, scale, half))
    wide = narrow_linear.norm_linear(x, scale, half, torch.float32)
    assert wide.dtype == torch.float32
    close(wide, plain.norm_linear(x, scale, half, torch.float32))
    close(narrow_linear.norm_swiglu(x, scale, weight), plain.norm_swiglu(x, scale, weight))
    ours = normal(1, columns, dtype=dtype)
    theirs = ours.clone()
    close(narrow_linear.add_linear(ours, x, half), plain.add_linear(theirs, x, half))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [2, 5, 32])
def test_products_of_few_rows_in_parts(rows: int, dtype: torch.dtype) -> None:
    x, weight = normal(rows, 1024, dtype=dtype), normal(128, 1024, dtype=dtype)
    sums = few_linear.parts(x, weight)
    assert sums.shape == (2, rows, 128)
    assert sums.dtype == torch.float32
    whole = x.double() @ weight.double().T
    close(sums.sum(0), whole)
    for kind in KINDS:
        held = pack(weight, kind)
        close(few_linear.parts(x, held).sum(0), x.double() @ held.unpacked().double().T)
    others = torch.cat((x[:-1] * 3 + 1, x[-1:]))
    assert torch.equal(few_linear.parts(others, weight)[:, -1], sums[:, -1]), "neighbours count"
    gate, up = whole.to(dtype).float().chunk(2, -1)
    close(few_linear.swiglu(sums, dtype), (torch.nn.functional.silu(gate) * up).to(dtype))
    residual, after = normal(rows, 128, dtype=dtype), norm(128, dtype)
    added = (residual.double() + whole).to(dtype)
    close(few_linear.add_norm(residual, sums, after), plain.rms_norm(added, after))
    close(residual, added)


def test_which_products_are_for_few_rows() -> None:
    weight = torch.zeros(128, 1024, dtype=torch.bfloat16)
    assert few_linear.fits(2, [weight, weight])
    assert few_linear.fits(32, [weight])
    assert few_linear.fits(8, [weight, pack(weight, "int8")])
    assert not few_linear.fits(1, [weight]), "one row has products of its own"
    assert not few_linear.fits(8, [torch.zeros(12288, 1024, dtype=torch.bfloat16)]), "too large"
    assert not few_linear.fits(33, [weight])
    assert not few_linear.fits(8, [weight, weight.float()])
    assert not few_linear.fits(8, [weight, weight[:, :-8]])
    assert not few_linear.fits(8, [weight[:-8]])


def test_logits_in_parts_are_drawn_from_as_their_sum() -> None:
    whole = normal(12, 97) * 3
    parts = torch.stack((whole * 0.25, whole * 0.75))
    rows = [batch(12, 97), batch(12, 97)]
    rules = Rules(0.9, 50)
    fast_sampling.sample(parts, 1, rules, rows[0])
    fast_sampling.sample(parts[0] + parts[1], 1, rules, rows[1])
    assert torch.equal(rows[0].codes, rows[1].codes)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("start", [0, 1, 2, 5, 15, 16])
def test_a_single_token_attends_to_what_is_held(start: int, dtype: torch.dtype) -> None:
    qkv, held = normal(5, 1, WIDTH, dtype=dtype), cache(5, 17, dtype)
    rotary, one, other = Rotary.table(17, DIM, 1e6, DEVICE), copy(held), copy(held)
    got = fast_heads.attend_short(qkv, heads(dtype), rotary, one, start)
    close(got, plain.attend_short(qkv, heads(dtype), rotary, other, start))
    close(one.keys, other.keys)
    close(one.values, other.values)
    new, third = qkv.transpose(0, 1).float(), copy(held)
    torn = torch.cat((new * 0.5, new * 0.25, new * 0.25))
    assert torch.equal(fast_heads.attend_one(torn, heads(dtype), rotary, third, start), got[:, 0])


def test_a_frames_codes_of_few_rows_are_those_of_plain_steps() -> None:
    """Talker and predictor in parts of their depths against plain torch, greedily."""
    rows = 3
    stack = StackConfig(512, 512, 2, 4, 2, 128, 128, 1e-6, 1e6)
    config = replace(
        published_config("0.6b"), talker=stack, predictor=stack, text_vocab=8, groups=6
    )
    shapes, generator = shapes_of(config), torch.Generator().manual_seed(3)

    def take(name: str) -> torch.Tensor:
        if name.endswith("norm.weight"):
            return torch.ones(shapes[name])
        return torch.randn(shapes[name], generator=generator) * 0.05

    model = build_model(config, take, DEVICE, torch.float32, 32)
    fast = Kernels.choose(DEVICE, "library")
    assert fast.few is not None
    # 32 bits are more than the shared memory of a card holds; the interpreter has no such limit.
    anything = replace(fast, few=replace(fast.few, fits=lambda count, _: count > 1))
    drawn = []
    for kernels in (Kernels.choose(DEVICE, "torch"), fast if CUDA else anything):
        state = State(config, rows, 32, DEVICE, torch.float32)
        state.seeds[:rows] = torch.arange(rows)
        for cache in state.talker:
            cache.keys.copy_(normal(*cache.keys.shape))
            cache.values.copy_(normal(*cache.values.shape) + 1)
        state.lengths[:rows] = torch.tensor([0, 7, -1])
        hidden, logits = talker_step(
            model, kernels, normal(rows, 512), state.talker, state.every_slot, state.lengths[:rows]
        )
        x = normal(rows, 512)
        predict(
            model,
            kernels,
            hidden,
            x,
            state.predictor,
            Rules(greedy=True),
            state.rows(),
            state.total,
        )
        whole = logits.sum(0) if logits.dim() == 3 else logits
        drawn.append((state.now[:rows, 1:], state.predictor[1].keys[:rows], hidden, whole))
    assert torch.equal(drawn[0][0], drawn[1][0])
    assert len(drawn[0][0].unique()) > 8, "the same code everywhere says nothing"
    for got, wanted in zip(drawn[1][1:], drawn[0][1:], strict=True):
        close(got, wanted)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_heads_of_prompts_go_into_their_slots(dtype: torch.dtype) -> None:
    qkv, held = normal(3, 7, WIDTH, dtype=dtype), cache(6, 11, dtype)
    rotary, one, other = Rotary.table(11, DIM, 1e6, DEVICE), copy(held), copy(held)
    slots = torch.tensor([4, 0, 2], device=DEVICE)
    got = fast_heads.enter(qkv, heads(dtype), rotary, one, slots)
    wanted = plain.enter(qkv, heads(dtype), rotary, other, slots)
    for a, b in zip((*got, one.keys, one.values), (*wanted, other.keys, other.values), strict=True):
        close(a, b)
