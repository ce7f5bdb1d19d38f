"""The one prompt of a voice: computed once, kept, verified, shared."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from narrate.core import Voice
from narrate.errors import VoiceError
from narrate.speech.models import Checkpoint, open_checkpoint
from narrate.speech.prompts import prompt_of
from narrate.speech.published import load_published
from narrate.speech.reference import RATE_HZ, read_reference
from narrate.speech.voice import VoiceRequest, open_voice
from tests.conftest import SAMPLE_WORDS


@pytest.fixture
def base(tiny_checkpoint: Path) -> Checkpoint:
    return open_checkpoint(tiny_checkpoint)


@pytest.fixture
def voice(spoken_sample: Path, home: Path, base: Checkpoint) -> Voice:
    return open_voice(VoiceRequest(str(spoken_sample), SAMPLE_WORDS), home, base).voice


def test_it_is_what_the_published_package_makes_of_the_recording(
    voice: Voice, base: Checkpoint, spoken_sample: Path
) -> None:
    found = prompt_of(voice, base).prompt
    reference = read_reference(spoken_sample)
    model = load_published().Qwen3TTSModel.from_pretrained(str(base.folder))
    [padded] = model.create_voice_clone_prompt((reference.padded, RATE_HZ), ref_text=SAMPLE_WORDS)
    [alone] = model.create_voice_clone_prompt((reference.samples, RATE_HZ), x_vector_only_mode=True)
    assert found.codes is not None
    assert found.speaker is not None
    np.testing.assert_array_equal(found.codes, padded.ref_code.numpy())
    np.testing.assert_allclose(found.speaker, alone.ref_spk_embedding.numpy(), atol=1e-5)
    assert found.reference_text == SAMPLE_WORDS
    assert found.codes.shape == (int(np.ceil(len(reference.padded) / 1920)), 16)


def test_the_second_time_it_comes_from_the_cache_in_no_time(voice: Voice, base: Checkpoint) -> None:
    first = prompt_of(voice, base)
    started = time.perf_counter()
    second = prompt_of(voice, base)
    took_s = time.perf_counter() - started
    assert (first.origin, second.origin) == ("computed and kept", "from the cache")
    assert took_s < 0.05
    assert first.prompt.codes is not None
    assert second.prompt.codes is not None
    assert second.prompt.codes.tobytes() == first.prompt.codes.tobytes()
    assert second.prompt.reference_text == SAMPLE_WORDS


def test_a_recording_that_changed_since_it_was_heard_is_kept_under_no_voice(
    spoken_sample: Path, tmp_path: Path, home: Path, base: Checkpoint
) -> None:
    samples, rate_hz = soundfile.read(spoken_sample)
    path = tmp_path / "me.wav"
    soundfile.write(path, samples, rate_hz)
    voice = open_voice(VoiceRequest(str(path), SAMPLE_WORDS), home, base).voice
    soundfile.write(path, samples[::-1], rate_hz)
    with pytest.raises(VoiceError, match="changed since"):
        prompt_of(voice, base)
    assert voice.prompt_path and not voice.prompt_path.exists()


def test_a_cached_one_needs_no_recording(voice: Voice, base: Checkpoint) -> None:
    prompt_of(voice, base)
    gone = replace(voice, reference_path=Path("/nowhere/me.wav"))
    assert prompt_of(gone, base).origin == "from the cache"


@pytest.mark.parametrize("damage", ["cut", "flipped", "foreign", "empty"])
def test_a_damaged_one_is_computed_again_and_said(
    voice: Voice, base: Checkpoint, damage: str
) -> None:
    path = voice.prompt_path
    assert path is not None
    first = prompt_of(voice, base)
    content = bytearray(path.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "flipped":
        content[-5] ^= 1
    elif damage == "empty":
        content.clear()
    else:
        content = bytearray(b"another program's file, of no use here")
    path.write_bytes(content)
    again = prompt_of(voice, base)
    assert "damaged" in again.origin
    assert first.prompt.codes is not None
    assert again.prompt.codes is not None
    assert again.prompt.codes.tobytes() == first.prompt.codes.tobytes()
    assert prompt_of(voice, base).origin == "from the cache"


def test_one_of_another_voice_under_its_name_is_not_believed(
    voice: Voice, base: Checkpoint, home: Path
) -> None:
    prompt_of(voice, base)
    assert voice.prompt_path is not None
    renamed = replace(voice, digest="0" * 64, prompt_path=home / "voices" / "0.safetensors")
    assert renamed.prompt_path is not None
    renamed.prompt_path.write_bytes(voice.prompt_path.read_bytes())
    assert "damaged" in prompt_of(renamed, base).origin


def test_without_a_transcript_it_holds_the_speaker_alone(
    spoken_sample: Path, home: Path, base: Checkpoint
) -> None:
    voice = open_voice(VoiceRequest(str(spoken_sample)), home, base).voice
    for _ in range(2):
        prompt = prompt_of(voice, base).prompt
        assert prompt.codes is None
        assert prompt.reference_text is None
        assert prompt.speaker is not None
        assert prompt.speaker.shape == (64,)


@pytest.mark.slow
def test_two_workers_that_start_together_compute_it_once(
    spoken_sample: Path, home: Path, base: Checkpoint
) -> None:
    probe = (
        "import sys; from pathlib import Path\n"
        "from narrate.speech.models import open_checkpoint\n"
        "from narrate.speech.prompts import prompt_of\n"
        "from narrate.speech.voice import VoiceRequest, open_voice\n"
        "base = open_checkpoint(Path(sys.argv[1]))\n"
        "opened = open_voice(VoiceRequest(sys.argv[2], 'words'), Path(sys.argv[3]), base)\n"
        "print(prompt_of(opened.voice, base).origin)\n"
    )
    command = [sys.executable, "-c", probe, str(base.folder), str(spoken_sample), str(home)]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(worker.communicate(timeout=120)[0].strip() for worker in workers)
    assert said == ["computed and kept", "from the cache"]
    assert not list((home / "voices").glob("*.part"))


def test_a_voice_without_a_recording_is_refused(base: Checkpoint) -> None:
    with pytest.raises(VoiceError, match="no recording"):
        prompt_of(Voice("preview", "0" * 64), base)
