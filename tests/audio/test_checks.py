"""Each fault is found where it is planted, and a sound take has none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrate.audio.checks import FAULTS, heard, outlier, severity
from narrate.audio.measures import Measures, framed, measured, weight_of
from narrate.audio.norms import Norms, norms_of
from narrate.core import Spoken, Utterance

RATE_HZ = 24_000
WORDS = "A sentence of some forty characters, no more."


def spoken(samples: np.ndarray, told: str = "", is_so: bool = True, words: str = WORDS) -> Spoken:
    checks = {told: is_so} if told else {}
    return Spoken(Utterance("k", words, "en", 1), samples.astype(np.float32), RATE_HZ, checks)


def voice(seconds: float = 3.0, level: float = 0.3, seed: int = 0, hz: float = 180.0) -> np.ndarray:
    """Syllables of uneven height and length that come in and die away."""
    random = np.random.default_rng(seed)
    syllables: list[np.ndarray] = []
    while sum(len(one) for one in syllables) < seconds * RATE_HZ:
        t = np.arange(round(random.uniform(0.12, 0.3) * RATE_HZ)) / RATE_HZ
        pitch = hz * random.uniform(0.7, 1.4)
        tones = sum(
            random.uniform(0.2, 1) / n * np.sin(2 * np.pi * n * pitch * t) for n in range(1, 9)
        )
        syllables.append(random.uniform(0.6, 1) * tones * np.hanning(len(t)))
    wave = np.concatenate(syllables)[: round(seconds * RATE_HZ)]
    wave[-600:] *= np.linspace(1, 0, len(wave[-600:]))
    wave *= level / np.abs(wave).max()
    return wave


def measures_of(samples: np.ndarray, words: str = WORDS) -> Measures:
    return measured(framed(samples.astype(np.float32), RATE_HZ), words)


def fault_of(samples: np.ndarray, *more: object) -> str | None:
    return heard(spoken(samples, *more)).fault  # type: ignore[arg-type]


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_a_sound_take_has_no_fault(seed: int) -> None:
    assert fault_of(voice(seed=seed)) is None


def test_integers_are_judged_like_floats() -> None:
    utterance = Utterance("k", WORDS, "en", 1)
    integers = heard(Spoken(utterance, (voice() * 32_767).astype(np.int16), RATE_HZ))
    assert integers.fault is None and integers.measures
    floats = heard(spoken(voice())).measures
    assert floats and integers.measures.level_dbfs == pytest.approx(floats.level_dbfs, abs=0.01)


HOLE = np.concatenate([voice(2.0), np.zeros(3 * RATE_HZ), voice(2.0)])


@pytest.mark.parametrize(
    ("samples", "fault"),
    [
        (voice(0.05), "empty"),
        (voice(level=0.0005), "silent"),
        (voice(0.8), "too short"),
        (np.clip(voice(level=6.0), -1, 1), "clipped"),
        (np.where(np.arange(72_000) == 7, np.nan, voice()), "nan"),
        (np.where(np.arange(72_000) == 71_999, -np.inf, voice()), "nan"),
        (np.concatenate([voice(0.5), np.zeros(70 * RATE_HZ), voice(0.5)]), "too long"),
        (HOLE, "hole"),
        (np.tile(voice(0.9), 5), "loop"),
        (voice(6.0)[: round(4.13 * RATE_HZ)], "cut off"),
        (voice() + 0.1, "offset"),
    ],
)
def test_a_planted_fault_is_found(samples: np.ndarray, fault: str) -> None:
    assert fault_of(samples) == fault


def test_words_that_are_written_three_times_may_be_heard_three_times() -> None:
    thrice = np.tile(voice(0.9), 3)
    assert heard(spoken(thrice, words="Go away now, go away now! Go away now!")).fault is None
    other = spoken(thrice, words="Go away now, go away then! Go away!")
    assert heard(other).fault == "loop"
    assert heard(other, varies=False).fault is None


@pytest.mark.parametrize("name", ["nan", "loop", "runaway"])
def test_what_the_backend_says_of_its_own_work_counts(name: str) -> None:
    assert fault_of(voice(), name) == name
    assert fault_of(voice(), name, False) is None


def test_the_worst_of_several_faults_is_named() -> None:
    assert fault_of(np.clip(voice(level=6.0), -1, 1), "runaway") == "runaway"


def test_a_good_take_is_better_than_any_fault() -> None:
    ranks = [severity(None), *(severity(fault) for fault in reversed(FAULTS))]
    assert ranks == sorted(set(ranks))


def test_one_short_word_may_be_short() -> None:
    assert heard(spoken(voice(0.3), words="Oh!")).fault is None


def test_measures_say_what_was_planted() -> None:
    found = measures_of(HOLE)
    assert found.speech_s == pytest.approx(7.0, abs=0.1)
    assert found.hole_s == pytest.approx(3.0, abs=0.15)
    assert found.pace == pytest.approx(7.0 / weight_of(WORDS), rel=0.02)
    assert Measures.from_values(found.as_values()) == found
    quieter = measures_of(voice() / 2)
    louder = measures_of(voice())
    assert louder.level_dbfs - quieter.level_dbfs == pytest.approx(6.02, abs=0.02)
    assert quieter.bands_db == pytest.approx(louder.bands_db, abs=0.11)


@pytest.fixture(scope="module")
def norms() -> Norms:
    made = norms_of([measures_of(voice(2.5 + n % 7 / 7, seed=n)) for n in range(60)])
    assert Norms.from_values(made.as_values()) == made
    return made


@pytest.mark.parametrize(
    ("samples", "fault"),
    [
        (voice(3.0, seed=99), None),
        (voice(8.0, seed=99), "too long"),
        (voice(1.2, seed=99), "too short"),
        (voice(3.0, level=0.05, seed=99), "other level"),
        (voice(3.0, hz=1500.0, seed=99), "other sound"),
    ],
)
def test_what_falls_out_of_the_voice_s_norms_is_named(
    samples: np.ndarray, fault: str | None, norms: Norms
) -> None:
    measures = measures_of(samples)
    assert outlier(measures, weight_of(WORDS), norms) == fault


def test_short_words_are_not_compared(norms: Norms) -> None:
    drawn_out = measures_of(voice(1.4, level=0.05, hz=1500), "Oh!")
    assert outlier(drawn_out, weight_of("Oh!"), norms) is None


def test_a_voice_that_never_varies_does_not_flag_the_least_change() -> None:
    same = measures_of(voice())
    other = measures_of(voice(3.2, level=0.27, seed=1))
    assert outlier(other, weight_of(WORDS), norms_of([same] * 50)) is None
