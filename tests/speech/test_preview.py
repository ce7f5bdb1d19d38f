"""The embedded voice, spoken for real: every test here listens to espeak-ng."""

import hashlib
import itertools
import multiprocessing
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrate.core import Utterance, Voice
from narrate.errors import BackendError, VoiceError
from narrate.speech import preview
from narrate.speech.backend import SpeechOptions
from narrate.speech.languages import ESPEAK_VOICES, espeak_voice
from narrate.speech.preview import PreviewBackend, preview_voice

SENTENCES = (
    "It is a truth universally acknowledged, that a single man must be in want of a wife.",
    "Is it?",
    "“My dear Mr. Bennet,” said his lady to him one day!",
    "Chapter 12",
    "Пётр said: guten Tag, 你好.",
    "...",
)


def speak(texts, language="en", **options):
    backend = PreviewBackend(SpeechOptions(**options))
    requests = (Utterance("key", text, language, seed=0) for text in texts)
    return list(backend.speak(requests, preview_voice()))


def sounds(texts, language="en"):
    return [spoken.samples.tobytes() for spoken in speak(texts, language)]


def one_sound(text):
    return sounds([text])[0]


@pytest.fixture(scope="module")
def fresh():
    """Each sentence as the first words of a process."""
    return {text: one_sound(text) for text in SENTENCES}


def test_it_speaks_int16_at_22050_hz_about_as_long_as_a_reader_would():
    [spoken] = speak([SENTENCES[0]])
    assert spoken.rate_hz == 22_050
    assert spoken.samples.dtype == np.int16
    assert 3 < len(spoken.samples) / spoken.rate_hz < 8
    assert np.abs(spoken.samples).max() > 3000
    assert not spoken.checks


def test_another_text_is_another_sound(fresh):
    assert len(set(fresh.values())) == len(SENTENCES)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=8))
def test_a_text_sounds_the_same_whatever_was_spoken_before(fresh, history):
    assert sounds(history) == [fresh[text] for text in history]


def test_a_text_sounds_the_same_after_other_languages_and_a_change_of_process(fresh):
    backend = PreviewBackend(SpeechOptions())
    languages = itertools.cycle(["de", "en", "ru", "zh", "en"])
    requests = [Utterance("key", SENTENCES[0], next(languages), seed=n) for n in range(250)]
    english = {
        spoken.samples.tobytes()
        for spoken in backend.speak(iter(requests), preview_voice())
        if spoken.utterance.language == "en"
    }
    assert english == {fresh[SENTENCES[0]]}


def test_threads_that_speak_at_once_do_not_disturb_each_other(fresh):
    backend = PreviewBackend(SpeechOptions())

    def recite(turn):
        texts = SENTENCES[turn % 3 :] + SENTENCES[: turn % 3]
        requests = (Utterance("key", text, "en", seed=0) for text in texts)
        return {
            s.utterance.spoken: s.samples.tobytes()
            for s in backend.speak(requests, preview_voice())
        }

    with ThreadPoolExecutor(4) as pool:
        assert all(heard == fresh for heard in pool.map(recite, range(8)))


SPEAK_IN_A_POOL = """
import hashlib, multiprocessing, sys
from narrate.core import Utterance
from narrate.speech.backend import SpeechOptions
from narrate.speech.preview import PreviewBackend, preview_voice

def digest(text):
    backend = PreviewBackend(SpeechOptions())
    [spoken] = backend.speak(iter([Utterance("key", text, "en", seed=0)]), preview_voice())
    return hashlib.sha256(spoken.samples.tobytes()).hexdigest()

if __name__ == "__main__":
    method, *texts = sys.argv[1:]
    digest(texts[0])
    with multiprocessing.get_context(method).Pool(2) as pool:
        print(*pool.map(digest, texts))
"""


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_other_processes_say_the_same(fresh, method, tmp_path):
    # From a process of its own: a fork of this one, with the threads of torch and Prefect in it,
    # can copy a lock that nobody will ever release.
    script = tmp_path / "speak_in_a_pool.py"
    script.write_text(SPEAK_IN_A_POOL)
    said = subprocess.run(
        [sys.executable, str(script), method, *SENTENCES],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert said.stdout.split() == [hashlib.sha256(fresh[text]).hexdigest() for text in SENTENCES]


def test_answers_come_one_by_one_as_they_are_asked_for():
    asked = []

    def requests():
        for text in SENTENCES:
            asked.append(text)
            yield Utterance("key", text, "en", seed=0)

    answers = PreviewBackend(SpeechOptions()).speak(requests(), preview_voice())
    assert not asked
    assert next(answers).utterance.spoken == SENTENCES[0]
    assert asked == [SENTENCES[0]]
    answers.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_process_is_left_when_the_caller_stops_early():
    def children():
        return Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()

    before = children()
    answers = PreviewBackend(SpeechOptions()).speak(
        iter([Utterance("key", "one", "en", 0), Utterance("key", "two", "en", 0)]), preview_voice()
    )
    next(answers)
    assert len(children()) == len(before) + 1
    answers.close()
    assert children() == before


@pytest.mark.parametrize("language", ESPEAK_VOICES)
def test_every_language_of_the_table_speaks(language):
    [spoken] = speak(["1, 2, 3, 4"], language)
    assert not spoken.checks
    assert len(spoken.samples) > 22_050 // 2


@pytest.mark.parametrize(
    ("tag", "voice"),
    [
        ("en", "gmw/en"),
        ("en-GB", "gmw/en"),
        ("EN_us", "en-us"),
        ("pt-BR", "pt-br"),
        ("zh-Hans-CN", "sit/cmn"),
        ("cmn", "sit/cmn"),
        ("zh-HK", "sit/yue"),
        ("de-AT", "gmw/de"),
        (" fr ", "roa/fr"),
    ],
)
def test_a_language_tag_finds_the_most_specific_voice(tag, voice):
    assert espeak_voice(tag) == voice


@pytest.mark.parametrize("tag", ["xx", "", "tlh", "english", "e", "../en"])
def test_a_language_it_lacks_is_an_error_that_lists_those_it_has(tag):
    with pytest.raises(BackendError, match="af, am, ar") as caught:
        speak(["hello"], tag)
    assert repr(tag) in str(caught.value)


def test_markup_and_commands_are_read_out_not_obeyed():
    plain, *marked = (
        len(s.samples)
        for s in speak(
            ["hello", "<b>hello</b>", "&lt;hello", "[[h@l'oU]]", "<speak><break time='9s'/>hello"]
        )
    )
    assert all(length > plain * 1.3 for length in marked)
    [broken] = speak(["<break time='20s'/>"])
    assert len(broken.samples) / 22_050 < 5


def test_control_characters_neither_cut_a_text_nor_command_the_voice():
    spaced, nul, command = sounds(["one  two", "one \0two", "one \x01two"])
    assert spaced == nul == command


@pytest.mark.parametrize("text", ["\ud800", "\U0001f600", "é" * 3000, "\u202e\u200b", "a" * 20_000])
def test_odd_characters_are_survived(text):
    [spoken] = speak([text])
    assert len(spoken.samples)


@pytest.mark.parametrize("text", ["", " ", "…", "( )", "—", "\n\n"])
def test_a_text_without_a_sound_is_a_short_near_silence_that_says_so(text):
    [spoken] = speak([text])
    assert spoken.checks == {"silent": True}
    assert len(spoken.samples) == 2205
    assert 0 < np.abs(spoken.samples).max() <= 2


@pytest.mark.parametrize("speed", [0.5, 0.8, 1.5, 2.0])
def test_speed_changes_the_duration_and_the_key(speed):
    [normal], [other] = speak([SENTENCES[0]]), speak([SENTENCES[0]], speed=speed)
    assert len(normal.samples) / len(other.samples) == pytest.approx(speed, rel=0.25)
    assert PreviewBackend(SpeechOptions(speed=speed)).sampling == {"speed": speed}


def test_another_voice_is_never_replaced_by_this_one():
    with pytest.raises(VoiceError, match="its own voice"):
        next(PreviewBackend(SpeechOptions()).speak(iter([]), Voice("me", "digest of me")))


def test_the_digest_is_the_same_in_every_process():
    code = (
        "from narrate.speech.backend import *\n"
        "print(open_backend('preview', SpeechOptions()).digest)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == PreviewBackend(SpeechOptions()).digest


def test_nothing_is_printed(capfd):
    speak([*SENTENCES, "<b>", "\0"])
    assert capfd.readouterr() == ("", "")


def a_wheel(folder, monkeypatch):
    """A copy of the wheel's layout, linked, that a test can break."""
    found = preview._find_installation()
    folder.mkdir()
    library = folder / found.library.name
    library.symlink_to(found.library)
    data = folder / "espeak-ng-data"
    data.mkdir()
    for path in found.data.iterdir():
        (data / path.name).symlink_to(path)
    monkeypatch.setattr("espeakng_loader.get_library_path", lambda: str(library))
    return library, data


def test_a_long_path_of_the_installation_does_no_harm(tmp_path, monkeypatch, fresh):
    folder = tmp_path / ("an ünusual place " * 12)
    a_wheel(folder, monkeypatch)
    assert one_sound(SENTENCES[0]) == fresh[SENTENCES[0]]


def test_a_missing_file_is_an_error_with_a_remedy(tmp_path, monkeypatch):
    library, data = a_wheel(tmp_path / "wheel", monkeypatch)
    (data / "phontab").unlink()
    with pytest.raises(BackendError, match=r"incomplete .*phontab.* pip install"):
        PreviewBackend(SpeechOptions())
    library.unlink()
    with pytest.raises(BackendError, match=r"incomplete .*libespeak"):
        PreviewBackend(SpeechOptions())


def test_a_wheel_that_is_not_installed_is_an_error_with_a_remedy(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(BackendError, match="pip install espeakng-loader"):
        PreviewBackend(SpeechOptions())


@pytest.mark.parametrize("name", ["phontab", "phondata", "lang"])
def test_damaged_data_is_an_error_and_no_crash_of_ours(tmp_path, monkeypatch, name):
    _, data = a_wheel(tmp_path / "wheel", monkeypatch)
    (data / name).unlink()
    (data / name).write_bytes(b"")
    with pytest.raises(BackendError):
        speak(["hello"])


def test_a_library_that_does_not_load_is_an_error(tmp_path, monkeypatch):
    library, _ = a_wheel(tmp_path / "wheel", monkeypatch)
    library.unlink()
    library.write_bytes(b"not a library")
    with pytest.raises(BackendError, match="does not start"):
        speak(["hello"])


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_speaking_process_that_dies_is_an_error_that_names_the_text():
    with preview._Process(preview._find_installation()) as process:
        process._child.kill()
        process._child.wait()
        with pytest.raises(BackendError, match=r"in the middle of a text .hello"):
            process.say("gmw/en", b"hello", 175)
