"""The published package and the checkpoints we make for it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from narrate.bench.weights.configs import KINDS

pytestmark = pytest.mark.usefixtures("tiny_checkpoint")

PROBE = """
from narrate.speech.published import load_published
package = load_published()
import sys
print(package.Qwen3TTSModel.__name__, "torchaudio" in sys.modules, "sox" in sys.modules)
"""


def test_the_package_loads_without_a_word_and_leaves_no_stand_in_behind() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split() == ["Qwen3TTSModel", "False", "False"]
    assert done.stderr == ""


@pytest.mark.parametrize("kind", KINDS)
def test_the_published_package_loads_every_kind_of_checkpoint(
    kind: str, checkpoint: Callable[[str], Path]
) -> None:
    from narrate.speech.published import load_published

    model = load_published().Qwen3TTSModel.from_pretrained(str(checkpoint(kind)))
    assert model.model.tts_model_type == KINDS[kind]
    assert (model.model.speaker_encoder is not None) == (kind == "base")
    assert bool(model.get_supported_speakers()) == (kind == "customvoice")


def test_the_prompt_s_words_have_the_published_ids(tiny_checkpoint: Path) -> None:
    from narrate.speech.published import load_published

    model = load_published().Qwen3TTSModel.from_pretrained(str(tiny_checkpoint))
    ids = model.processor.tokenizer("<|im_start|>assistant\nAh<|im_end|>\n")["input_ids"]
    assert ids[:3] == [151644, 77091, 198]
    assert ids[-2:] == [151645, 198]
    config = json.loads((tiny_checkpoint / "config.json").read_text())
    names = ["tts_pad_token_id", "tts_bos_token_id", "tts_eos_token_id"]
    words = model.processor.tokenizer.convert_ids_to_tokens([config[name] for name in names])
    assert words == ["<tts_pad>", "<tts_text_bos>", "<tts_text_eod>"]


def test_the_same_seed_makes_the_same_checkpoint_and_another_another(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    from narrate.bench.weights import make_checkpoint

    again = make_checkpoint(tmp_path / "again")
    other = make_checkpoint(tmp_path / "other", seed=1)
    names = sorted(p.relative_to(again) for p in again.rglob("*") if p.is_file())
    assert all((again / n).read_bytes() == (tiny_checkpoint / n).read_bytes() for n in names)
    assert (other / "model.safetensors").read_bytes() != (again / "model.safetensors").read_bytes()


def test_its_weights_are_as_varied_as_real_ones(tiny_checkpoint: Path) -> None:
    from safetensors.numpy import load_file

    weights = load_file(tiny_checkpoint / "model.safetensors")
    rows = np.linalg.norm(weights["talker.codec_head.weight"], axis=1)
    assert rows[2150] > 2.5 * np.median(rows)  # the end of speech, so that it ends
    assert all(np.isfinite(tensor).all() for tensor in weights.values())
