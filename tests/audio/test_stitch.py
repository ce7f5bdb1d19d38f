import dataclasses
import itertools
import tracemalloc

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from narrate.audio.edges import trim_edges
from narrate.audio.stitch import StoppedError, join_book, stitch_chapter
from narrate.audio.takes import DamagedTakeError, decode_take
from narrate.audio.wav import wav_bytes

from .conftest import TAKE_HZ, silence, tone


def read(path):
    samples, rate_hz = soundfile.read(path, dtype="int16")
    assert rate_hz == 44_100
    return samples


def rms_dbfs(samples):
    return 10 * np.log10(np.mean(np.square(samples / 32_768, dtype=np.float64)))


def longest_zero_run(samples):
    edges = np.flatnonzero(np.diff(np.concatenate([[0], samples == 0, [0]]).astype(np.int8)))
    return int(np.diff(edges)[::2].max(initial=0))


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.floats(0.05, 0.6), st.floats(0, 0.3), st.floats(0, 1.5)),
        min_size=1,
        max_size=6,
    )
)
def test_a_chapter_is_as_long_as_its_trimmed_takes_and_pauses(tmp_path, part, plan):
    parts = [
        part(np.concatenate([silence(quiet_s), tone(speech_s), silence(quiet_s)]), pause_s)
        for speech_s, quiet_s, pause_s in plan
    ]
    done = stitch_chapter(parts, tmp_path / "c.wav", seed=1)
    speech = [len(trim_edges(*decode_take(p.audio_path))) for p in parts]
    pauses = [round(p.pause_after_s * TAKE_HZ) for p in parts]
    assert abs(done.samples - 2 * (sum(speech) + sum(pauses))) <= 1
    assert len(read(done.path)) == done.samples
    assert done.path.stat().st_size == wav_bytes(done.samples / 44_100)
    lengths = itertools.accumulate(s + p for s, p in zip(speech, pauses, strict=True))
    assert done.starts == (0, *(2 * n for n in list(lengths)[:-1]))
    assert [e - s for s, e in zip(done.starts, done.ends, strict=True)] == [2 * n for n in speech]


def test_pauses_hold_room_tone_and_nothing_is_digital_silence(tmp_path, part):
    take = np.concatenate([silence(0.3), tone(0.4), silence(0.5), tone(0.4), silence(0.3)])
    done = stitch_chapter([part(take, 1.0), part(take, 2.0)], tmp_path / "c.wav", seed=1)
    samples = read(done.path)
    assert longest_zero_run(samples) < 44_100 // 100
    for end, after in zip(done.ends, (*done.starts[1:], done.samples), strict=True):
        pause = samples[end + 441 : after - 441]
        assert -74 < rms_dbfs(pause) < -70
    inside = samples[done.starts[0] + 30_000 : done.starts[0] + 36_000]
    assert -74 < rms_dbfs(inside) < -70


def test_no_join_clicks_even_where_a_take_starts_and_ends_at_full_swing(tmp_path, part):
    loud = np.full(TAKE_HZ // 2, 0.6, np.float32)
    done = stitch_chapter([part(loud, 0.2)] * 3, tmp_path / "c.wav", seed=1)
    # a raised cosine of 5 ms to 0.6 rises by at most 0.6 * pi / 2 / 220 a sample
    largest = np.abs(np.diff(read(done.path).astype(np.int32))).max() / 32_768
    assert largest < 0.6 * np.pi / 2 / 220 * 1.5


def test_takes_back_to_back_have_no_step_between_them(tmp_path, part):
    loud = np.full(TAKE_HZ // 2, 0.6, np.float32)
    done = stitch_chapter([part(loud, 0.0)] * 3, tmp_path / "c.wav", seed=1)
    assert np.abs(np.diff(read(done.path).astype(np.int32))).max() / 32_768 < 0.01


def test_the_same_parts_and_seed_give_the_same_bytes_and_another_seed_does_not(tmp_path, part):
    parts = [part(tone(0.3, hz=hz)) for hz in (200, 300, 400)]
    files = [tmp_path / "a.wav", tmp_path / "b.wav", tmp_path / "c.wav"]
    for file, seed in zip(files, (7, 7, 8), strict=True):
        stitch_chapter(parts, file, seed=seed)
    a, b, c = (file.read_bytes() for file in files)
    assert a == b != c


def test_a_take_of_another_rate_is_brought_to_the_first_ones(tmp_path, part):
    parts = [part(tone(1), 0.0), part(tone(1, rate_hz=24_000), 0.0, rate_hz=24_000)]
    done = stitch_chapter(parts, tmp_path / "c.wav", seed=1)
    assert abs(done.samples - 2 * 44_100) <= 2
    second = read(done.path)[done.starts[1] + 4410 :][:22_050]
    assert int(np.abs(np.fft.rfft(second)).argmax()) == 220  # bins of 2 Hz: 440 Hz


def test_gain_is_linear(tmp_path, part):
    parts = [part(tone(1, level=0.2), 0.0)]
    plain = stitch_chapter(parts, tmp_path / "a.wav", seed=1)
    double = stitch_chapter(parts, tmp_path / "b.wav", seed=1, gain=2.0)
    assert abs(rms_dbfs(read(double.path)) - rms_dbfs(read(plain.path)) - 6.0206) < 0.001


def test_memory_does_not_grow_with_the_number_of_parts(tmp_path, part):
    one = part(tone(0.1), 0.02)
    peaks = []
    stitch_chapter([one], tmp_path / "c.wav", seed=1)
    for count in (100, 1000):
        tracemalloc.start()
        stitch_chapter((one for _ in range(count)), tmp_path / "c.wav", seed=1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # two numbers a part are kept: where its speech starts and ends
    assert peaks[1] - peaks[0] < 900 * 200


def test_a_damaged_take_is_named_and_the_old_chapter_stays(tmp_path, part):
    good, bad = part(tone(0.2)), part(tone(0.3))
    out = tmp_path / "c.wav"
    stitch_chapter([good], out, seed=1)
    before = out.read_bytes()
    content = bytearray(bad.audio_path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    bad.audio_path.write_bytes(content)
    with pytest.raises(DamagedTakeError) as caught:
        stitch_chapter([good, bad], out, seed=1)
    assert caught.value.path == bad.audio_path
    assert out.read_bytes() == before
    assert not list(tmp_path.glob("*.part"))


def test_without_a_digest_a_take_is_read_as_it_is(tmp_path, part):
    bare = dataclasses.replace(part(tone(0.2)), sha256=None)
    assert stitch_chapter([bare], tmp_path / "c.wav", seed=1).samples


def test_a_stop_leaves_nothing_behind(tmp_path, part):
    asked = itertools.count()
    with pytest.raises(StoppedError):
        stitch_chapter(
            [part(tone(0.2))] * 9, tmp_path / "c.wav", seed=1, stop=lambda: next(asked) == 4
        )
    assert next(asked) == 5
    assert not list(tmp_path.glob("*.wav*"))


def test_a_chapter_of_no_parts_is_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one"):
        stitch_chapter([], tmp_path / "c.wav", seed=1)
    assert not list(tmp_path.iterdir())


def test_a_book_is_its_chapters_end_to_end(tmp_path, part):
    chapters = [
        stitch_chapter([part(tone(0.2, hz=hz))], tmp_path / f"{hz}.wav", seed=hz)
        for hz in (200, 300, 400)
    ]
    book = join_book([c.path for c in chapters], tmp_path / "book.wav")
    parts = [read(c.path) for c in chapters]
    assert np.array_equal(read(book.path), np.concatenate(parts))
    assert book.samples == sum(map(len, parts))
    assert book.starts == (0, len(parts[0]), len(parts[0]) + len(parts[1]))


def test_a_stop_while_joining_leaves_nothing_behind(tmp_path, part):
    chapter = stitch_chapter([part(tone(0.2))], tmp_path / "c.wav", seed=1)
    with pytest.raises(StoppedError):
        join_book([chapter.path], tmp_path / "book.wav", stop=lambda: True)
    assert not list(tmp_path.glob("book*"))
