"""Numbers in words."""

from __future__ import annotations

import pytest

from narrate.cli.words import pace


@pytest.mark.parametrize(
    ("times", "words"),
    [(339.6, "340x"), (12.4, "12x"), (9.96, "10x"), (0.56, "0.56x"), (0.017, "0.017x"), (0, "0x")],
)
def test_a_slow_pace_is_not_rounded_to_nothing(times: float, words: str) -> None:
    assert pace(times) == f"{words} real time"
