"""Products that the engine names a kernel for, and what happens without a card for them."""

from __future__ import annotations

import pytest
import torch

from benchmarks.random_model import published_config
from narrate.engine.cache import SIZES
from narrate.engine.config import StackConfig
from narrate.engine.kernels import cublas_lt


def products_of(stack: StackConfig) -> set[tuple[int, int]]:
    """Columns and depth of every product of a layer."""
    hidden, inner = stack.hidden, stack.intermediate
    heads = stack.heads * stack.head_dim
    return {
        (stack.qkv_width, hidden),
        (hidden, heads),
        (2 * inner, hidden),
        (hidden, inner),
    }


def test_every_named_product_is_one_of_a_published_model_at_a_batch_that_is_chosen() -> None:
    stacks = [published_config(size) for size in ("0.6b", "1.7b")]
    known = {
        pair
        for config in stacks
        for stack in (config.talker, config.predictor)
        for pair in products_of(stack)
    }
    assert {(columns, depth) for _, columns, depth in cublas_lt.CHOICES} <= known
    assert {rows for rows, _, _ in cublas_lt.CHOICES} <= set(SIZES)


@pytest.mark.parametrize("shape", cublas_lt.CHOICES)
def test_without_a_card_no_kernel_is_named_and_nothing_is_written(
    shape: tuple[int, int, int],
) -> None:
    rows, columns, depth = shape
    x = torch.ones(rows, depth, dtype=torch.bfloat16)
    weight = torch.ones(columns, depth, dtype=torch.bfloat16)
    to = torch.zeros(rows, columns, dtype=torch.bfloat16)
    assert cublas_lt.product(x, weight) is None
    assert not cublas_lt.add(to, x, weight)
    assert not to.any()
