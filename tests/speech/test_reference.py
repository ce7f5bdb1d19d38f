"""Recordings of a voice: what is read, and what is refused in which words."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from narrate.errors import VoiceError
from narrate.speech.reference import RATE_HZ, SILENCE_S, read_reference

SECONDS = 2.0


def tone(rate_hz: int, channels: int = 1, seconds: float = SECONDS) -> np.ndarray:
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return np.stack([0.3 * np.sin(2 * np.pi * 440 * time_s)] * channels, axis=1)


def refusal(path: Path) -> str:
    with pytest.raises(VoiceError) as caught:
        read_reference(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def loudest_hz(samples: np.ndarray) -> float:
    return float(np.abs(np.fft.rfft(samples)).argmax() * RATE_HZ / len(samples))


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize(("rate_hz", "channels"), [(48_000, 2), (44_100, 1), (24_000, 1)])
def test_any_format_rate_and_channels_become_mono_at_24_khz(
    tmp_path: Path, ending: str, rate_hz: int, channels: int
) -> None:
    path = tmp_path / f"me.{ending}"
    soundfile.write(path, tone(rate_hz, channels), rate_hz)
    reference = read_reference(path)
    assert reference.samples.dtype == np.float32
    assert reference.samples.ndim == 1
    assert reference.duration_s == pytest.approx(SECONDS, abs=0.1)
    assert loudest_hz(reference.samples) == pytest.approx(440, abs=2)
    assert not reference.notes


def test_half_a_second_of_silence_stands_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "me.wav"
    soundfile.write(path, tone(RATE_HZ), RATE_HZ)
    reference = read_reference(path)
    tail = reference.padded[len(reference.samples) :]
    assert len(tail) == round(SILENCE_S * RATE_HZ)
    assert not tail.any()


def test_a_telephone_s_8_khz_is_read_and_said(tmp_path: Path) -> None:
    path = tmp_path / "phone.wav"
    soundfile.write(path, tone(8_000), 8_000)
    reference = read_reference(path)
    assert reference.duration_s == pytest.approx(SECONDS, abs=0.01)
    assert "8000 Hz" in reference.notes[0]


def test_a_long_one_is_read_and_said(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, tone(16_000, seconds=40), 16_000)
    assert "40 s long" in read_reference(path).notes[0]


def test_a_missing_file_a_folder_and_an_empty_file_are_refused(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "nobody.wav")
    assert "directory" in refusal(tmp_path)
    (tmp_path / "empty.wav").touch()
    assert "is empty" in refusal(tmp_path / "empty.wav")


def test_a_silent_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "silent.wav"
    soundfile.write(path, 0.0005 * tone(RATE_HZ), RATE_HZ)
    assert "is silent" in refusal(path)


@pytest.mark.parametrize("seconds", [0.0, 0.3])
def test_one_that_is_too_short_is_refused(tmp_path: Path, seconds: float) -> None:
    path = tmp_path / "short.wav"
    soundfile.write(path, tone(RATE_HZ, seconds=seconds), RATE_HZ)
    assert "too short" in refusal(path)


def test_an_hour_is_refused_without_being_decoded_whole(tmp_path: Path) -> None:
    path = tmp_path / "hour.flac"
    with soundfile.SoundFile(path, "w", 8_000, 1) as file:
        for _ in range(60):
            file.write(tone(8_000, seconds=60))
    assert "longer than 60 s" in refusal(path)


def test_what_is_no_audio_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "letter.wav"
    path.write_text("Dear Anna, this is no recording. " * 20)
    assert "no audio" in refusal(path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "install ffmpeg" in refusal(path)


def test_values_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "nan.wav"
    samples = tone(RATE_HZ)
    samples[100] = np.nan
    soundfile.write(path, samples, RATE_HZ, subtype="FLOAT")
    assert "no numbers" in refusal(path)


@pytest.mark.skipif(
    not all(map(shutil.which, ("ffmpeg", "ffprobe"))), reason="needs ffmpeg and ffprobe"
)
@pytest.mark.parametrize("ending", ["m4a", "webm"])
def test_other_formats_are_read_by_ffmpeg(tmp_path: Path, ending: str) -> None:
    soundfile.write(tmp_path / "me.wav", tone(48_000, 2), 48_000)
    path = tmp_path / f"me.{ending}"
    command = ["ffmpeg", "-loglevel", "error", "-i", str(tmp_path / "me.wav"), str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    reference = read_reference(path)
    assert reference.duration_s == pytest.approx(SECONDS, abs=0.1)
    assert loudest_hz(reference.samples) == pytest.approx(440, abs=2)
