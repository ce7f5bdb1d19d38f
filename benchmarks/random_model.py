"""The published sizes with random weights made on the card: their values change no speed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from narrate.bench.weights.configs import GENERATION, model_config, speech_tokenizer_config
from narrate.bench.weights.tokenizer import write_tokenizer
from narrate.engine.cache import MANY_ROWS
from narrate.engine.codec import Codec, read_codec_config
from narrate.engine.codec.weights import codec_tensors
from narrate.engine.config import ModelConfig, SpecialIds, StackConfig
from narrate.engine.model.layers import Model
from narrate.engine.weights import build_model, shapes_of

__all__ = ["published_config", "random_codec", "random_folder", "random_model"]

_TALKER_SIZES = {"1.7b": (2048, 6144), "0.6b": (1024, 3072)}
_LOUDNESS = 0.02


def published_config(size: str) -> ModelConfig:
    """The numbers of the published checkpoints."""
    hidden, inner = _TALKER_SIZES[size]
    return ModelConfig(
        talker=StackConfig(hidden, inner, 28, 16, 8, 128, 3072, 1e-6, 1e6),
        predictor=StackConfig(1024, 3072, 5, 16, 8, 128, 2048, 1e-6, 1e6),
        groups=16,
        text_vocab=151936,
        text_hidden=2048,
        max_positions=32768,
        ids=SpecialIds(151671, 151672, 151673, 2148, 2149, 2150, 2154, 2155, 2156, 2157),
        languages={"english": 2050},
        speakers={},
        dialects={},
        kind="base",
        size=size,
    )


def random_model(
    size: str, positions: int, device: torch.device, dtype: torch.dtype, packed: str | None = None
) -> Model:
    """A model that never ends by itself: its rows end at their caps, so lengths can be chosen."""
    config = published_config(size)
    shapes = shapes_of(config)
    torch.manual_seed(0)

    def take(name: str) -> torch.Tensor:
        if name.endswith("norm.weight"):
            return torch.ones(shapes[name], device=device, dtype=dtype)
        tensor = torch.randn(shapes[name], device=device, dtype=dtype) * _LOUDNESS
        if name == "talker.codec_head.weight":
            tensor[config.ids.eos] = 0  # a logit of 0 is never among the fifty largest
        return tensor

    return build_model(config, take, device, dtype, positions, packed)


def random_folder(folder: Path, size: str) -> None:
    """A checkpoint's folder without the model's weights: configurations, tokenizer, codec."""
    inner = folder / "speech_tokenizer"
    inner.mkdir(parents=True)
    for path, held in (
        (folder / "config.json", model_config(size, "base")),
        (folder / "generation_config.json", GENERATION),
        (inner / "config.json", speech_tokenizer_config(size)),
    ):
        path.write_text(json.dumps(held))
    write_tokenizer(folder)
    random = np.random.default_rng(0)
    tensors: dict[str, NDArray[np.float32]] = {}

    for name, shape in codec_tensors(read_codec_config(inner)).items():
        tensors[name] = random.standard_normal(shape, dtype=np.float32) * _LOUDNESS
    save_file(tensors, inner / "model.safetensors")


def random_codec(folder: Path, device: torch.device, rows: int, frames: int | None = None) -> Codec:
    """The speech decoder of that folder, for passes of so many frames, by default as for `rows`."""
    frames = frames or (4096 if rows >= MANY_ROWS else 1024)
    return Codec(folder / "speech_tokenizer", device, torch.bfloat16, frames)
