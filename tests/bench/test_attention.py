"""The attention operators by name: one meaning, against float64, on the CPU."""

from __future__ import annotations

import io
from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("torch") is None:
    pytest.skip("torch is not installed", allow_module_level=True)

import torch

from narrate.bench.asked import Attention
from narrate.bench.attention_kernels import PACKED, STEP, WHOLE, exact, exact_step
from narrate.bench.attention_step import OURS, OurStep
from narrate.bench.command import measure_part
from narrate.bench.results import read_results
from narrate.bench.watchers import Lines

HERE = ("eager", "sdpa", "sdpa math")


def _random(*shape: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    q, k, v = (torch.randn(shape, generator=generator) for _ in range(3))
    return q, k, v


@pytest.mark.parametrize("name", HERE)
def test_whole_sequences_are_causal_attention(name: str) -> None:
    q, k, v = _random(1, 2, 40, 16)
    torch.testing.assert_close(WHOLE[name](q, k, v), exact(q, k, v, 40).float())
    torch.testing.assert_close(exact(q, k, v, 7), exact(q, k, v, 40)[:, :, -7:])


@pytest.mark.parametrize("name", HERE)
def test_a_step_shares_keys_among_its_heads(name: str) -> None:
    q = _random(3, 4, 1, 16)[0]
    k, v, _ = _random(3, 2, 9, 16)
    out = STEP[name](q, k, v)
    torch.testing.assert_close(out, exact_step(q, k, v).float())
    alone = torch.nn.functional.scaled_dot_product_attention(
        q, k.repeat_interleave(2, 1), v.repeat_interleave(2, 1)
    )
    torch.testing.assert_close(out, alone)


@pytest.mark.parametrize("name", ["sdpa one by one", "sdpa padded"])
def test_packed_sequences_do_not_see_each_other(name: str) -> None:
    q, k, v = _random(11 + 5, 2, 16)
    both = PACKED[name][0](q, k, v, (11, 5))
    for part in (slice(0, 11), slice(11, 16)):
        a, b, c = (x[part].transpose(0, 1)[None] for x in (q, k, v))
        wanted = exact(a, b, c, len(both[part]))[0].transpose(0, 1)
        torch.testing.assert_close(both[part], wanted.float())


@pytest.mark.parametrize("name", ["engine torch", "engine sdpa"])
def test_the_engine_s_step_is_near_float64(name: str) -> None:
    step = OurStep(name, 3, 33, torch.device("cpu"))
    out = step.attend()
    assert out.shape == (3, 16 * 128)
    assert float((out.double() - step.exact()).abs().max()) < 0.02
    assert step.serial_drift(out) < 0.02


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a card")
def test_what_needs_a_card_says_so() -> None:
    q, k, v = _random(1, 2, 8, 16)
    with pytest.raises(ImportError, match="CUDA card"):
        WHOLE["flash-attn 2"](q, k, v)
    with pytest.raises(ImportError, match="CUDA card"):
        OURS["engine triton"]()


@pytest.mark.slow
def test_every_kernel_has_a_row_that_measures_or_says_why(tmp_path: Path) -> None:
    asked = Attention(quick=True, runs=1, out=str(tmp_path), commit="abc")
    results = read_results(measure_part(asked, Lines(io.StringIO())))
    kernels = {cell.axes["kernel"] for cell in results.group("sequence")}
    assert kernels == set(WHOLE)
    assert all(cell.failed or cell.runs for cell in results.cells)
    for cell in results.cells:
        if cell.work and "to float64" in cell.work.numbers:
            assert cell.work.numbers["to float64"] < 0.05, cell.name
    assert "| 128 | flash-attn 2 |" in (tmp_path / "report.md").read_text()
