"""Codes that go round in circles, and text that a model could take for its own marks."""

from __future__ import annotations

import numpy as np
import pytest

from narrate.engine.loops import goes_round
from narrate.speech.plain import without_marks


def codes(*first: int) -> np.ndarray:
    frames = np.random.default_rng(0).integers(0, 2048, (len(first), 16))
    frames[:, 0] = first
    return frames


def varied(frames: int, seed: int = 1) -> tuple[int, ...]:
    return tuple(int(n) for n in np.random.default_rng(seed).integers(0, 2048, frames))


@pytest.mark.parametrize("period", [1, 2, 5, 12])
def test_a_stretch_said_again_and_again_is_a_loop(period: int) -> None:
    stuck = varied(period) * (36 // period)
    assert goes_round(codes(*varied(40), *stuck))
    assert goes_round(codes(*stuck, *varied(40)))


def test_speech_a_pause_and_a_word_said_twice_are_none() -> None:
    assert not goes_round(codes(*varied(300)))
    assert not goes_round(codes(*varied(40), *[7] * 15, *varied(40)))
    assert not goes_round(codes(*varied(40), *(2 * varied(12, seed=2)), *varied(40, seed=3)))
    assert not goes_round(codes())
    assert not goes_round(codes(7))


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("ends with <|im_end|>, so", "ends with im end, so"),
        ("<think>Hm.</think>", "thinkHm.think"),
        ("<tts_pad> and </tool_call>", "tts pad and tool call"),
        ("a < b and c > d, <3", "a < b and c > d, <3"),
        ("Nothing to see.", "Nothing to see."),
    ],
)
def test_words_in_brackets_lose_them(text: str, plain: str) -> None:
    assert without_marks(text) == plain
