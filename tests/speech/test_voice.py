"""Who speaks: recordings, kept voices, named speakers and described ones."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import soundfile

from narrate.errors import VoiceError
from narrate.speech.models import Checkpoint, open_checkpoint
from narrate.speech.registry import add_voice, kept_voices, remove_voice
from narrate.speech.voice import VoiceRequest, open_voice
from tests.conftest import SAMPLE_WORDS


@pytest.fixture
def recording(spoken_sample: Path, tmp_path: Path) -> Path:
    """Give a copy of the sample that a test may change."""
    return Path(shutil.copy(spoken_sample, tmp_path / "me.wav"))


@pytest.fixture
def base(tiny_checkpoint: Path) -> Checkpoint:
    return open_checkpoint(tiny_checkpoint)


@pytest.fixture
def digest_of(home: Path, base: Checkpoint) -> Callable[..., str]:
    def digest(recording: Path, text: str | None = SAMPLE_WORDS) -> str:
        return open_voice(VoiceRequest(str(recording), text), home, base).voice.digest

    return digest


def refusal(request: VoiceRequest, home: Path, checkpoint: Checkpoint) -> str:
    with pytest.raises(VoiceError) as caught:
        open_voice(request, home, checkpoint)
    return str(caught.value)


def test_a_voice_is_what_the_model_hears_and_reads(
    recording: Path, digest_of: Callable[..., str], tmp_path: Path
) -> None:
    samples, rate_hz = soundfile.read(recording)
    first = digest_of(recording)
    soundfile.write(tmp_path / "copy.flac", samples, rate_hz)
    assert digest_of(tmp_path / "copy.flac") == first
    soundfile.write(tmp_path / "quieter.wav", 0.5 * samples, rate_hz)
    others = [digest_of(tmp_path / "quieter.wav"), digest_of(recording, "Other words.")]
    others.append(digest_of(recording, None))
    assert len({first, *others}) == 4


def test_another_model_makes_it_another_voice(
    recording: Path, home: Path, base: Checkpoint, checkpoint: Callable[[str], Path]
) -> None:
    request = VoiceRequest(str(recording), SAMPLE_WORDS)
    other = open_voice(request, home, None, model_digest="another")
    assert open_voice(request, home, base).voice.digest != other.voice.digest


def test_a_known_recording_is_not_opened_again(
    recording: Path, digest_of: Callable[..., str]
) -> None:
    first = digest_of(recording)
    facts = recording.stat()
    recording.write_bytes(b"x" * facts.st_size)
    os.utime(recording, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert digest_of(recording) == first
    os.utime(recording)
    with pytest.raises(VoiceError, match="no audio"):
        digest_of(recording)


def test_a_damaged_memory_of_a_recording_is_made_again(
    recording: Path, digest_of: Callable[..., str], home: Path
) -> None:
    first = digest_of(recording)
    [note] = (home / "voices" / "heard").iterdir()
    note.write_text('{"seen": ')
    assert digest_of(recording) == first


def test_the_transcript_is_given_or_in_a_file_or_beside(
    recording: Path, home: Path, base: Checkpoint, tmp_path: Path
) -> None:
    (tmp_path / "words.txt").write_text("﻿Said  in\nthe file.\n", encoding="utf-8")
    in_file = VoiceRequest(str(recording), text_file=str(tmp_path / "words.txt"))
    assert open_voice(in_file, home, base).voice.reference_text == "Said in the file."
    recording.with_suffix(".txt").write_text("Said beside.")
    beside = open_voice(VoiceRequest(str(recording)), home, base)
    assert beside.voice.reference_text == "Said beside."
    assert not beside.notes


def test_without_a_transcript_it_says_that_only_the_sound_is_used(
    recording: Path, home: Path, base: Checkpoint
) -> None:
    opened = open_voice(VoiceRequest(str(recording)), home, base)
    assert opened.voice.reference_text is None
    assert "no transcript" in opened.notes[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [(" \n", "is empty"), ("word " * 200, "more than anyone says")],
    ids=["empty", "far too long"],
)
def test_a_transcript_that_cannot_be_one_is_refused(
    recording: Path, home: Path, base: Checkpoint, text: str, words: str
) -> None:
    assert words in refusal(VoiceRequest(str(recording), text), home, base)
    recording.with_suffix(".txt").write_text(text)
    assert words in refusal(VoiceRequest(str(recording)), home, base)


def test_transcript_files_that_cannot_be_read_are_refused(
    recording: Path, home: Path, base: Checkpoint, tmp_path: Path
) -> None:
    missing = VoiceRequest(str(recording), text_file=str(tmp_path / "no.txt"))
    assert "cannot be read" in refusal(missing, home, base)
    (tmp_path / "latin.txt").write_bytes(b"na\xefve")
    latin = VoiceRequest(str(recording), text_file=str(tmp_path / "latin.txt"))
    assert "UTF-8" in refusal(latin, home, base)
    assert "twice" in refusal(VoiceRequest(str(recording), "a", "b.txt"), home, base)


def test_a_missing_recording_names_the_ways_to_give_one(home: Path, base: Checkpoint) -> None:
    said = refusal(VoiceRequest("nobody"), home, base)
    assert "no such voice" in said
    assert "narrate voice list" in said


def test_a_kept_voice_is_a_copy_with_its_transcript(
    recording: Path, home: Path, base: Checkpoint
) -> None:
    add_voice(home, "anna", recording, SAMPLE_WORDS)
    recording.unlink()
    voice = open_voice(VoiceRequest("anna"), home, base).voice
    assert (voice.name, voice.reference_text) == ("anna", SAMPLE_WORDS)
    assert [kept.name for kept in kept_voices(home)] == ["anna"]
    remove_voice(home, "anna")
    assert kept_voices(home) == []
    assert "no such voice" in refusal(VoiceRequest("anna"), home, base)


def test_names_that_clash_or_lead_elsewhere_are_refused(recording: Path, home: Path) -> None:
    add_voice(home, "anna", recording, None)
    for name, words in (("anna", "already"), ("../anna", "cannot be"), ("", "cannot be")):
        with pytest.raises(VoiceError, match=words):
            add_voice(home, name, recording, None)
    with pytest.raises(VoiceError, match="no such voice"):
        remove_voice(home, "../voices/named/anna")
    assert len(kept_voices(home)) == 1


def test_named_speakers_are_the_checkpoint_s(
    home: Path, base: Checkpoint, checkpoint: Callable[[str], Path]
) -> None:
    custom = open_checkpoint(checkpoint("customvoice"))
    ryan = open_voice(VoiceRequest("qwen:Ryan"), home, custom).voice
    assert (ryan.name, ryan.speaker_name, ryan.prompt_path) == ("qwen:ryan", "ryan", None)
    vivian = open_voice(VoiceRequest("qwen:vivian"), home, custom).voice
    assert ryan.digest != vivian.digest
    said = refusal(VoiceRequest("qwen:nobody"), home, custom)
    assert "qwen:dylan, qwen:ryan, qwen:vivian" in said
    assert "cannot speak with a named speaker" in refusal(VoiceRequest("qwen:ryan"), home, base)
    assert "no transcript" in refusal(VoiceRequest("qwen:ryan", "words"), home, custom)


def test_a_description_needs_a_model_that_makes_voices(
    recording: Path, home: Path, base: Checkpoint, checkpoint: Callable[[str], Path]
) -> None:
    design = open_checkpoint(checkpoint("voicedesign"))
    voice = open_voice(VoiceRequest(design="a  calm old man"), home, design).voice
    assert voice.instruct == "a calm old man"
    assert "cannot speak with a description" in refusal(VoiceRequest(design="calm"), home, base)
    assert "is empty" in refusal(VoiceRequest(design=" "), home, design)
    assert "cannot speak with the recording" in refusal(VoiceRequest(str(recording)), home, design)


def test_of_many_that_add_a_name_at_once_one_does_and_its_words_go_with_its_sound(
    recording: Path, tmp_path: Path, home: Path
) -> None:
    samples, rate_hz = soundfile.read(recording)
    paths = [tmp_path / f"{number}.wav" for number in range(8)]
    for number, path in enumerate(paths):
        soundfile.write(path, samples[number:], rate_hz)

    def add(path: Path) -> bool:
        try:
            add_voice(home, "crowd", path, path.stem)
        except VoiceError:
            return False
        return True

    with ThreadPoolExecutor(len(paths)) as pool:
        assert sum(pool.map(add, paths)) == 1
    [kept] = [voice for voice in kept_voices(home) if voice.name == "crowd"]
    assert kept.recording.read_bytes() == (tmp_path / f"{kept.transcript}.wav").read_bytes()
    remove_voice(home, "crowd")
    assert not [path for path in kept.recording.parent.iterdir() if "crowd" in path.name]
