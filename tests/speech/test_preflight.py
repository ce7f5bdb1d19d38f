"""Recordings with one planted fault each: the fault is found, and nothing else is."""

import numpy as np
import pytest
import soundfile
import soxr  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from narrate.core import Utterance
from narrate.errors import VoiceError
from narrate.speech.backend import SpeechOptions
from narrate.speech.preflight import Severity, judge, measure, preflight, worst
from narrate.speech.preview import PreviewBackend, preview_voice

RATE_HZ = 24_000
WORDS = (
    "It is a truth universally acknowledged, that a single man in possession of a good fortune, "
    "must be in want of a wife. However little known the feelings of such a man may be."
)


@pytest.fixture(scope="module")
def good():
    """Some nine seconds of clear speech in a quiet room, [samples, 1] at 24 kHz."""
    backend = PreviewBackend(SpeechOptions())
    [spoken] = backend.speak(iter([Utterance("key", WORDS, "en", seed=0)]), preview_voice())
    samples = soxr.resample(spoken.samples.astype(np.float32) / 32768, spoken.rate_hz, RATE_HZ)
    room = np.random.default_rng(0).normal(0, 1e-4, len(samples))
    return (0.8 * samples + room).astype(np.float32).reshape(-1, 1)


def noisy(samples, level):
    return samples + np.random.default_rng(1).normal(0, level, samples.shape).astype(np.float32)


def telephone(samples):
    narrow = soxr.resample(soxr.resample(samples[:, 0], RATE_HZ, 8000), 8000, RATE_HZ)
    return noisy(narrow.reshape(-1, 1), 1e-5)


def padded(samples, times):
    return noisy(np.concatenate([samples, np.zeros((times * len(samples), 1), np.float32)]), 1e-4)


# fault: (what is done to the good recording, its transcript, the rule that finds it, how bad)
PLANTED = {
    "too short": (lambda x: x[: 2 * RATE_HZ], WORDS[:35], "length", "warning"),
    "far too short": (lambda x: x[:7200], WORDS, "length", "unusable"),
    "too long": (lambda x: np.tile(x, (4, 1)), 4 * WORDS, "length", "warning"),
    "far too long": (lambda x: np.tile(x, (7, 1)), 7 * WORDS, "length", "unusable"),
    "silent": (lambda x: np.zeros_like(x), WORDS, "peak", "unusable"),
    "too quiet": (lambda x: x * 0.1, WORDS, "level", "warning"),
    "clipped": (lambda x: np.clip(x * 2, -0.8, 0.8), WORDS, "clipping", "warning"),
    "clipped, then turned down": (
        lambda x: 0.3 * np.clip(x * 2, -0.8, 0.8),
        WORDS,
        "clipping",
        "warning",
    ),
    "badly clipped": (lambda x: np.clip(x * 6, -0.6, 0.6), WORDS, "clipping", "unusable"),
    "noise": (lambda x: noisy(x, 0.012), WORDS, "noise", "warning"),
    "drowned in noise": (lambda x: noisy(x, 0.1), WORDS, "noise", "unusable"),
    "silence at the end": (lambda x: padded(x, 2), WORDS, "silence", "warning"),
    "a telephone": (telephone, WORDS, "bandwidth", "warning"),
    "no transcript": (lambda x: x, None, "transcript", "warning"),
    "transcript of a part": (lambda x: x, WORDS[:50], "transcript", "warning"),
    "transcript of one word": (lambda x: x, "It", "transcript", "unusable"),
    "another transcript": (lambda x: x, 2 * WORDS, "transcript", "warning"),
    "a whole book": (lambda x: x, 50 * WORDS, "transcript", "unusable"),
}


def test_a_good_recording_with_its_transcript_is_fine(good):
    findings = judge(measure(good, RATE_HZ, WORDS))
    assert worst(findings) is Severity.FINE
    assert len(findings) == 8
    assert not [finding for finding in findings if finding.advice]


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found_and_nothing_else(good, fault):
    spoil, transcript, name, severity = PLANTED[fault]
    findings = judge(measure(spoil(good), RATE_HZ, transcript))
    bad = {one.name: one.severity for one in findings if one.severity is not Severity.FINE}
    assert bad.keys() == {name}
    assert bad[name] == severity
    assert all(one.advice for one in findings if one.name in bad)


def test_nothing_more_is_said_of_a_recording_that_fails_at_once(good):
    findings = judge(measure(good[:2400], RATE_HZ, WORDS))
    assert [finding.name for finding in findings] == ["length"]


def test_forty_seconds_of_reference_are_said_to_cost_500_frames(good):
    [length] = [
        f for f in judge(measure(np.tile(good, (4, 1)), RATE_HZ, None)) if f.name == "length"
    ]
    assert "500" in length.advice


def test_two_channels_are_heard_as_one_and_clipping_in_one_of_them_is_found(good):
    clipped = np.clip(good * 2, -0.8, 0.8)
    measures = measure(np.concatenate([good, clipped], axis=1), RATE_HZ, WORDS)
    assert measures.channels == 2
    assert {f.name for f in judge(measures) if f.severity is not Severity.FINE} == {"clipping"}


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 44_100, 48_000])
def test_the_verdict_does_not_depend_on_the_rate(good, rate_hz):
    samples = soxr.resample(good[:, 0], RATE_HZ, rate_hz).reshape(-1, 1)
    assert worst(judge(measure(samples, rate_hz, WORDS))) is Severity.FINE


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(width=32), max_size=3000), st.sampled_from([8000, 24_000]))
def test_any_samples_are_measured_and_judged(values, rate_hz):
    samples = np.array(values, np.float32).reshape(-1, 1)
    assert judge(measure(samples, rate_hz, "words"))


def test_a_file_is_measured_as_it_is_on_disk(good, tmp_path):
    path = tmp_path / "me.flac"
    soundfile.write(path, good, RATE_HZ)
    measures, findings = preflight(path, WORDS)
    assert measures.rate_hz == RATE_HZ
    assert worst(findings) is Severity.FINE


def test_a_long_recording_is_said_to_be_longer_than_what_was_read(good, tmp_path):
    path = tmp_path / "long.wav"
    soundfile.write(path, np.tile(good, (9, 1)), RATE_HZ)
    _, [length] = preflight(path, None)
    assert (length.name, length.found) == ("length", "more than 60 s")


def test_what_is_no_recording_is_refused(tmp_path):
    path = tmp_path / "me.wav"
    for content in (b"", b"no audio at all"):
        path.write_bytes(content)
        with pytest.raises(VoiceError, match=r"me\.wav"):
            preflight(path, None)
    with pytest.raises(VoiceError, match="cannot be read"):
        preflight(tmp_path / "nobody.wav", None)
