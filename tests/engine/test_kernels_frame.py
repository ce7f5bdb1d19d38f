"""Products of a few rows, single-token attention and prompts' heads: as their plain twins."""

from __future__ import annotations

import pytest
import torch

from tests.engine.interpreted import DEVICE  # before anything that imports triton

# isort: split
from narrate.engine.kernels import Cache, HeadNorms, Rotary, fast_heads, narrow_linear, plain
from tests.engine.test_kernels_triton import DTYPES, close, norm, normal

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
@pytest.mark.parametrize("rows", [1, 2, 4])
@pytest.mark.parametrize(("columns", "depth"), [(24, 96), (9, 1200)])
def test_products_of_a_few_rows(rows: int, columns: int, depth: int, dtype: torch.dtype) -> None:
    x, weight = normal(rows, depth, dtype=dtype), normal(2 * columns, depth, dtype=dtype)
    scale = norm(depth, dtype)
    half = weight[:columns].contiguous()
    assert narrow_linear.fits(x, weight)
    close(narrow_linear.norm_linear(x, scale, half), plain.norm_linear(x, scale, half))
    wide = narrow_linear.norm_linear(x, scale, half, torch.float32)
    assert wide.dtype == torch.float32
    close(wide, plain.norm_linear(x, scale, half, torch.float32))
    close(narrow_linear.norm_swiglu(x, scale, weight), plain.norm_swiglu(x, scale, weight))
    ours = normal(rows, columns, dtype=dtype)
    theirs = ours.clone()
    close(narrow_linear.add_linear(ours, x, half), plain.add_linear(theirs, x, half))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("start", [1, 2, 5, 15, 16])
def test_a_single_token_attends_to_what_is_held(start: int, dtype: torch.dtype) -> None:
    qkv, held = normal(5, 1, WIDTH, dtype=dtype), cache(5, 17, dtype)
    rotary, one, other = Rotary.table(17, DIM, 1e6, DEVICE), copy(held), copy(held)
    got = fast_heads.attend_short(qkv, heads(dtype), rotary, one, start)
    close(got, plain.attend_short(qkv, heads(dtype), rotary, other, start))
    close(one.keys, other.keys)
    close(one.values, other.values)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_heads_of_prompts_go_into_their_slots(dtype: torch.dtype) -> None:
    qkv, held = normal(3, 7, WIDTH, dtype=dtype), cache(6, 11, dtype)
    rotary, one, other = Rotary.table(11, DIM, 1e6, DEVICE), copy(held), copy(held)
    slots = torch.tensor([4, 0, 2], device=DEVICE)
    got = fast_heads.enter(qkv, heads(dtype), rotary, one, slots)
    wanted = plain.enter(qkv, heads(dtype), rotary, other, slots)
    for a, b in zip((*got, one.keys, one.values), (*wanted, other.keys, other.values), strict=True):
        close(a, b)
