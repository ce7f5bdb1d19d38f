"""Whole books in a cloned voice, through the studio's steps and the published package."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile

from narrate import studio
from narrate.config import Job
from narrate.core import seed_of
from narrate.errors import BackendError, UsageError, VoiceError
from narrate.store import Store
from narrate.studio.casting import cast, open_speech, prepare_voice
from tests.conftest import SAMPLE_WORDS
from tests.studio.conftest import run


@pytest.fixture
def recording(spoken_sample: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(spoken_sample, tmp_path / "me.wav"))


@pytest.fixture
def cloned(
    recording: Path, tiny_checkpoint: Path, data: Path, tmp_path: Path
) -> Callable[..., Job]:
    """Make a job that narrates the short story in the voice of the recording."""

    def job(**more) -> Job:
        given: dict[str, Any] = {
            "document": str(data / "short-story.txt"),
            "out": str(tmp_path / "out"),
            "voice": str(recording),
            "voice_text": SAMPLE_WORDS,
            "model": str(tiny_checkpoint),
            "frames_per_character": 0.02,
            "batch_size": 20,
            "attempts": 1,
        }
        return Job(**(given | more))

    return job


def spoil(recording: Path) -> None:
    """Make a recording useless without showing it: the same size, the same time of change."""
    facts = recording.stat()
    recording.write_bytes(b"\0" * facts.st_size)
    os.utime(recording, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def test_a_voice_that_changes_behind_the_plan_speaks_nothing_under_the_old_one_s_name(
    store: Store, cloned: Callable[..., Job], recording: Path
) -> None:
    job = cloned()
    book = studio.plan_book(store, job)
    samples, rate_hz = soundfile.read(recording)
    soundfile.write(recording, samples[::-1], rate_hz)
    with pytest.raises(VoiceError, match="has changed since the book was planned"):
        list(studio.speak(store, book.id, lambda _: None))
    assert not store.takes.get(key for _, key in store.chunks(book.id))
    again = studio.plan_book(store, job)
    assert again.speech_digest != book.speech_digest
    assert list(studio.speak(store, book.id, lambda _: None))


@pytest.mark.parametrize("attention", ["sdpa", pytest.param("eager", marks=pytest.mark.slow)])
def test_a_book_is_spoken_and_the_second_run_does_not_touch_the_recording(
    store: Store, cloned: Callable[..., Job], recording: Path, attention: str
) -> None:
    job = cloned(attention=attention, backend="official")
    notes: list[str] = []
    book = studio.plan_book(store, job)
    for chapter in studio.speak(store, book.id, lambda now: notes.extend(now.notes)):
        studio.stitch(store, book.id, chapter)
    delivered = studio.deliver(store, book.id)
    assert delivered.wav is not None
    assert soundfile.info(delivered.wav).duration > 5
    assert "voice me: computed and kept" in notes
    takes = store.takes.get(key for _, key in store.chunks(book.id))
    assert all(take.rate_hz == 24_000 for take in takes.values())
    assert all(take.seed == seed_of(key) for key, take in takes.items())
    spoil(recording)
    assert studio.finished(store, job) is not None
    assert prepare_voice(cast(job)) == ("voice me: from the cache",)
    store.takes.drop([next(iter(takes))])
    assert run(store, job).wav == delivered.wav


def test_another_voice_model_or_seed_speaks_everything_anew(
    store: Store, cloned: Callable[..., Job], checkpoint: Callable[[str], Path]
) -> None:
    keys = []
    for job in (
        cloned(),
        cloned(seed=1),
        cloned(voice_text="Other words are said here."),
        cloned(voice="qwen:ryan", voice_text=None, model=str(checkpoint("customvoice"))),
        Job(cloned().document, cloned().out),
    ):
        book = studio.plan_book(store, job)
        keys.append({key for _, key in store.chunks(book.id)})
    assert not set.intersection(*keys)
    assert len(set.union(*keys)) == sum(map(len, keys))


def test_a_batch_size_changes_nothing_that_is_kept(cloned: Callable[..., Job], home: Path) -> None:
    def identity(job: Job):
        backend, voice = open_speech(job)
        return backend.digest, backend.sampling, voice.digest

    assert identity(cloned(batch_size=1)) == identity(cloned(batch_size=64))


def test_a_job_s_switches_reach_the_engine(cloned: Callable[..., Job], home: Path) -> None:
    usual, _ = open_speech(cloned(backend="qwen", cuda_graphs=False, max_context=512))
    switches = {"kernels": "sdpa", "precision": "float32", "weights": "int8"}
    chosen, _ = open_speech(cloned(backend="qwen", **switches))
    assert dict(chosen.sampling.items() - usual.sampling.items()) == switches
    with pytest.raises(UsageError, match="--kernels"):
        open_speech(cloned(backend="qwen", kernels="fastest"))


def test_a_switch_that_the_speaker_has_not_is_named(
    data: Path, cloned: Callable[..., Job], home: Path
) -> None:
    story = str(data / "short-story.txt")
    plain, asked = cast(Job(story)), cast(Job(story, weights="int8", cuda_graphs=False))
    assert plain.notes == ()
    assert [note.split()[0] for note in asked.notes] == ["--weights", "--no-cuda-graphs"]
    assert all("preview backend" in note for note in asked.notes)
    engine = cast(cloned(backend="qwen", weights="int8"))
    assert not any("--weights" in note for note in engine.notes)


@pytest.mark.parametrize(
    ("name", "unused"),
    [
        ("qwen", {"--server", "--concurrency", "--attention", "--compile", "--cudnn-benchmark"}),
        ("official", {"--server", "--concurrency"}),
        ("remote", {"--attention", "--batch-size", "--compile", "--tf32", "--cudnn-benchmark"}),
    ],
)
def test_each_speaker_names_the_options_that_change_nothing(
    cloned: Callable[..., Job], home: Path, name: str, unused: set[str]
) -> None:
    every = {"concurrency": 3, "attention": "eager", "batch_size": 4, "seed": 1}
    every |= {"compile": "default", "tf32": True, "cudnn_benchmark": True}
    chosen = cast(cloned(backend=name, server="http://127.0.0.1:9", **every))
    named = [note.split()[0] for note in chosen.notes if "changes nothing" in note]
    assert set(named) == unused and len(named) == len(unused)


def test_no_voice_is_the_preview_voice_and_needs_no_model(data: Path, home: Path) -> None:
    chosen = cast(Job(str(data / "short-story.txt")))
    assert (chosen.backend.name, chosen.voice.name) == ("preview", "preview")
    assert chosen.checkpoint is None
    assert not home.exists()


def test_a_voice_is_never_replaced_by_another(
    cloned: Callable[..., Job], home: Path, checkpoint: Callable[[str], Path], tmp_path: Path
) -> None:
    refused = (
        (VoiceError, "own voice only", cloned(backend="preview")),
        (VoiceError, "no such voice", cloned(voice="nobody")),
        (VoiceError, "cannot speak with a named speaker", cloned(voice="qwen:ryan")),
        (VoiceError, "clones", cloned(voice=None, voice_text=None, voice_design="calm")),
        (VoiceError, "either given or described", cloned(voice_design="calm")),
        (VoiceError, "--voice-text says nothing without a voice", cloned(voice=None)),
        (VoiceError, "--model says nothing", cloned(voice=None, voice_text=None)),
        (VoiceError, "recording", cloned(model=str(checkpoint("customvoice")))),
        (UsageError, "needs a voice", cloned(backend="official", voice=None, voice_text=None)),
        (UsageError, "no backend called", cloned(backend="parrot")),
        (UsageError, "no control of its speed", cloned(speed=1.5)),
        (UsageError, "--attention", cloned(attention="magic")),
        (BackendError, "no such model folder", cloned(model=str(tmp_path / "nowhere"))),
        (VoiceError, "no such voice", cloned(voice="nobody", model=str(tmp_path / "nowhere"))),
    )
    for kind, words, job in refused:
        with pytest.raises(kind, match=words):
            cast(job)


def test_a_language_that_the_model_lacks_is_refused_before_anything_is_spoken(
    store: Store, cloned: Callable[..., Job]
) -> None:
    with pytest.raises(BackendError, match="does not speak 'cy'"):
        studio.plan_book(store, cloned(language="cy"))


def test_a_dry_run_downloads_nothing(
    store: Store, cloned: Callable[..., Job], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(BackendError, match="not on this machine yet"):
        studio.survey(store, cloned(model="nobody-there/no-such-model"))
