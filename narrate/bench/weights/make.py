"""A checkpoint folder: configuration, tokenizer, and weights written tensor by tensor."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from narrate.bench.weights.configs import (
    CODEC_EOS,
    GENERATION,
    feature_extractor,
    model_config,
    speech_tokenizer_config,
)
from narrate.bench.weights.tokenizer import write_tokenizer
from narrate.config import usable_cores
from narrate.speech.published import load_published

__all__ = ["MADE", "make_checkpoint"]

MADE = "narrate-bench.json"
"""Says of a folder that its weights are random, of which size, and whether its rows end."""

EOS_LOUDNESS = {"tiny": 4.0, "0.6b": 1.0, "1.7b": 1.0}
"""How much longer the end's row in the head is than the others': the longer, the sooner it ends.

A row of zeros never ends: a logit of 0 is in the middle of all, and the fifty largest are drawn.
"""
LOUDNESS = 0.002
"""Of the decoder's last layer: its sound stays well below full scale."""
AT_ONCE = 1 << 22
"""Numbers made and written in one go."""


def make_checkpoint(
    out: Path, size: str = "tiny", kind: str = "base", seed: int = 0, *, ends: bool = True
) -> Path:
    """Write a checkpoint folder and return it; the same arguments give the same bytes.

    Without `ends` the model never ends by itself: every row runs to its cap, so that a
    measurement decides how much is spoken.
    """
    config, codec = model_config(size, kind), speech_tokenizer_config(size)
    inner = out / "speech_tokenizer"
    inner.mkdir(parents=True, exist_ok=True)
    _write_json(out / "config.json", config)
    _write_json(out / "generation_config.json", GENERATION)
    _write_json(out / "preprocessor_config.json", {"padding_side": "left", "padding_value": 0.0})
    _write_json(inner / "config.json", codec)
    _write_json(inner / "preprocessor_config.json", feature_extractor())
    _write_json(out / MADE, {"size": size, "ends": ends})
    write_tokenizer(out)
    dtype = "F32" if size == "tiny" else "BF16"
    louder = EOS_LOUDNESS[size] if ends else 0.0
    _write_weights(out / "model.safetensors", _model_shapes(config), dtype, seed, louder)
    _write_weights(inner / "model.safetensors", _codec_shapes(codec), "F32", seed + 1, louder)
    return out


def _model_shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    load_published()
    from qwen_tts.core.models import Qwen3TTSConfig, Qwen3TTSForConditionalGeneration

    return _shapes(Qwen3TTSForConditionalGeneration, Qwen3TTSConfig(**config))


def _codec_shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    load_published()
    from qwen_tts.core import Qwen3TTSTokenizerV2Config, Qwen3TTSTokenizerV2Model

    return _shapes(Qwen3TTSTokenizerV2Model, Qwen3TTSTokenizerV2Config(**config))


def _shapes(model: Any, config: Any) -> dict[str, tuple[int, ...]]:
    """Every tensor of a model and its shape, without making one: on torch's `meta` device."""
    import torch

    with torch.device("meta"):
        state = model(config).state_dict()
    return {name: tuple(tensor.shape) for name, tensor in sorted(state.items())}


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def _write_weights(
    path: Path, shapes: Mapping[str, tuple[int, ...]], dtype: str, seed: int, end_loudness: float
) -> None:
    """Write a safetensors file without ever holding more than a part of a tensor for each core.

    The format: a little-endian length, a JSON header of names, types, shapes and byte ranges, data.
    """
    width = 4 if dtype == "F32" else 2
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, shape in shapes.items():
        length = int(np.prod(shape, dtype=np.int64)) * width
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + length]}
        at += length
    words = json.dumps(header).encode()
    words += b" " * (-len(words) % 8)
    begin = 8 + len(words)
    path.write_bytes(struct.pack("<Q", len(words)) + words)

    def write(name: str) -> None:
        with path.open("r+b") as file:
            file.seek(begin + header[name]["data_offsets"][0])
            _write_tensor(file, name, shapes[name], dtype, seed, end_loudness)

    with ThreadPoolExecutor(usable_cores()) as threads:
        list(threads.map(write, shapes))


def _write_tensor(
    file: BinaryIO, name: str, shape: tuple[int, ...], dtype: str, seed: int, end_loudness: float
) -> None:
    key = hashlib.sha256(f"{seed} {name}".encode()).digest()
    random = np.random.default_rng(int.from_bytes(key[:8], "little"))
    count = int(np.prod(shape, dtype=np.int64))
    row = int(np.prod(shape[1:], dtype=np.int64)) or 1
    for start in range(0, count, AT_ONCE):
        part = _values(random, name, shape, min(AT_ONCE, count - start))
        if name.endswith("codec_head.weight"):
            begin = CODEC_EOS * row - start
            stop = min(begin + row, len(part))
            if stop > 0 and begin < len(part):
                part[max(begin, 0) : stop] *= end_loudness
        file.write(_encoded(part, dtype))


def _values(
    random: np.random.Generator, name: str, shape: tuple[int, ...], count: int
) -> NDArray[np.float32]:
    """Numbers that keep signals at about the size they came in with, layer after layer."""
    noise = random.standard_normal(count, dtype=np.float32)
    last = name.rsplit(".", 1)[-1]
    fan_in = int(np.prod(shape[1:], dtype=np.int64)) or 1
    if name.endswith(("initialized", "cluster_usage")):
        return np.ones(count, np.float32)
    if last in ("alpha", "beta"):  # snake's are logarithms
        return 0.1 * noise
    if name.endswith("layer_scale.scale") or last == "gamma":
        return 0.3 + 0.05 * noise
    if last in ("embed_sum", "embedding_sum") or "embedding" in name:
        return noise
    if len(shape) == 1:
        return 1.0 + 0.1 * noise if last == "weight" else 0.02 * noise
    noise /= np.float32(np.sqrt(fan_in))
    if name.endswith("codec_head.weight") or ".lm_head." in name:
        return 1.5 * noise
    if shape[0] == 1 and name.startswith("decoder.decoder."):
        return LOUDNESS * noise
    return noise


def _encoded(values: NDArray[np.float32], dtype: str) -> bytes:
    """Little-endian bytes; bfloat16 is the upper half of a float32, rounded to nearest even."""
    if dtype == "F32":
        return values.astype("<f4").tobytes()
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()
