"""The least time of a frame: reading where rows are few, arithmetic where they are many."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from narrate.bench.limits import card_of, frame_limit_ms
from narrate.bench.weights.configs import model_config


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(model_config("1.7b", "base")))
    return tmp_path


def test_one_row_waits_for_the_weights(folder: Path) -> None:
    card = card_of("NVIDIA H200")
    assert card is not None
    # 28 layers of the talker once and 5 of the predictor fifteen times: 5 GB at 4.8 TB/s.
    assert frame_limit_ms(folder, card, 1, 64) == pytest.approx(1.08, abs=0.05)


def test_many_rows_wait_for_the_arithmetic(folder: Path) -> None:
    card = card_of("NVIDIA H200")
    assert card is not None
    one, two = (frame_limit_ms(folder, card, rows, 64) for rows in (4096, 8192))
    assert two == pytest.approx(2 * one)
    assert one > 10


def test_a_card_is_known_by_the_longest_name_that_fits() -> None:
    assert card_of("NVIDIA A100-SXM4-80GB") != card_of("NVIDIA A10G")
    assert card_of("NVIDIA H200") == card_of("NVIDIA H200 NVL")
    assert card_of("Matrox Millennium") is None
    assert card_of(None) is None
