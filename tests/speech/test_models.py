"""Which model is meant, whether it is whole, and what it can do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from narrate.errors import BackendError, UsageError, VoiceError
from narrate.speech.models import find_model, open_checkpoint

WEIGHTS = "model.safetensors"


@pytest.fixture
def model(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """Give a copy of the tiny checkpoint that a test may damage."""
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "model"))


def refusal(model: Path) -> str:
    with pytest.raises(BackendError) as caught:
        open_checkpoint(model)
    assert caught.value.remedy
    return str(caught.value)


def change(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(offset)
        file.write(bytes([byte[0] ^ 1]))


def edit(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_checkpoint_says_what_it_can_do(checkpoint: Callable[[str], Path]) -> None:
    base, custom = open_checkpoint(checkpoint("base")), open_checkpoint(checkpoint("customvoice"))
    assert (base.kind, base.size, base.rate_hz) == ("base", "1b7", 24_000)
    assert {"english", "german", "chinese"} <= set(base.languages)
    assert base.speakers == ()
    assert custom.kind == "custom_voice"
    assert custom.speakers == ("dylan", "ryan", "vivian")
    assert custom.dialects == {"dylan": "beijing_dialect"}
    assert not [name for name in custom.languages if "dialect" in name]


def test_opening_one_is_quick_and_loads_no_torch(tiny_checkpoint: Path) -> None:
    probe = (
        "import sys; from pathlib import Path; from narrate.speech.models import open_checkpoint; "
        "open_checkpoint(Path(sys.argv[1])); print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe, str(tiny_checkpoint)], capture_output=True, text=True
    )
    assert done.stdout.strip() == "False", done.stderr
    started = time.monotonic()
    open_checkpoint(tiny_checkpoint)
    assert time.monotonic() - started < 0.5


def test_the_digest_is_the_model_s_and_not_the_folder_s(tiny_checkpoint: Path, model: Path) -> None:
    assert open_checkpoint(model).digest == open_checkpoint(tiny_checkpoint).digest


@pytest.mark.parametrize("name", [WEIGHTS, f"speech_tokenizer/{WEIGHTS}", "merges.txt"])
def test_another_tensor_or_tokenizer_is_another_model(model: Path, name: str) -> None:
    before = open_checkpoint(model).digest
    path = model / name
    if path.suffix == ".txt":
        path.write_text(path.read_text() + "Ġq q\n")
    else:
        head = int.from_bytes(path.read_bytes()[:8], "little")
        header = json.loads(path.read_bytes()[8 : 8 + head])
        last = max(e["data_offsets"][0] for n, e in header.items() if n != "__metadata__")
        change(path, 8 + head + last)
    assert open_checkpoint(model).digest != before


def test_a_folder_that_is_missing_or_no_model_is_named(model: Path, tmp_path: Path) -> None:
    assert str(tmp_path / "nowhere") in refusal(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "config.json" in refusal(tmp_path / "empty")
    (model / "config.json").write_text('{"model_type": ')
    assert "config.json" in refusal(model)


@pytest.mark.parametrize("name", [WEIGHTS, "vocab.json", f"speech_tokenizer/{WEIGHTS}"])
def test_a_half_downloaded_model_names_what_is_missing(model: Path, name: str) -> None:
    (model / name).unlink()
    assert Path(name).name in refusal(model)
    assert "half" in refusal(model)


def test_a_missing_shard_is_named(model: Path) -> None:
    first, second = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    (model / WEIGHTS).rename(model / first)
    index = {"weight_map": {"a": first, "b": second}}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    assert f"{second} is missing" in refusal(model)
    assert first not in refusal(model)


def test_weights_that_are_cut_short_are_seen(model: Path) -> None:
    path = model / WEIGHTS
    whole = path.stat().st_size
    for length, words in ((whole - 1, f"{whole:,}"), (1000, "header"), (3, "safetensors"), (0, "")):
        os.truncate(path, length)
        assert words in refusal(model)


def test_weights_that_git_left_behind_as_a_pointer_are_seen(model: Path) -> None:
    (model / WEIGHTS).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\n")
    assert "git-lfs" in refusal(model)


def test_another_model_is_refused_by_its_type(model: Path) -> None:
    edit(model / "config.json", model_type="llama")
    assert "'llama'" in refusal(model)
    edit(model / "config.json", model_type="qwen3_tts", tokenizer_type="qwen3_tts_tokenizer_25hz")
    assert "12 Hz" in refusal(model)
    edit(model / "config.json", tts_model_type="singing")
    assert "'singing'" in refusal(model)


def test_a_folder_needs_no_network_and_no_hub(tiny_checkpoint: Path) -> None:
    assert find_model(str(tiny_checkpoint), "base") == tiny_checkpoint


def test_words_that_mean_no_model_are_refused() -> None:
    with pytest.raises(UsageError, match=r"no 0\.6b model that makes a voice from a description"):
        find_model("0.6b", "voice_design")
    with pytest.raises(BackendError, match="no such model folder"):
        find_model("./models/1.7b", "base")
    with pytest.raises(BackendError, match="no such model folder"):
        find_model("three words here", "base")


def test_a_model_that_must_be_downloaded_says_what_to_fetch_and_where_to_put_it(
    tmp_path: Path, tiny_checkpoint: Path
) -> None:
    probe = (
        "from narrate.speech.models import find_model\n"
        "from narrate.errors import BackendError\n"
        "for download in (False, True):\n"
        "    try: find_model('1.7b', 'custom_voice', download=download)\n"
        "    except BackendError as error: print(error)\n"
    )
    env = {**os.environ, "HF_HOME": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9"}
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, env=env)
    assert "not on this machine yet" in done.stdout, done.stderr
    assert "the Hugging Face hub cannot be reached" in done.stdout
    assert done.stdout.count("hf download Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice") == 2
    assert done.stdout.count("--model FOLDER") == 2


def test_a_kind_of_model_refuses_the_voices_of_the_others(tiny_checkpoint: Path) -> None:
    found = open_checkpoint(tiny_checkpoint)
    found.require("base", "a recording")
    with pytest.raises(VoiceError, match="it clones a voice from a recording"):
        found.require("custom_voice", "a named speaker")


def without(path: Path, name: str) -> None:
    """Take a tensor out of a safetensors file."""
    from safetensors.numpy import load_file, save_file

    tensors = load_file(path)
    del tensors[name]
    save_file(tensors, path, {"format": "pt"})


@pytest.mark.parametrize(
    ("file", "name"),
    [
        (WEIGHTS, "talker.model.layers.1.mlp.up_proj.weight"),
        (WEIGHTS, "speaker_encoder.fc.weight"),
        (f"speech_tokenizer/{WEIGHTS}", "decoder.pre_conv.conv.weight"),
    ],
)
def test_a_missing_tensor_is_named_and_never_made_up(model: Path, file: str, name: str) -> None:
    from narrate.speech.backend import SpeechOptions
    from narrate.speech.official_model import OfficialModel

    without(model / file, name)
    with pytest.raises(BackendError, match=rf"lack {name}"):
        OfficialModel(open_checkpoint(model), SpeechOptions())


def test_a_checkpoint_whose_sizes_contradict_its_weights_is_refused(model: Path) -> None:
    from narrate.speech.backend import SpeechOptions
    from narrate.speech.official_model import OfficialModel

    config = json.loads((model / "config.json").read_text())
    config["talker_config"]["hidden_size"] = 96
    (model / "config.json").write_text(json.dumps(config))
    with pytest.raises(BackendError, match="cannot be loaded"):
        OfficialModel(open_checkpoint(model), SpeechOptions())
