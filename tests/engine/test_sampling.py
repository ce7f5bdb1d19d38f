"""Codes are drawn as the published sampler draws them; each rule's test fails when it is off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from narrate.engine.kernels import Kernels, Rows, Rules  # noqa: E402
from narrate.engine.sampler import SamplingOptions, read_sampling, rules_of  # noqa: E402
from narrate.errors import BackendError  # noqa: E402
from tests.engine.conftest import Tiny  # noqa: E402

DRAWS = 10_000
EOS, FROM, VOCAB = 70, 64, 96  # of a small vocabulary whose upper third is never said
RULES = Rules(0.9, 20, 1.3, 2, EOS, FROM)
SEEN = (3, 11, 40)
SAMPLE = Kernels.choose(torch.device("cpu"), "torch").sample


def logits() -> Any:
    """One fixed row: peaked enough that top-k and the rest matter; the end is likely."""
    row = torch.randn(VOCAB, generator=torch.Generator().manual_seed(4)) * 1.5
    row[[*SEEN, EOS, 80]] = torch.tensor([3.0, 2.5, -0.5, 3.2, 4.0])
    return row


def draw(rules: Rules, frame: int = 9, seen: Sequence[int] = SEEN, first_seed: int = 0) -> Any:
    """How often each token is drawn, over many seeds."""
    marks = torch.zeros(DRAWS, VOCAB, dtype=torch.uint8)
    marks[:, list(seen)] = 1
    rows = Rows(
        seeds=torch.arange(first_seed, first_seed + DRAWS, dtype=torch.int64),
        frames=torch.full((DRAWS,), frame, dtype=torch.int32),
        codes=torch.zeros(DRAWS, 16, dtype=torch.int32),
        faults=torch.zeros(DRAWS, dtype=torch.int32),
        seen=marks,
    )
    SAMPLE(logits().expand(DRAWS, -1), 0, rules, rows)
    return torch.bincount(rows.codes[:, 0].long(), minlength=VOCAB).double()


def published(frame: int = 9, seen: Sequence[int] = SEEN) -> Any:
    """The probabilities that the published package's processors leave."""
    process = pytest.importorskip("transformers.generation.logits_process")
    scores = logits()[None].clone()
    said = torch.tensor([[*seen, *[seen[-1]] * (frame - len(seen))]][:1])[:, :frame]
    never = [token for token in range(FROM, VOCAB) if token != EOS]
    for one in (
        process.RepetitionPenaltyLogitsProcessor(1.3),
        process.MinNewTokensLengthLogitsProcessor(0, 2, EOS, device="cpu"),
        process.SuppressTokensLogitsProcessor(never, device="cpu"),
        process.TemperatureLogitsWarper(0.9),
        process.TopKLogitsWarper(20),
    ):
        scores = one(said, scores)
    return scores.softmax(-1)[0].double()


def distance(counts: Any, chances: Any) -> float:
    """Chi-square over its degrees of freedom; infinite where the impossible was drawn."""
    possible = chances > 0
    if counts[~possible].sum() > 0:
        return float("inf")
    expected = chances[possible] * DRAWS
    square = ((counts[possible] - expected) ** 2 / expected).sum()
    return float(square / (possible.sum() - 1))


def test_the_distribution_is_the_published_one() -> None:
    assert distance(draw(RULES), published()) < 2.0


def test_before_its_second_frame_nothing_ends() -> None:
    early = published(1, SEEN[:1])
    assert early[EOS] == 0
    assert distance(draw(RULES, 1, SEEN[:1]), early) < 2.0


@pytest.mark.parametrize(
    ("off", "frame"),
    [
        ({"penalty": 1.0}, 9),
        ({"suppress_from": 1 << 30}, 9),
        ({"min_frames": 0}, 1),
        ({"top_k": 0}, 9),
        ({"temperature": 1.0}, 9),
    ],
    ids=["penalty", "suppression", "minimum", "top-k", "temperature"],
)
def test_the_distribution_shows_when_a_rule_is_off(off: dict[str, Any], frame: int) -> None:
    seen = SEEN[:frame]
    assert distance(draw(replace(RULES, **off), frame, seen), published(frame, seen)) > 3.0


def test_greedy_takes_the_best_that_the_rules_leave() -> None:
    counts = draw(replace(RULES, greedy=True))
    assert counts.max() == DRAWS
    assert counts.argmax() == published().argmax()


def test_noise_differs_by_seed_frame_and_group() -> None:
    assert not torch.equal(draw(RULES), draw(RULES, first_seed=DRAWS))
    assert torch.equal(draw(RULES), draw(RULES))


def test_the_checkpoints_own_settings_are_read(tiny: Tiny, tmp_path: Path) -> None:
    assert read_sampling(tiny.folder) == SamplingOptions()
    (tmp_path / "generation_config.json").write_text('{"top_k": 7, "subtalker_temperature": 0.5}')
    first, others = rules_of(tiny.config, read_sampling(tmp_path))
    assert (first.top_k, first.penalty, first.min_frames) == (7, 1.05, 2)
    assert (first.eos, first.suppress_from) == (2150, 2048)
    assert (others.temperature, others.penalty, others.min_frames) == (0.5, 1.0, 0)


def test_settings_that_are_not_drawn_with_are_refused() -> None:
    with pytest.raises(BackendError, match="top_p"):
        SamplingOptions(top_p=0.9)
    with pytest.raises(BackendError, match="temperature"):
        SamplingOptions(temperature=0)
