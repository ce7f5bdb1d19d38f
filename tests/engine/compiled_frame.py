"""A frame's attention and sampler at the published sizes, compiled for a card made of paper.

`test_kernels_tiles.py` runs this in a process of its own: other tests have Triton interpret.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from narrate.engine.kernels import (
    Cache,
    Feed,
    HeadNorms,
    Norm,
    Rotary,
    Rows,
    Rules,
    fast_heads,
    fast_sampling,
)
from tests.engine.paper import paper_card, used

CPU, ROWS, BF16 = torch.device("cpu"), 40, torch.bfloat16
Q_HEADS, KV_HEADS, DIM = 16, 8, 128
VOCABS = {3072: Rules(penalty=1.05, min_frames=2, eos=2150, suppress_from=2048), 2048: Rules()}


@pytest.mark.parametrize(
    ("count", "start", "kernel", "registers"),
    [
        (2, 0, "_attend_two_kernel", 80),
        (1, 12, "_attend_held_kernel", 104),
        (1, 16, "_attend_held_kernel", 255),
        (1, 8, "_attend_one_kernel", 168),
    ],
)
def test_attention_fits(
    count: int, start: int, kernel: str, registers: int, tmp_path: Path
) -> None:
    heads = HeadNorms(*(Norm(torch.ones(DIM, dtype=BF16)) for _ in range(2)))
    empty = torch.zeros(ROWS, KV_HEADS, 17, DIM, dtype=BF16)
    qkv = torch.zeros(ROWS, count, (Q_HEADS + 2 * KV_HEADS) * DIM, dtype=BF16)
    with paper_card(tmp_path):
        fast_heads.attend_short(
            qkv, heads, Rotary.table(17, DIM, 1e6, CPU), Cache(empty, empty.clone()), start
        )
    found = used(tmp_path, kernel)
    assert found["STACK"] == found["LOCAL"] == 0, "registers are spilled"
    assert found["REG"] <= registers
    copies = [file.read_text().count("cp.async.cg") for file in tmp_path.glob(f"*/{kernel}.ptx")]
    assert (copies[0] > 0) == (kernel == "_attend_held_kernel"), "its loop is there for this"


@pytest.mark.parametrize(("vocab", "registers"), [(3072, 128), (2048, 72)])
def test_the_sampler_fits(vocab: int, registers: int, tmp_path: Path) -> None:
    rows = Rows(
        seeds=torch.zeros(ROWS, dtype=torch.int64),
        frames=torch.zeros(ROWS, dtype=torch.int32),
        codes=torch.zeros(ROWS, 16, dtype=torch.int32),
        faults=torch.zeros(ROWS, dtype=torch.int32),
        seen=torch.zeros(ROWS, vocab, dtype=torch.uint8),
    )
    feed = Feed(
        step=torch.zeros(vocab, 1024, dtype=BF16),
        x=torch.zeros(ROWS, 1024, dtype=BF16),
        embedding=torch.zeros(vocab, 2048, dtype=BF16),
        total=torch.zeros(ROWS, 2048),
    )
    with paper_card(tmp_path):
        fast_sampling.sample(torch.zeros(ROWS, vocab), 1, VOCABS[vocab], rows, feed)
    found = used(tmp_path, "_sample_kernel")
    assert found["STACK"] == found["LOCAL"] == 0, "registers are spilled"
    assert found["REG"] <= registers
