"""The codec's kernels at the published sizes, compiled for a card that is made of paper.

`test_codec_triton.py` runs this in a process of its own, because other tests have Triton interpret:
an interpreter takes shapes, types and amounts of memory that no card does.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from narrate.bench.weights.configs import speech_tokenizer_config
from narrate.engine.codec import Codec, read_codec_config
from narrate.engine.codec.weights import codec_tensors
from tests.engine.paper import paper_card

CPU = torch.device("cpu")


def test_the_codec_fits_a_card(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(speech_tokenizer_config("1.7b")))
    shapes = codec_tensors(read_codec_config(tmp_path))
    zeros = {name: torch.zeros(shape, dtype=torch.float16) for name, shape in shapes.items()}
    save_file(zeros, tmp_path / "model.safetensors")
    with paper_card(tmp_path / "kernels") as card:
        codec = Codec(tmp_path, CPU, torch.bfloat16, 64, "triton")
        heard = len(card.launches)
        assert heard > 0
        codec.decode([torch.zeros(20, 16, dtype=torch.int32)])
        assert len(card.launches) > heard
