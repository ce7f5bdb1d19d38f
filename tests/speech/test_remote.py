"""A speech server over real HTTP: what it is asked, and what becomes of each way it can fail."""

import base64
import io
import logging
import socket
import threading
import time
from email.utils import formatdate
from itertools import count
from typing import Any

import numpy as np
import pytest
import soundfile

from narrate.core import Utterance, Voice
from narrate.errors import BackendError, UsageError, VoiceError
from narrate.speech.backend import SpeechOptions
from narrate.speech.caps import frame_cap
from narrate.speech.reference import read_reference
from narrate.speech.remote import RemoteBackend
from narrate.speech.server import ServerOptions, api_root
from narrate.speech.server_client import _asked_wait_s
from tests.speech import speech_server as acts

MODEL = "Qwen/Qwen3-TTS-12Hz-1.7B-Base"
TEXT = "It is a truth universally acknowledged."
KEY = "sk-secret-of-the-test"


@pytest.fixture
def server():
    with acts.serving() as running:
        yield running


@pytest.fixture(scope="module")
def me(tmp_path_factory):
    """A recording and its words."""
    path = tmp_path_factory.mktemp("voice") / "me.wav"
    soundfile.write(
        path, acts.sound_of("This is what my own voice sounds like today."), acts.RATE_HZ
    )
    return Voice("me", "digest of me", reference_path=path, reference_text="These words.")


def backend_of(server, speed=1.0, **options):
    patient: dict[str, Any] = {
        "model": MODEL,
        "backoff_s": 0.001,
        "longest_wait_s": 0.05,
        "timeout_s": 10.0,
    }
    return RemoteBackend(
        SpeechOptions(speed=speed, server=ServerOptions(server.url, **patient | options))
    )


def requests(*texts):
    return (Utterance(f"key {n}", text, "en", seed=n) for n, text in enumerate(texts))


def say(server, voice, *texts, **options):
    return list(backend_of(server, **options).speak(requests(*(texts or (TEXT,))), voice))


def good(spoken, text=TEXT):
    expected = acts.sound_of(text).astype(np.float32) / 32_768
    return spoken.rate_hz == acts.RATE_HZ and np.array_equal(spoken.samples, expected)


@pytest.mark.parametrize("audio_format", ["wav", "flac", "pcm"])
def test_what_the_server_says_arrives_sample_by_sample(server, me, audio_format):
    [spoken] = say(server, me, audio_format=audio_format)
    assert good(spoken)
    assert not spoken.checks


def test_a_recording_is_sent_as_vllm_omni_documents_it(server, me):
    say(server, me)
    [asked] = server.asked
    assert asked.path == "/v1/audio/speech"
    reference = asked.body.pop("ref_audio")
    assert asked.body == {
        "model": MODEL,
        "input": TEXT,
        "response_format": "wav",
        "task_type": "Base",
        "ref_text": "These words.",
        "language": "English",
        "seed": 0,
        "max_new_tokens": frame_cap(TEXT),
    }
    kind, _, content = reference.partition(",")
    assert kind == "data:audio/wav;base64"
    samples, rate_hz = soundfile.read(io.BytesIO(base64.b64decode(content)), dtype="float32")
    assert rate_hz == 24_000
    np.testing.assert_allclose(samples, read_reference(me.reference_path).padded, atol=1e-4)


def test_a_recording_without_words_asks_for_the_speaker_embedding_only(server, me):
    say(server, Voice("me", "x", reference_path=me.reference_path))
    assert server.asked[0].body["x_vector_only_mode"] is True
    assert "ref_text" not in server.asked[0].body


def test_a_named_speaker_and_a_description_ask_for_their_own_task(server):
    say(server, Voice("qwen:ryan", "a", speaker_name="ryan"))
    say(server, Voice("old", "b", instruct="a calm old man"))
    speaker, design = (one.body for one in server.asked)
    assert (speaker["task_type"], speaker["voice"]) == ("CustomVoice", "ryan")
    assert (design["task_type"], design["instructions"]) == ("VoiceDesign", "a calm old man")
    assert not {"ref_audio", "ref_text", "x_vector_only_mode"} & {*speaker, *design}


def test_a_voice_that_is_nothing_a_server_can_use_is_refused_before_it_is_asked(server):
    with pytest.raises(VoiceError, match="--voice"):
        say(server, Voice("preview", "c"))
    assert not server.asked


def test_speed_is_asked_for_only_when_it_is_another(server, me):
    say(server, me, speed=1.5)
    say(server, me)
    assert [one.body.get("speed") for one in server.asked] == [1.5, None]


PASSING = {
    "server error": acts.fail(500),
    "gateway error": acts.fail(502),
    "overloaded": acts.fail(503),
    "too many requests": acts.fail(429, Retry_After="0"),
    "request timeout": acts.fail(408),
    "cut connection": acts.cut,
    "half a body": acts.half_body,
    "half a sound, declared whole": acts.half_sound,
    "a page": acts.say(b"<html>Welcome to the proxy</html>", "text/html"),
    "no type": acts.say(b"RIFF", ""),
    "JSON instead of sound": acts.say(b'{"error":{"message":"busy"}}', "application/json"),
    "nothing": acts.say(b"", "audio/wav"),
    "another format": acts.say(b"ID3", "audio/mpeg"),
    "no WAV": acts.say(b"not a wave at all", "audio/wav"),
    "too slow": acts.hang,
    "a byte now and then": acts.drip,
}


@pytest.mark.parametrize("behaviour", PASSING)
def test_a_passing_failure_is_tried_again(server, me, behaviour):
    server.script[TEXT] = [PASSING[behaviour]] * 2
    slow = behaviour in ("too slow", "a byte now and then")
    [spoken] = say(server, me, timeout_s=0.3 if slow else 10.0)
    assert good(spoken)
    assert server.texts() == [TEXT] * 3


@pytest.mark.parametrize("audio_format", ["wav", "flac"])
def test_half_a_sound_is_never_taken_for_a_whole_one(server, me, audio_format):
    server.script[TEXT] = [acts.half_sound]
    [spoken] = say(server, me, audio_format=audio_format)
    assert good(spoken)
    assert len(server.asked) == 2


@pytest.mark.parametrize("behaviour", [name for name in PASSING if "now" not in name])
def test_a_failure_that_does_not_pass_ends_with_its_reason(server, me, behaviour):
    server.script[TEXT] = [PASSING[behaviour]] * 3
    with pytest.raises(BackendError, match="failed 3 times, at last: ") as caught:
        say(server, me, tries=3, timeout_s=0.2)
    assert len(server.asked) == 3
    assert server.url in str(caught.value)
    assert "what was spoken is kept" in str(caught.value)


@pytest.mark.parametrize(
    ("status", "remedy"),
    [(400, "fits --voice"), (401, "NARRATE_API_KEY"), (403, "NARRATE_API_KEY"), (404, "--model")],
)
def test_a_refusal_is_not_tried_again_and_says_what_the_server_said(server, me, status, remedy):
    server.script[TEXT] = [acts.fail(status, "no such thing here")]
    with pytest.raises(BackendError, match=remedy) as caught:
        say(server, me)
    assert f"{status}" in str(caught.value)
    assert "no such thing here" in str(caught.value)
    assert len(server.asked) == 1


def test_a_redirect_says_where_to(server, me):
    server.script[TEXT] = [acts.fail(307, Location="https://other.example/v1/audio/speech")]
    with pytest.raises(BackendError, match=r"other\.example"):
        say(server, me)


def test_a_server_that_is_down_is_said_to_be(me):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    options = ServerOptions(f"http://127.0.0.1:{port}", model=MODEL, tries=3, backoff_s=0.001)
    with pytest.raises(BackendError, match="failed 3 times") as caught:
        list(RemoteBackend(SpeechOptions(server=options)).speak(requests(TEXT), me))
    assert f"127.0.0.1:{port}" in str(caught.value)


def test_retry_after_is_waited_for_and_bounded(server, me):
    server.script[TEXT] = [acts.fail(429, Retry_After="3600")]
    started = time.monotonic()
    say(server, me, longest_wait_s=0.3)
    assert 0.3 <= time.monotonic() - started < 5


def test_retry_after_is_understood_as_seconds_and_as_a_date():
    assert _asked_wait_s("7") == 7
    assert 25 < _asked_wait_s(formatdate(time.time() + 30, usegmt=True)) <= 30
    assert _asked_wait_s(formatdate(time.time() - 30, usegmt=True)) == 0
    assert [_asked_wait_s(words) for words in ("", "soon", "-3", "inf")] == [0, 0, 0, 0]


def test_many_are_asked_at_once_and_never_more(server, me):
    texts = [f"Sentence number {n}." for n in range(12)]
    spoken = say(server, me, *texts, concurrency=3)
    assert sorted(one.utterance.spoken for one in spoken) == sorted(texts)
    assert all(good(one, one.utterance.spoken) for one in spoken)
    assert 1 < server.most_at_once <= 3


def test_utterances_are_pulled_as_they_are_needed(server, me):
    pulled = count()
    endless = (Utterance("key", TEXT, "en", seed=next(pulled)) for _ in count())
    speaking = backend_of(server, concurrency=2).speak(endless, me)
    for _ in range(3):
        next(speaking)
    speaking.close()
    assert next(pulled) <= 3 + 2 * 2


def test_an_answer_comes_out_while_an_earlier_request_hangs(server, me):
    server.script["slow"] = [acts.hang]
    speaking = backend_of(server, concurrency=2).speak(requests("slow", "quick"), me)
    assert next(speaking).utterance.spoken == "quick"
    server.released.set()
    assert next(speaking).utterance.spoken == "slow"


def test_what_came_in_beside_a_refusal_is_not_lost(server, me):
    server.script["bad"] = [acts.fail(400)]
    speaking = backend_of(server, concurrency=1).speak(requests("one", "bad", "two"), me)
    assert next(speaking).utterance.spoken == "one"
    with pytest.raises(BackendError):
        next(speaking)


def test_stopping_ends_requests_in_flight_at_once_and_leaves_no_thread(server, me):
    server.script = {"slow": [acts.hang] * 4}
    before = set(threading.enumerate())
    speaking = backend_of(server, concurrency=4).speak(requests("quick", *["slow"] * 4), me)
    next(speaking)
    started = time.monotonic()
    speaking.close()
    assert time.monotonic() - started < 1
    assert not [one for one in set(threading.enumerate()) - before if one.name == "requests"]


def test_a_sound_as_long_as_the_cap_is_called_a_runaway(server, me):
    frames = len(acts.sound_of(TEXT)) / acts.RATE_HZ * 12.5
    capped = Utterance("key", TEXT, "en", seed=0, frame_cap=int(frames))
    [spoken] = backend_of(server).speak(iter([capped]), me)
    assert spoken.checks == {"runaway": True}
    assert server.asked[0].body["max_new_tokens"] == int(frames)


def test_a_server_that_changes_its_rate_is_refused(server, me):
    other = io.BytesIO()
    soundfile.write(other, np.ones(4000, np.float32) / 2, 16_000, format="WAV")
    server.script["two"] = [acts.say(other.getvalue(), "audio/wav")]
    backend = backend_of(server, concurrency=1)
    with pytest.raises(BackendError, match="22050 to 16000"):
        list(backend.speak(requests("one", "two"), me))
    assert backend.rate_hz == 22_050


def test_two_channels_become_one(server, me):
    stereo = np.stack([np.full(4000, 0.5), np.full(4000, -0.25)], axis=1)
    file = io.BytesIO()
    soundfile.write(file, stereo, 24_000, format="WAV")
    server.script[TEXT] = [acts.say(file.getvalue(), "audio/wav")]
    [spoken] = say(server, me)
    np.testing.assert_allclose(spoken.samples, np.full(4000, 0.125), atol=1e-4)


def test_the_key_is_sent_and_stands_nowhere_else(server, me, caplog):
    server.script[TEXT] = [acts.fail(401, f"Incorrect API key provided: {KEY}")]
    options = ServerOptions(server.url, KEY, MODEL)
    backend = RemoteBackend(SpeechOptions(server=options))
    with caplog.at_level(logging.DEBUG), pytest.raises(BackendError) as caught:
        list(backend.speak(requests(TEXT), me))
    assert server.asked[0].headers["Authorization"] == f"Bearer {KEY}"
    said = [str(caught.value), repr(caught.value), repr(options), backend.digest]
    assert not [text for text in (*said, caplog.text) if KEY in text]
    assert "***" in str(caught.value)
    assert backend.digest == backend_of(server).digest


def test_without_a_key_none_is_sent(server, me):
    say(server, me)
    assert "Authorization" not in server.asked[0].headers


def test_the_same_model_on_another_host_is_the_same_voice(server):
    with acts.serving() as other:
        assert backend_of(server).digest == backend_of(other).digest
    assert backend_of(server).digest != backend_of(server, model="another").digest
    assert not server.asked


def test_a_server_is_asked_for_its_model_when_none_is_named(server, me):
    backend = backend_of(server, model=None)
    assert backend.digest == backend_of(server).digest
    list(backend.speak(requests("a", "b"), me))
    assert [one.path for one in server.asked].count("/v1/models") == 1


@pytest.mark.parametrize("models", [[], ["one", "two"]])
def test_a_server_without_exactly_one_model_wants_it_named(server, models):
    server.models = models
    with pytest.raises(BackendError, match="--model"):
        _ = backend_of(server, model=None).digest


@pytest.mark.parametrize(
    "url",
    [
        "http://host:8091",
        "http://host:8091/",
        "http://host:8091/v1",
        "http://host:8091/v1/",
        "http://host:8091/v1/audio/speech",
        " http://host:8091/v1 ",
    ],
)
def test_an_address_may_be_written_in_many_ways(url):
    assert api_root(url) == "http://host:8091/v1"


@pytest.mark.parametrize(
    "url", ["", "host:8091", "ftp://host", "http://", "http://host:99999", "http://host/?a=b"]
)
def test_what_is_no_address_is_refused(url):
    with pytest.raises(UsageError, match="--server"):
        ServerOptions(url)


def test_a_password_in_the_address_is_refused_without_being_shown():
    with pytest.raises(UsageError, match="NARRATE_API_KEY") as caught:
        ServerOptions(f"https://me:{KEY}@host/v1")
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("key", ["with a\nnewline", "schlüssel"])
def test_a_key_that_no_header_can_hold_is_refused_without_being_shown(key):
    with pytest.raises(UsageError, match="NARRATE_API_KEY") as caught:
        ServerOptions("http://host", key)
    assert key not in str(caught.value)


def test_odd_options_are_refused():
    with pytest.raises(UsageError, match="--concurrency"):
        ServerOptions("http://host", concurrency=0)
    with pytest.raises(UsageError, match="wav"):
        ServerOptions("http://host", audio_format="mp3")
    with pytest.raises(UsageError, match="--server"):
        RemoteBackend(SpeechOptions())


def test_a_language_no_published_model_has_is_refused(server, me):
    with pytest.raises(UsageError, match="does not speak 'is'"):
        list(backend_of(server).speak(iter([Utterance("key", TEXT, "is", seed=0)]), me))
