"""Room tone, resampling, dither, edges: the pieces a chapter goes through."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrate.audio.edges import fade_edges, trim_edges
from narrate.audio.pcm import Quantiser
from narrate.audio.resample import Resampler, resample
from narrate.audio.room import ROOM_LEVEL_DBFS, RoomTone

from .conftest import TAKE_HZ, silence, tone


def rms_dbfs(samples):
    return 10 * np.log10(np.mean(np.square(samples, dtype=np.float64)))


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 24_000, 44_100])
def test_room_tone_has_its_level_at_every_rate_and_in_every_second(rate_hz):
    room = RoomTone(rate_hz, seed=5).read(30 * rate_hz).reshape(30, rate_hz)
    for second in room:
        assert abs(rms_dbfs(second) - ROOM_LEVEL_DBFS) < 1
    assert np.abs(room).max() < 10 ** (-54 / 20)


@settings(max_examples=20)
@given(st.lists(st.integers(0, 400_000), max_size=4))
def test_room_tone_does_not_depend_on_how_it_is_read(sizes):
    whole = RoomTone(22_050, 3).read(sum(sizes))
    room = RoomTone(22_050, 3)
    pieces = [room.read(size) for size in sizes]
    assert np.array_equal(np.concatenate([*pieces, whole[:0]]), whole)


def test_room_tone_meets_itself_without_a_step():
    room = RoomTone(22_050, 3).read(22_050 * 25)
    steps = np.abs(np.diff(room))
    seam = 12 * 22_050
    assert steps[seam - 1] < steps.std() * 6


def test_another_seed_is_another_room():
    assert not np.array_equal(RoomTone(22_050, 1).read(99), RoomTone(22_050, 2).read(99))


@pytest.mark.parametrize("from_hz", [16_000, 22_050, 24_000, 48_000])
def test_a_sine_keeps_its_frequency_and_level_through_the_resampler(from_hz):
    out = resample(tone(2, hz=997, level=0.5, rate_hz=from_hz), from_hz, 44_100)
    assert abs(len(out) - 2 * 44_100) <= 1
    middle = out[22_050:66_150].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(middle)) / (len(middle) / 2)
    assert int(spectrum.argmax()) == 997  # one second: a bin is one hertz
    assert abs(20 * np.log10(spectrum[997] / 0.5)) < 0.01
    spectrum[995:1000] = 0
    assert 20 * np.log10(spectrum.max()) < -100


def test_the_cut_of_the_stream_does_not_change_what_comes_out():
    samples = tone(1, hz=300)
    stream = Resampler(TAKE_HZ, 44_100)
    pieces = [stream.feed(samples[i : i + 777]) for i in range(0, len(samples), 777)]
    pieces.append(stream.flush())
    assert np.allclose(np.concatenate(pieces), resample(samples, TAKE_HZ, 44_100), atol=1e-6)


def test_equal_rates_pass_through_untouched():
    samples = tone(0.1)
    assert np.array_equal(resample(samples, 44_100, 44_100), samples)


@given(st.lists(st.integers(0, 5000), max_size=6))
def test_dither_does_not_depend_on_how_the_stream_is_cut(sizes):
    quantise, whole = Quantiser(9), Quantiser(9)
    pieces = [quantise(np.zeros(size, np.float32)) for size in sizes]
    expected = whole(np.zeros(sum(sizes), np.float32))
    assert np.array_equal(np.concatenate([*pieces, expected[:0]]), expected)


def test_dither_keeps_a_level_below_one_step_on_average_and_its_noise_is_triangular():
    quarter = np.full(400_000, 0.25 / 32_768, np.float32)
    out = Quantiser(1)(quarter)
    assert abs(out.mean() - 0.25) < 0.01
    # the error of TPDF dither has the variance of a quarter step squared, whatever the signal
    assert abs(np.var(out - 0.25) - 0.25) < 0.01


def test_full_scale_clips_instead_of_wrapping():
    out = Quantiser(1)(np.array([1.5, -1.5, 1.0, -1.0], np.float32))
    assert out.tolist()[:3] == [32_767, -32_768, 32_767]
    assert out[3] <= -32_766


def test_trimming_keeps_all_that_sounds_and_25_ms_on_each_side():
    speech = tone(0.5)
    trimmed = trim_edges(np.concatenate([silence(0.4), speech, silence(0.6)]), TAKE_HZ)
    extra_s = (len(trimmed) - len(speech)) / TAKE_HZ
    assert 0.045 < extra_s < 0.065
    assert np.isclose(np.sum(trimmed**2), np.sum(speech**2))


def test_trimming_keeps_a_soft_tail_and_inner_silence():
    tail = tone(0.1, hz=5000, level=0.3 * 10 ** (-38 / 20))
    take = np.concatenate([tone(0.3), silence(0.5), tone(0.2), tail, silence(0.5)])
    trimmed = trim_edges(take, TAKE_HZ)
    assert len(trimmed) >= len(take) - round(0.5 * TAKE_HZ)


@given(st.integers(1, 3000), st.floats(0, 1e-4))
def test_trimming_never_takes_everything(length, level):
    assert len(trim_edges(np.full(length, level, np.float32), TAKE_HZ)) >= 1
    click = np.zeros(length, np.float32)
    click[length // 2] = 1
    assert trim_edges(click, TAKE_HZ).max() == 1


@given(st.integers(1, 2000))
def test_fades_start_and_end_near_zero_and_leave_the_middle_alone(length):
    faded = fade_edges(np.ones(length, np.float32), TAKE_HZ)
    if length >= 220:
        assert faded[0] < 1e-3 > faded[-1]
        assert np.all(faded[110:-110] == 1)
    assert np.allclose(faded, faded[::-1])
