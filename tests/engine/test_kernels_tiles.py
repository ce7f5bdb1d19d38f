"""The predictor's attention by tiles: as its plain twin, whatever stands in unused places."""

from __future__ import annotations

import pytest
import torch

from tests.engine.interpreted import (  # before anything that imports triton
    CUDA,
    DEVICE,
    run_compiled,
)

# isort: split
from narrate.engine.kernels import Cache, HeadNorms, Norm, Rotary, fast_heads, fast_tiles, plain
from narrate.engine.kernels.early import FEW_ROWS
from tests.engine.test_kernels_triton import close, norm, normal

# The interpreter's products of bfloat16 are wrong.
DTYPES = [torch.float32, torch.bfloat16 if CUDA else torch.float16]
SHAPES = [
    (4, 2, 32),
    (2, 2, 32),
    (6, 2, 64),
    (8, 2, 32),
    (2, 1, 128),
]  # query heads, key heads, dim
POSITIONS = 32


class Given:
    """Random tokens and a cache whose places from `start` on are NaN."""

    def __init__(
        self, rows: int, count: int, start: int, shape: tuple[int, int, int], dtype: torch.dtype
    ) -> None:
        q_heads, kv_heads, dim = shape
        self.qkv = normal(rows, count, (q_heads + 2 * kv_heads) * dim, dtype=dtype)
        self.heads = HeadNorms(norm(dim, dtype), norm(dim, dtype))
        self.rotary = Rotary.table(POSITIONS, dim, 1e6, DEVICE)
        self.keys = normal(rows, kv_heads, POSITIONS, dim, dtype=dtype)
        self.values = self.keys.flip(1) + 1
        self.keys[:, :, start:] = self.values[:, :, start:] = torch.nan
        self.start, self.end = start, start + count

    def cache(self) -> Cache:
        return Cache(self.keys.clone(), self.values.clone())

    def check(self, got: torch.Tensor, cache: Cache) -> None:
        """`got` and the cache as the plain twin leaves them."""
        twin = self.cache()
        close(got, plain.attend_short(self.qkv, self.heads, self.rotary, twin, self.start))
        close(cache.keys[:, :, : self.end], twin.keys[:, :, : self.end])
        assert torch.equal(cache.values[:, :, : self.end], twin.values[:, :, : self.end])
        assert torch.equal(cache.keys[:, :, : self.start], self.keys[:, :, : self.start])
        for held in (cache.keys, cache.values):
            assert held[:, :, self.end :].isnan().all(), "a place that nobody wrote"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_rows_first_two_tokens(shape: tuple[int, int, int], dtype: torch.dtype) -> None:
    given = Given(3, 2, 0, shape, dtype)
    cache = given.cache()
    got = fast_heads.attend_short(given.qkv, given.heads, given.rotary, cache, 0)
    given.check(got, cache)


def test_what_is_sure_of_one_of_two_tokens() -> None:
    """Scores so far apart that their exponential is infinite, or nothing."""
    given = Given(3, 2, 0, SHAPES[0], torch.float32)
    loud = HeadNorms(*(Norm(100 * norm(32).weight) for _ in range(2)))
    given.heads = loud
    cache = given.cache()
    given.check(fast_tiles.attend_two(given.qkv, loud, given.rotary, cache), cache)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("start", [1, 8, 9, 12, 14, 15, 16, 20, 31])
def test_one_token_after_many(start: int, dtype: torch.dtype) -> None:
    given = Given(3, 1, start, SHAPES[0], dtype)
    cache = given.cache()
    got = fast_tiles.attend_held(given.qkv[:, 0], given.heads, given.rotary, cache, start)
    given.check(got[:, None], cache)


@pytest.mark.parametrize("shape", SHAPES)
def test_one_token_of_every_shape_of_heads(shape: tuple[int, int, int]) -> None:
    given = Given(3, 1, 11, shape, DTYPES[1])
    cache = given.cache()
    got = fast_tiles.attend_held(given.qkv[:, 0], given.heads, given.rotary, cache, 11)
    given.check(got[:, None], cache)


@pytest.mark.parametrize(
    ("rows", "start"), [(FEW_ROWS + 1, 9), (FEW_ROWS + 1, 8), (FEW_ROWS, 9), (FEW_ROWS + 1, 15)]
)
def test_one_token_whatever_kernel_is_chosen_by_rows_and_positions(rows: int, start: int) -> None:
    given = Given(rows, 1, start, SHAPES[0], DTYPES[1])
    cache = given.cache()
    got = fast_heads.attend_short(given.qkv, given.heads, given.rotary, cache, start)
    given.check(got, cache)


def test_neighbours_count_for_nothing() -> None:
    for count, start in ((2, 0), (1, 12)):
        given = Given(FEW_ROWS + 1, count, start, SHAPES[0], DTYPES[1])
        first = fast_heads.attend_short(given.qkv, given.heads, given.rotary, given.cache(), start)
        given.qkv[:-1] = 3 - given.qkv[:-1]
        given.keys[:-1, :, :start] *= 2
        again = fast_heads.attend_short(given.qkv, given.heads, given.rotary, given.cache(), start)
        assert torch.equal(again[-1], first[-1])
        assert not torch.equal(again[0], first[0])


def test_heads_and_sampler_fit_a_card() -> None:
    run_compiled("compiled_frame.py", 240)
