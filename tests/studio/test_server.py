"""Whole books spoken by a server, over real HTTP on the loopback."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from narrate import studio
from narrate.config import Job, Settings
from narrate.errors import BackendError, UsageError, VoiceError
from narrate.speech.remote import RemoteBackend
from narrate.store import Store
from narrate.studio.casting import cast
from tests.conftest import SAMPLE_WORDS
from tests.speech import speech_server as acts
from tests.speech.speech_server import SpeechServer
from tests.studio.conftest import run

KEY = "sk-secret-of-the-test"


@pytest.fixture
def server() -> Iterator[SpeechServer]:
    with acts.serving() as running:
        yield running


@pytest.fixture
def asking(job: Job, server: SpeechServer, spoken_sample: Path) -> Job:
    """A job that lets the server speak in the voice of a recording."""
    return dataclasses.replace(
        job,
        voice=str(spoken_sample),
        voice_text=SAMPLE_WORDS,
        server=server.url,
        model="1.7b",
    )


def backend_of(job: Job) -> RemoteBackend:
    backend = cast(job).backend
    assert isinstance(backend, RemoteBackend)
    return backend


def test_a_book_is_spoken_by_a_server_each_text_once(
    store: Store, asking: Job, server: SpeechServer
) -> None:
    book = studio.plan_book(store, asking).id
    delivered = run(store, asking)
    assert delivered.wav is not None
    assert soundfile.info(delivered.wav).duration > 5
    chunks = [chunk.spoken for chunk, _ in store.chunks(book)]
    assert sorted(server.texts()) == sorted(chunks)
    takes = store.takes.get(key for _, key in store.chunks(book))
    assert {take.rate_hz for take in takes.values()} == {acts.RATE_HZ}
    assert {one.body["model"] for one in server.asked} == {"Qwen/Qwen3-TTS-12Hz-1.7B-Base"}
    assert {one.body["seed"] for one in server.asked} == {take.seed for take in takes.values()}


def test_a_finished_book_asks_no_server_and_does_not_mind_where_it_is(
    store: Store, asking: Job, server: SpeechServer
) -> None:
    run(store, asking)
    asked = len(server.asked)
    moved = dataclasses.replace(asking, server="http://127.0.0.1:9", concurrency=3)
    assert studio.finished(store, asking) is not None
    assert studio.finished(store, moved) is not None
    assert studio.finished(store, dataclasses.replace(asking, model="0.6b")) is None
    assert len(server.asked) == asked


def test_what_was_spoken_before_a_refusal_is_not_asked_for_again(
    store: Store, asking: Job, server: SpeechServer
) -> None:
    job = dataclasses.replace(asking, concurrency=1)
    text = "He tried it twice."
    book = studio.plan_book(store, job)
    [refused] = [c.spoken for c, _ in store.chunks(book.id) if text in c.spoken]
    server.script[refused] = [acts.fail(400, "not this one")]
    with pytest.raises(BackendError, match="not this one"):
        run(store, job)
    before = server.texts()
    run(store, job)
    again = server.texts()[len(before) :]
    assert again[0] == refused
    assert not set(again[1:]) & set(before)


def test_a_named_server_speaks_unless_another_backend_is_asked_for(
    asking: Job, server: SpeechServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert backend_of(asking).server.url == server.url
    monkeypatch.setenv("NARRATE_SERVER_URL", "http://elsewhere:8091")
    assert backend_of(asking).server.url == server.url
    unnamed = dataclasses.replace(asking, server=None)
    assert backend_of(unnamed).server.url == "http://elsewhere:8091"
    silent = dataclasses.replace(unnamed, voice=None, voice_text=None)
    with pytest.raises(VoiceError, match="--model says nothing without a voice"):
        cast(silent)
    assert cast(dataclasses.replace(silent, model=None)).backend.name == "preview"
    assert not server.asked


def test_a_server_without_a_voice_is_refused(asking: Job) -> None:
    silent = dataclasses.replace(asking, voice=None, voice_text=None)
    for job in (silent, dataclasses.replace(silent, backend="remote", server=None)):
        with pytest.raises(UsageError, match="needs a voice"):
            cast(job)


def test_the_remote_backend_without_a_server_is_refused(asking: Job, home: Path) -> None:
    with pytest.raises(UsageError, match="NARRATE_SERVER_URL"):
        cast(dataclasses.replace(asking, backend="remote", server=None))


def test_a_speaker_of_the_server_s_model_needs_no_model_here(
    store: Store, asking: Job, server: SpeechServer
) -> None:
    run(store, dataclasses.replace(asking, voice="qwen:ryan", voice_text=None))
    assert {one.body["task_type"] for one in server.asked} == {"CustomVoice"}
    assert {one.body["model"] for one in server.asked} == {"Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice"}


def test_the_key_comes_from_the_environment_and_is_kept_nowhere(
    store: Store, asking: Job, server: SpeechServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NARRATE_API_KEY", f" {KEY}\n")
    without_key = cast(dataclasses.replace(asking)).backend.digest
    delivered = run(store, asking)
    assert {one.headers["Authorization"] for one in server.asked} == {f"Bearer {KEY}"}
    settings = Settings.from_environment()
    assert settings.api_key == KEY
    assert KEY not in repr(settings)
    assert KEY not in repr(cast(asking)) + str(asking.parameters())
    monkeypatch.delenv("NARRATE_API_KEY")
    assert cast(asking).backend.digest == without_key
    assert delivered.wav is not None
    kept = [*settings.home.rglob("*"), *Path(delivered.wav).parent.rglob("*")]
    assert not [path for path in kept if path.is_file() and KEY.encode() in path.read_bytes()]
