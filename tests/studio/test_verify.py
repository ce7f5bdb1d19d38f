"""A take is listened to before it counts as good; what says other words is spoken again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from narrate import studio
from narrate.config import Job
from narrate.errors import UsageError
from narrate.speech.asr import open_recogniser
from narrate.store import Store
from tests.speech.speech_server import SpeechServer, say, sound_of
from tests.studio import recogniser

from .conftest import run
from .test_attempts import job, server, sound, words

__all__ = ["job", "server", "words"]
OTHER = "Nothing of the kind was ever said by anybody in that house."


@pytest.fixture
def listening(job: Job, store: Store, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Give a job with a recogniser that knows every chunk of its book."""
    monkeypatch.setattr(recogniser, "KNOWN", {})
    book = studio.plan_book(store, job)
    for chunk, _ in store.chunks(book.id):
        recogniser.told(sound_of(chunk.spoken), chunk.spoken.upper())
    recogniser.told(sound_of(OTHER), OTHER)
    return replace(job, verify_asr="tests.studio.recogniser:hears")


def test_a_take_with_other_words_is_spoken_again(
    store: Store, listening: Job, server: SpeechServer, words: str
) -> None:
    server.script[words] = [say(sound(sound_of(OTHER)), "audio/wav")]
    assert run(store, listening).faults == ()
    assert server.texts().count(words) == 2
    assert len(server.texts()) == len(set(server.texts())) + 1


def test_a_take_that_keeps_saying_other_words_is_named(
    store: Store, listening: Job, server: SpeechServer, words: str
) -> None:
    server.script[words] = [say(sound(sound_of(OTHER)), "audio/wav")] * 3
    made = run(store, listening)
    assert made.faults == ((4, "other words"),)
    [key] = [key for chunk, key in store.chunks(made.book_id) if chunk.position == 4]
    rate = store.takes.get([key])[key].checks["word_error"]
    assert isinstance(rate, float) and rate > 0.34


def test_without_the_option_nobody_listens(
    store: Store, job: Job, server: SpeechServer, words: str
) -> None:
    server.script[words] = [say(sound(sound_of(OTHER)), "audio/wav")]
    run(store, job)
    assert server.texts().count(words) == 1


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no-such-folder", "no folder 'no-such-folder'"),
        ("no.such.module:hears", "cannot be imported"),
        ("tests.studio.recogniser:nobody", "cannot be imported"),
        ("tests.studio.recogniser:KNOWN", "cannot be called"),
    ],
)
def test_what_is_no_recogniser_is_refused(name: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        open_recogniser(name)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no model\.bin"):
        open_recogniser(str(tmp_path))


def test_a_recogniser_that_is_not_there_is_said_before_anything_is_spoken(
    store: Store, job: Job, server: SpeechServer
) -> None:
    with pytest.raises(UsageError, match="--verify-asr"):
        run(store, replace(job, verify_asr="no-such-folder"))
    assert server.texts() == []
