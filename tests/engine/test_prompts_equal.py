"""Ids and prompts are those of the published package, whatever the voice, language and layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from narrate.core import VoicePrompt  # noqa: E402
from narrate.engine.model.talker import embed  # noqa: E402
from narrate.engine.prompt import Prompt  # noqa: E402
from narrate.engine.tokens import TextIds  # noqa: E402
from narrate.errors import VoiceError  # noqa: E402
from tests.engine.conftest import Tiny, cloned, load_tiny  # noqa: E402

TEXTS = ["Hello.", "It's a truth universally acknowledged, that a single man DON'T want…", "x"]
STRANGE = [
    "Ça va ?\n\n你好，世界 1984",
    "CamelCase snake_case http://x.y/z",
    "  two  spaces ",
    "naïve é",
]


class _Caught(Exception):
    """Carries what the talker was handed."""


def published_embeddings(model: Any, **inputs: Any) -> tuple[Any, Any]:
    """The prompt's embeddings and the trailing text's, as `generate` makes them."""
    kept = model.model.talker.generate

    def catch(**given: Any) -> Any:
        raise _Caught(given)

    model.model.talker.generate = catch
    try:
        model.model.generate(**inputs)
    except _Caught as caught:
        given = caught.args[0]
        return given["inputs_embeds"][0], given["trailing_text_hidden"][0]
    finally:
        model.model.talker.generate = kept
    raise AssertionError("the talker was not called")


def our_embeddings(tiny: Tiny, prompt: Prompt) -> tuple[Any, Any]:
    trailing = list(prompt.trailing) or [tiny.config.ids.tts_pad]
    return embed(tiny.model, torch.from_numpy(prompt.rows)), tiny.model.text[trailing]


def target_ids(model: Any, text: str) -> Any:
    return model._tokenize_texts([model._build_assistant_text(text)])


@pytest.mark.parametrize("text", [*TEXTS, *STRANGE])
def test_text_ids_are_the_published_ones(tiny: Tiny, published: Any, text: str) -> None:
    model = published("base")
    assert tiny.ids.target(text) == target_ids(model, text)[0][0, 3:-5].tolist()
    reference = model._tokenize_texts([model._build_ref_text(text)])[0][0, 3:-2]
    assert tiny.ids.reference(text) == reference.tolist()
    instruct = model._tokenize_texts([model._build_instruct_text(text)])[0][0]
    assert tiny.ids.instruction(text) == instruct.tolist()


@pytest.mark.parametrize("version", ["4.57.2", "4.57.3", None])
def test_words_are_cut_as_the_package_cuts_them_for_this_folder(
    tiny_checkpoint: Path, tmp_path: Path, version: str | None
) -> None:
    """The published rule depends on who wrote config.json, not on the model."""
    import json

    from transformers import AutoTokenizer

    for path in tiny_checkpoint.iterdir():
        if path.suffix in (".json", ".txt") and path.name != "config.json":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((tiny_checkpoint / "config.json").read_text())
    config["transformers_version"] = version
    (tmp_path / "config.json").write_text(json.dumps(config))
    theirs = AutoTokenizer.from_pretrained(tmp_path, fix_mistral_regex=True)._tokenizer
    ours = TextIds(tmp_path)._tokenizer
    for text in (*TEXTS, *STRANGE):
        assert ours.pre_tokenizer.pre_tokenize_str(text) == theirs.pre_tokenizer.pre_tokenize_str(
            text
        )


@pytest.mark.parametrize("text_first", [False, True], ids=["together", "text first"])
@pytest.mark.parametrize("recording", [0, 3, 40], ids=["x-vector", "short", "long"])
@pytest.mark.parametrize("language", ["auto", "english", "chinese", "russian"])
def test_a_cloned_voice_has_the_published_prompt(
    tiny: Tiny, published: Any, recording: int, language: str, text_first: bool
) -> None:
    model, voice = published("base"), cloned(tiny.config, recording)
    if not recording:
        voice = VoicePrompt(speaker=voice.speaker)
    for text in TEXTS[:2]:
        reference = model._tokenize_texts([model._build_ref_text("The quick brown fox.")])
        wanted, wanted_trailing = published_embeddings(
            model,
            input_ids=target_ids(model, text),
            ref_ids=reference if recording else [None],
            voice_clone_prompt={
                "ref_code": [torch.from_numpy(voice.codes) if recording else None],
                "ref_spk_embedding": [torch.from_numpy(voice.speaker)],
                "x_vector_only_mode": [not recording],
                "icl_mode": [bool(recording)],
            },
            languages=[language],
            non_streaming_mode=text_first,
        )
        got, trailing = our_embeddings(tiny, tiny.writer(voice, text_first).write(text, language))
        torch.testing.assert_close(got, wanted, atol=1e-6, rtol=1e-6)
        torch.testing.assert_close(trailing, wanted_trailing, atol=1e-6, rtol=1e-6)


def test_every_language_of_the_checkpoint_has_its_published_tag(tiny: Tiny, published: Any) -> None:
    model, voice = published("base"), VoicePrompt(speaker=cloned(tiny.config).speaker)
    for language in sorted(tiny.config.languages):
        wanted, _ = published_embeddings(
            model,
            input_ids=target_ids(model, "Hello."),
            voice_clone_prompt={
                "ref_code": None,
                "ref_spk_embedding": [torch.from_numpy(voice.speaker)],
                "x_vector_only_mode": [True],
                "icl_mode": [False],
            },
            languages=[language],
        )
        got, _ = our_embeddings(tiny, tiny.writer(voice).write("Hello.", language))
        torch.testing.assert_close(got, wanted, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("text_first", [False, True], ids=["together", "text first"])
@pytest.mark.parametrize("instruct", [None, "Whisper."])
@pytest.mark.parametrize("speaker", ["Ryan", "dylan"])
@pytest.mark.parametrize("language", ["auto", "chinese", "english"])
def test_a_named_speaker_has_the_published_prompt(
    checkpoint: Callable[[str], Path],
    published: Any,
    speaker: str,
    language: str,
    instruct: str | None,
    text_first: bool,
) -> None:
    model, tiny = published("customvoice"), load_tiny(checkpoint("customvoice"))
    ids = model._tokenize_texts([model._build_instruct_text(instruct)]) if instruct else [None]
    wanted, wanted_trailing = published_embeddings(
        model,
        input_ids=target_ids(model, TEXTS[1]),
        instruct_ids=ids,
        languages=[language],
        speakers=[speaker],
        non_streaming_mode=text_first,
    )
    voice = VoicePrompt(speaker_name=speaker, instruct=instruct)
    got, trailing = our_embeddings(tiny, tiny.writer(voice, text_first).write(TEXTS[1], language))
    torch.testing.assert_close(got, wanted, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(trailing, wanted_trailing, atol=1e-6, rtol=1e-6)


def test_a_described_voice_has_the_published_prompt(
    checkpoint: Callable[[str], Path], published: Any
) -> None:
    model, tiny = published("voicedesign"), load_tiny(checkpoint("voicedesign"))
    wanted, _ = published_embeddings(
        model,
        input_ids=target_ids(model, TEXTS[0]),
        instruct_ids=model._tokenize_texts([model._build_instruct_text("An old man.")]),
        languages=["german"],
        non_streaming_mode=True,
    )
    voice = VoicePrompt(instruct="An old man.")
    got, _ = our_embeddings(tiny, tiny.writer(voice, text_first=True).write(TEXTS[0], "german"))
    torch.testing.assert_close(got, wanted, atol=1e-6, rtol=1e-6)


def test_a_voice_that_the_checkpoint_cannot_have_is_refused(tiny: Tiny) -> None:
    wide = np.zeros(tiny.config.talker.hidden + 1, np.float32)
    right = cloned(tiny.config)
    for voice, word in (
        (VoicePrompt(), "no speaker embedding"),
        (VoicePrompt(speaker=wide), "width"),
        (VoicePrompt(codes=right.codes, speaker=right.speaker), "no transcript"),
        (VoicePrompt(speaker=right.speaker, speaker_name="nobody"), "no speaker 'nobody'"),
    ):
        with pytest.raises(VoiceError, match=word):
            tiny.writer(voice)
