"""Levels: one gain a chapter, a ceiling for true peaks, room tone at both ends, no clicks."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from narrate import config
from narrate.audio import ffmpeg, mastering
from narrate.audio.clicks import find_clicks, mend_clicks
from narrate.audio.edges import fade_edges
from narrate.audio.encode import FORMATS
from narrate.audio.limiter import Limiter
from narrate.audio.mastering import MASTERS
from narrate.audio.prepared import Part
from narrate.audio.resample import resample
from narrate.audio.stitch import HEAD_S, master_chapter, stitch_chapter

from .conftest import TAKE_HZ, silence, tone

RATE_HZ = 44_100


def db(level: float) -> float:
    return float(20 * np.log10(level))


def rms(samples: NDArray[np.float32]) -> float:
    return db(float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))))


def read(path: Path) -> NDArray[np.float32]:
    samples: NDArray[np.float32] = np.asarray(soundfile.read(path, dtype="float32")[0], np.float32)
    return samples


def true_peak(samples: NDArray[np.float32]) -> float:
    """The highest value at eight times the rate."""
    return float(np.abs(resample(samples, RATE_HZ, 8 * RATE_HZ)).max())


def bursts(level: float, seconds: float = 4.0) -> NDArray[np.float32]:
    """Give noise with peaks far above its RMS, as speech has."""
    random = np.random.default_rng(3)
    count = round(seconds * TAKE_HZ)
    swell = np.exp(np.sin(np.arange(count) * 2 * np.pi * 3 / TAKE_HZ) - 1)
    noise = np.convolve(random.standard_normal(count), np.ones(4) / 4, "same")
    return np.asarray(level * swell * noise, np.float32)


@pytest.mark.parametrize("level", [0.003, 0.05, 0.4])
@pytest.mark.parametrize("name", ["acx", "podcast"])
def test_a_chapter_has_the_level_that_was_asked_for_however_it_was_spoken(
    name: str, level: float, tmp_path: Path, part
) -> None:
    master = MASTERS[name]
    assert master
    parts = [part(bursts(level), 0.7), part(bursts(level / 2), 0.7)] * 2
    parts[-1] = Part(parts[-1].audio_path, 2.0, parts[-1].sha256)
    made = master_chapter(parts, tmp_path / "c.wav", master, seed=1)
    samples = read(made.path)
    if master.rms_dbfs is not None:
        assert rms(samples) == pytest.approx(master.rms_dbfs, abs=0.5)
    else:
        assert ffmpeg.loudness([samples], RATE_HZ) == pytest.approx(-19, abs=0.5)
    assert db(true_peak(samples)) < master.ceiling_dbtp + 0.1
    # the floor is the room's, whatever the gain
    for quiet in (samples[: made.starts[0]], samples[made.ends[-1] + 441 :]):
        assert rms(quiet) == pytest.approx(-72, abs=1.5)
        assert np.count_nonzero(quiet) > len(quiet) / 2
    assert abs(made.starts[0] - HEAD_S * RATE_HZ) <= 1
    assert len(samples) == made.samples


def test_the_gain_is_one_number_and_quiet_passages_keep_their_distance(
    tmp_path: Path, part
) -> None:
    parts = [part(tone(2, level=0.05), 0.0), part(tone(2, level=0.005), 2.0)]
    made = master_chapter(parts, tmp_path / "c.wav", MASTERS["acx"], seed=1)
    samples = read(made.path)
    levels = [
        rms(samples[start + 4410 : end - 4410])
        for start, end in zip(made.starts, made.ends, strict=True)
    ]
    assert levels[0] - levels[1] == pytest.approx(20, abs=0.1)
    assert made.mastered.limited_db == 0 and made.mastered.limited_s == 0


def test_a_chapter_of_one_word_is_not_blown_up(tmp_path: Path, part) -> None:
    made = master_chapter(
        [part(bursts(0.05, 0.4), 2.0)], tmp_path / "c.wav", MASTERS["acx"], seed=1
    )
    samples = read(made.path)
    assert rms(samples[made.starts[0] : made.ends[0]]) == pytest.approx(-17.5, abs=1)
    assert db(true_peak(samples)) < -3.9


def test_without_a_master_the_takes_keep_their_level(tmp_path: Path, part) -> None:
    made = master_chapter([part(tone(1, level=0.2), 2.0)], tmp_path / "c.wav", None, seed=1)
    plain = stitch_chapter(
        [part(tone(1, level=0.2), 2.0)], tmp_path / "d.wav", seed=1, head_s=HEAD_S
    )
    assert made.path.read_bytes() == plain.path.read_bytes()


def test_the_limiter_reports_what_it_did_and_touches_nothing_else() -> None:
    samples = (0.1 * np.sin(np.arange(3 * RATE_HZ) * 0.05)).astype(np.float32)
    loud = slice(RATE_HZ, RATE_HZ + 441)
    samples[loud] *= 9
    limiter = Limiter(0.5, RATE_HZ)
    out = np.concatenate([limiter.feed(samples), limiter.flush()])
    assert len(out) == len(samples)
    assert limiter.deepest_db == pytest.approx(db(0.9 / 0.5), abs=0.3)
    assert 441 < limiter.limited_samples < 441 + 4 * 221
    far = 500
    assert np.array_equal(out[: loud.start - far], samples[: loud.start - far])
    assert np.array_equal(out[loud.stop + far :], samples[loud.stop + far :])
    assert true_peak(out) <= 0.5 * 1.01


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 9_000), min_size=1, max_size=8), st.integers(0, 99))
def test_the_ceiling_holds_and_the_cut_of_the_stream_does_not_matter(
    cuts: list[int], seed: int
) -> None:
    random = np.random.default_rng(seed)
    noise = np.convolve(random.standard_normal(9_000) * 0.4, np.ones(3) / 3, "same")
    samples = noise.astype(np.float32)
    whole, pieces = Limiter(0.5, RATE_HZ), Limiter(0.5, RATE_HZ)
    expected = np.concatenate([whole.feed(samples), whole.flush()])
    parts = [pieces.feed(part) for part in np.split(samples, sorted(cuts))]
    out = np.concatenate([*parts, pieces.flush()])
    assert len(out) == len(samples)
    assert np.allclose(out, expected, atol=1e-5)
    # Four times the rate can miss 0.7 dB between its values, 1 / cos(pi / 8), and filters of finite
    # length a little more: 0.74 dB is the most of these hundred noises.
    assert true_peak(expected) <= 0.5 * 1.1


def test_an_untouched_stream_comes_out_bit_for_bit() -> None:
    samples = tone(0.5, level=0.4)
    limiter = Limiter(0.5, RATE_HZ)
    assert np.array_equal(np.concatenate([limiter.feed(samples), limiter.flush()]), samples)


def test_a_click_is_found_and_mended_and_speech_is_left_alone(spoken_sample: Path) -> None:
    speech = read(spoken_sample)
    rate_hz = soundfile.info(spoken_sample).samplerate
    assert find_clicks(speech, rate_hz) == []
    quiet = 0.001 * np.random.default_rng(1).standard_normal(rate_hz).astype(np.float32)
    quiet[3000] += 0.3
    [place] = find_clicks(quiet, rate_hz)
    assert abs(place - 3000) <= 1
    assert find_clicks(mend_clicks(quiet, rate_hz, [place]), rate_hz) == []


def test_a_click_where_a_take_was_cut_is_mended_and_counted(tmp_path: Path, part) -> None:
    take = np.concatenate([silence(0.2), fade_edges(tone(0.5), TAKE_HZ), silence(0.2)])
    clicked = take.copy()
    clicked[round(0.2 * TAKE_HZ) - 200] = 0.5
    whole = stitch_chapter([part(take)] * 2, tmp_path / "a.wav", seed=1)
    mended = stitch_chapter([part(take), part(clicked)], tmp_path / "b.wav", seed=1)
    assert (whole.mastered.clicks_mended, mended.mastered.clicks_mended) == (0, 1)
    assert find_clicks(read(mended.path), RATE_HZ) == []


def test_memory_does_not_grow_with_the_length(tmp_path: Path, part) -> None:
    one = part(bursts(0.2, 1.0), 0.1)
    peaks = []
    for count in (5, 60):
        tracemalloc.start()
        master_chapter([one] * count, tmp_path / "c.wav", MASTERS["acx"], seed=1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 100_000


def test_the_settings_name_what_there_is() -> None:
    assert set(config.MASTERS) == set(mastering.MASTERS)
    assert set(config.FORMATS) >= {"wav", *FORMATS}
