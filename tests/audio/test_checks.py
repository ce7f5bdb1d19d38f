"""Each fault is found where it is planted, and a sound take has none."""

from __future__ import annotations

import numpy as np
import pytest

from narrate.audio.checks import FAULTS, fault_of, severity
from narrate.core import Spoken, Utterance

RATE_HZ = 24_000
WORDS = "A sentence of some forty characters, no more."


def spoken(samples: np.ndarray, told: str = "", is_so: bool = True) -> Spoken:
    checks = {told: is_so} if told else {}
    return Spoken(Utterance("k", WORDS, "en", 1), samples.astype(np.float32), RATE_HZ, checks)


def voice(seconds: float = 3.0, level: float = 0.3) -> np.ndarray:
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    wave: np.ndarray = level * np.sin(2 * np.pi * 180 * t) * (1 + np.sin(2 * np.pi * 4 * t)) / 2
    return wave


def test_a_sound_take_has_no_fault() -> None:
    assert fault_of(spoken(voice())) is None
    integers = (voice() * 32_767).astype(np.int16)
    assert fault_of(Spoken(Utterance("k", WORDS, "en", 1), integers, RATE_HZ)) is None


@pytest.mark.parametrize(
    ("samples", "fault"),
    [
        (voice(0.05), "empty"),
        (voice(level=0.0005), "silent"),
        (voice(0.8), "too short"),
        (np.clip(voice(level=6.0), -1, 1), "clipped"),
        (np.where(np.arange(72_000) == 7, np.nan, voice()), "nan"),
    ],
)
def test_a_planted_fault_is_found(samples: np.ndarray, fault: str) -> None:
    assert fault_of(spoken(samples)) == fault


@pytest.mark.parametrize("name", ["nan", "loop", "runaway"])
def test_what_the_backend_says_of_its_own_work_counts(name: str) -> None:
    assert fault_of(spoken(voice(), name)) == name
    assert fault_of(spoken(voice(), name, False)) is None


def test_the_worst_of_several_faults_is_named() -> None:
    assert fault_of(spoken(np.clip(voice(level=6.0), -1, 1), "runaway")) == "runaway"


def test_a_good_take_is_better_than_any_fault() -> None:
    ranks = [severity(None), *(severity(fault) for fault in reversed(FAULTS))]
    assert ranks == sorted(set(ranks))


def test_one_short_word_may_be_short() -> None:
    word = Utterance("k", "Oh!", "en", 1)
    assert fault_of(Spoken(word, voice(0.3).astype(np.float32), RATE_HZ)) is None
