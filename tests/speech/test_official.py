"""The published package behind the seam, on tiny checkpoints of random weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from narrate.core import Spoken, Utterance, Voice
from narrate.errors import BackendError, UsageError
from narrate.speech.backend import Backend, SpeechOptions, open_backend
from narrate.speech.caps import frame_cap
from narrate.speech.models import Checkpoint, open_checkpoint
from narrate.speech.official import OfficialBackend
from narrate.speech.voice import VoiceRequest, open_voice
from tests.conftest import SAMPLE_WORDS

TEXTS = (
    "It had been raining since the morning.",
    "Nobody.",
    "She read the letter again, slowly, word after word.",
)
FRAME_SAMPLES = 1920
FEW = 0.2
"""Frames a character: some rows end by themselves, some are cut, and a test takes seconds."""


@pytest.fixture(scope="module")
def base(tiny_checkpoint: Path) -> Checkpoint:
    return open_checkpoint(tiny_checkpoint)


@pytest.fixture(scope="module")
def voice(spoken_sample: Path, base: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Voice:
    home = tmp_path_factory.mktemp("home")
    return open_voice(VoiceRequest(str(spoken_sample), SAMPLE_WORDS), home, base).voice


@pytest.fixture(scope="module")
def official(base: Checkpoint) -> OfficialBackend:
    return OfficialBackend(options(base, batch_size=3))


def options(checkpoint: Checkpoint, **more) -> SpeechOptions:
    return SpeechOptions(checkpoint=checkpoint, frames_per_character=FEW, **more)


def utterances(texts: Iterable[str] = TEXTS, seed: int = 7) -> list[Utterance]:
    return [Utterance(text, text, "en", seed + n) for n, text in enumerate(texts)]


def by_text(spoken: Iterable[Spoken]) -> dict[str, Spoken]:
    return {one.utterance.spoken: one for one in spoken}


@pytest.fixture(scope="module")
def together(official: Backend, voice: Voice) -> dict[str, Spoken]:
    """Give all texts as one batch says them."""
    return by_text(official.speak(iter(utterances()), voice))


def test_it_speaks_every_text_at_the_codec_s_rate(
    official: Backend, together: dict[str, Spoken]
) -> None:
    assert set(together) == set(TEXTS)
    for spoken in together.values():
        assert spoken.rate_hz == official.rate_hz == 24_000
        assert spoken.samples.dtype == np.float32
        frames = spoken.checks["frames"]
        assert isinstance(frames, int)
        assert len(spoken.samples) == pytest.approx(frames * FRAME_SAMPLES, abs=1)
        assert 0.01 < np.abs(spoken.samples).max() <= 1


def test_what_a_text_says_does_not_hang_on_its_neighbours(
    official: Backend, voice: Voice, together: dict[str, Spoken]
) -> None:
    for utterance in utterances():
        [alone] = official.speak(iter([utterance]), voice)
        beside = together[utterance.spoken]
        assert alone.checks == beside.checks
        np.testing.assert_allclose(alone.samples, beside.samples, atol=1e-3)


def test_the_seed_decides_what_is_said(
    official: Backend, voice: Voice, together: dict[str, Spoken]
) -> None:
    again = by_text(official.speak(iter(utterances()), voice))
    other = by_text(official.speak(iter(utterances(seed=1007)), voice))
    for text in TEXTS:
        assert again[text].samples.tobytes() == together[text].samples.tobytes()
        assert other[text].samples.tobytes() != together[text].samples.tobytes()


def test_a_row_that_does_not_end_is_cut_at_its_own_cap(together: dict[str, Spoken]) -> None:
    cut = [one for one in together.values() if one.checks.get("runaway")]
    ended = [one for one in together.values() if not one.checks.get("runaway")]
    assert cut
    assert ended
    for spoken in cut:
        assert spoken.checks["frames"] == frame_cap(spoken.utterance.spoken, FEW)
    for spoken in ended:
        assert int(str(spoken.checks["frames"])) <= frame_cap(spoken.utterance.spoken, FEW)


def test_an_utterance_s_own_cap_comes_before_the_rule(official: Backend, voice: Voice) -> None:
    [spoken] = official.speak(iter([Utterance("k", TEXTS[1], "en", 9, frame_cap=2)]), voice)
    assert spoken.checks["frames"] == 2
    assert len(spoken.samples) == pytest.approx(2 * FRAME_SAMPLES, abs=1)


def test_out_of_memory_halves_the_batch_and_goes_on(
    base: Checkpoint, voice: Voice, together: dict[str, Spoken], monkeypatch: pytest.MonkeyPatch
) -> None:
    from narrate.speech.official_model import OfficialModel, OutOfMemory

    say, sizes = OfficialModel.say, []

    def say_if_it_fits(self, requests, prompt):
        sizes.append(len(requests))
        if len(requests) > 1:
            raise OutOfMemory("CUDA out of memory")
        return say(self, requests, prompt)

    monkeypatch.setattr(OfficialModel, "say", say_if_it_fits)
    spoken = by_text(OfficialBackend(options(base, batch_size=3)).speak(iter(utterances()), voice))
    assert sizes == [3, 2, 1, 1, 1]
    assert {text: one.checks for text, one in spoken.items()} == {
        text: one.checks for text, one in together.items()
    }


def test_a_sentence_that_does_not_fit_alone_is_an_error(
    base: Checkpoint, voice: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    from narrate.speech.official_model import OfficialModel, OutOfMemory

    def never(self, requests, prompt):
        raise OutOfMemory("CUDA out of memory")

    monkeypatch.setattr(OfficialModel, "say", never)
    with pytest.raises(BackendError, match="not enough memory for a single sentence"):
        list(OfficialBackend(options(base, batch_size=2)).speak(iter(utterances()), voice))


def test_the_attention_in_use_is_the_one_asked_for(
    official: OfficialBackend,
    base: Checkpoint,
    voice: Voice,
    together: dict[str, Spoken],
) -> None:
    eager = OfficialBackend(options(base, batch_size=3, attention="eager"))
    assert eager.in_use == {}
    spoken = by_text(eager.speak(iter(utterances()), voice))
    named = {"attention": "eager", "device": "cpu", "precision": "float32"}
    assert {name: eager.in_use[name] for name in named} == named
    assert official.in_use["attention"] == "sdpa"
    for text in TEXTS:
        assert spoken[text].checks == together[text].checks
        np.testing.assert_allclose(spoken[text].samples, together[text].samples, atol=1e-3)


def test_flash_attention_without_a_card_is_refused_before_anything_is_spoken(
    base: Checkpoint, voice: Voice
) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a card here")
    backend = OfficialBackend(options(base, attention="flash_attention_2"))
    with pytest.raises(BackendError, match="needs a CUDA card"):
        next(backend.speak(iter(utterances()), voice))


@pytest.mark.parametrize("mode", ["reduce-overhead", "max-autotune"])
def test_a_mode_that_records_graphs_is_refused_on_a_card(
    mode: str, base: Checkpoint, voice: Voice
) -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("there is no card here")
    backend = OfficialBackend(options(base, compile=mode))
    with pytest.raises(BackendError, match="cannot speak from CUDA graphs"):
        next(backend.speak(iter(utterances()), voice))


def test_it_pulls_no_more_than_it_is_about_to_speak(base: Checkpoint, voice: Voice) -> None:
    pulled: list[str] = []

    def endless():
        for number in range(10_000):
            pulled.append(str(number))
            yield Utterance(str(number), "Nobody.", "en", number, frame_cap=2)

    speaking = OfficialBackend(options(base, batch_size=2)).speak(endless(), voice)
    next(speaking)
    speaking.close()
    assert len(pulled) == 8


@pytest.mark.parametrize("text", [None, SAMPLE_WORDS], ids=["x-vector", "transcript"])
def test_both_modes_speak(
    official: Backend, base: Checkpoint, spoken_sample: Path, home: Path, text: str | None
) -> None:
    voice = open_voice(VoiceRequest(str(spoken_sample), text), home, base).voice
    [spoken] = official.speak(iter(utterances(TEXTS[:1])), voice)
    assert len(spoken.samples)


@pytest.mark.parametrize(
    ("kind", "request_"),
    [
        ("customvoice", VoiceRequest("qwen:ryan")),
        ("customvoice", VoiceRequest("qwen:dylan")),
        ("voicedesign", VoiceRequest(design="a calm old man")),
    ],
    ids=["speaker", "dialect", "design"],
)
def test_the_other_kinds_of_checkpoint_speak(
    kind: str, request_: VoiceRequest, checkpoint: Callable[[str], Path], home: Path
) -> None:
    model = open_checkpoint(checkpoint(kind))
    voice = open_voice(request_, home, model).voice
    words = [Utterance("k", "Nobody.", "zh", 3)]
    [spoken] = OfficialBackend(options(model)).speak(iter(words), voice)
    assert len(spoken.samples)


def test_its_identity_is_the_model_s_and_not_the_batch_s(
    base: Checkpoint, checkpoint: Callable[[str], Path]
) -> None:
    one, many = (open_backend("official", options(base, batch_size=n)) for n in (1, 32))
    other = open_backend("official", options(open_checkpoint(checkpoint("customvoice"))))
    assert (one.digest, one.sampling) == (many.digest, many.sampling)
    assert one.digest != other.digest
    eager = open_backend("official", options(base, attention="eager"))
    assert eager.sampling != one.sampling
    assert open_backend("official", options(base, seed=1)).sampling != one.sampling


def test_its_languages_are_the_checkpoint_s_as_codes(base: Checkpoint) -> None:
    languages = ("de", "en", "es", "fr", "it", "ja", "ko", "pt", "ru", "zh")
    assert open_backend("official", options(base)).languages() == languages


def test_what_it_cannot_do_is_refused(base: Checkpoint) -> None:
    with pytest.raises(UsageError, match="no control of its speed"):
        open_backend("official", SpeechOptions(checkpoint=base, speed=1.2))
    for wrong in ({"attention": "magic"}, {"batch_size": 0}, {"compile": "fast"}):
        with pytest.raises(UsageError):
            SpeechOptions(**wrong)
    with pytest.raises(UsageError):
        SpeechOptions(frames_per_character=0.0)


def test_the_cap_grows_with_what_is_to_be_said() -> None:
    assert frame_cap("") > 0
    assert frame_cap("a" * 300) == 2 * 325
    assert frame_cap("1984") > frame_cap("year")
    assert frame_cap("你好") > frame_cap("ab")
    assert frame_cap("word", 4.0) == 2 * frame_cap("word", 2.0)


@pytest.mark.slow
def test_a_compiled_model_says_the_same(
    base: Checkpoint, voice: Voice, together: dict[str, Spoken]
) -> None:
    compiled = OfficialBackend(options(base, batch_size=3, compile="default"))
    spoken = by_text(compiled.speak(iter(utterances()), voice))
    for text in TEXTS:
        assert spoken[text].checks == together[text].checks
        np.testing.assert_allclose(spoken[text].samples, together[text].samples, atol=1e-3)


@pytest.mark.slow
def test_a_closed_backend_lets_go_of_its_model(base: Checkpoint, voice: Voice) -> None:
    import gc

    def models() -> int:
        gc.unfreeze()  # what is frozen is in no list
        gc.collect()  # nor is what other tests left behind of interest
        return sum(type(one).__name__ == "Qwen3TTSModel" for one in gc.get_objects())

    before = models()
    backend = OfficialBackend(options(base, batch_size=1))
    list(backend.speak(iter(utterances()[1:2]), voice))
    assert models() == before + 1
    backend.close()
    assert models() == before
