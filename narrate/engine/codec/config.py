"""The sizes of a checkpoint's speech decoder, and how far back one of its samples can look.

A key that `speech_tokenizer/config.json` lacks has the value of the published configuration class
(qwen-tts 0.1.1), because files that it writes leave out what equals its defaults.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from narrate.engine.config import read_json
from narrate.errors import BackendError

__all__ = ["DILATIONS", "CodecConfig", "read_codec_config"]

# Fixed in the published code, not in its configuration.
DILATIONS = (1, 3, 9)
PRE_TAPS, NEXT_TAPS, WAVE_TAPS = 3, 7, 7


@dataclass(frozen=True, slots=True)
class CodecConfig:
    """Sizes; `ratios` are the upsamplings before the wave decoder, `rates` those inside it."""

    quantizers: int
    codebook_size: int
    codebook_dim: int
    latent: int
    hidden: int
    inner: int
    layers: int
    heads: int
    head_dim: int
    window: int
    eps: float
    rope_theta: float
    wave_dim: int
    ratios: tuple[int, ...]
    rates: tuple[int, ...]
    sample_rate: int

    @property
    def samples_per_frame(self) -> int:
        """Samples of sound that one frame of codes becomes."""
        return math.prod(self.ratios) * math.prod(self.rates)

    @property
    def transformer_reach(self) -> int:
        """Frames before a latent that it depends on: each layer looks window - 1 further back."""
        return self.layers * (self.window - 1) + PRE_TAPS - 1

    @property
    def wave_reach(self) -> int:
        """Latents before a frame that its samples depend on: every convolution's reach, summed."""
        reach, rate = Fraction(0), 1
        for ratio in self.ratios:
            rate *= ratio
            reach += Fraction(NEXT_TAPS - 1, rate)
        reach += Fraction(WAVE_TAPS - 1, rate)
        for ratio in self.rates:
            reach += Fraction(1, rate)
            rate *= ratio
            reach += Fraction((WAVE_TAPS - 1) * sum(DILATIONS), rate)
        reach += Fraction(WAVE_TAPS - 1, rate)
        return math.ceil(reach)

    @property
    def gap(self) -> int:
        """Silent frames that keep neighbours apart: the longest reach of any one convolution."""
        reaches, rate = [Fraction(PRE_TAPS - 1)], 1
        for ratio in self.ratios:
            rate *= ratio
            reaches.append(Fraction(max(NEXT_TAPS, WAVE_TAPS) - 1, rate))
        for ratio in self.rates:
            rate *= ratio
            reaches.append(Fraction((WAVE_TAPS - 1) * max(DILATIONS), rate))
        return math.ceil(max(reaches))


_DEFAULTS: Mapping[str, object] = {
    "num_quantizers": 16,
    "codebook_size": 2048,
    "codebook_dim": 512,
    "latent_dim": 1024,
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 8,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "sliding_window": 72,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000,
    "decoder_dim": 1536,
    "upsampling_ratios": [2, 2],
    "upsample_rates": [8, 5, 4, 3],
    "hidden_act": "silu",
    "attention_bias": False,
}


def read_codec_config(folder: Path) -> CodecConfig:
    """Read a `speech_tokenizer` folder's config; `BackendError` for what is not computed."""
    path = folder / "config.json"
    top = read_json(path)
    decoder = top.get("decoder_config")
    if not isinstance(decoder, dict):
        raise BackendError("the speech decoder has no decoder_config", where=str(path))
    values = {**_DEFAULTS, **decoder}
    heads = _number(values, "num_attention_heads", path)
    for key, wanted in (
        ("num_key_value_heads", heads),
        ("hidden_act", "silu"),
        ("attention_bias", False),
    ):
        if values[key] != wanted:
            raise BackendError(
                f"a speech decoder with {key} {values[key]!r} is not computed by this engine",
                where=str(path),
                remedy="use --backend official",
            )
    hidden = _number(values, "hidden_size", path)
    rate = {"output_sample_rate": 24000, **top}
    config = CodecConfig(
        quantizers=_number(values, "num_quantizers", path),
        codebook_size=_number(values, "codebook_size", path),
        codebook_dim=_number(values, "codebook_dim", path),
        latent=_number(values, "latent_dim", path),
        hidden=hidden,
        inner=_number(values, "intermediate_size", path),
        layers=_number(values, "num_hidden_layers", path),
        heads=heads,
        head_dim=_number({"head_dim": hidden // heads, **values}, "head_dim", path),
        window=_number(values, "sliding_window", path),
        eps=_real(values, "rms_norm_eps", path),
        rope_theta=_real(values, "rope_theta", path),
        wave_dim=_number(values, "decoder_dim", path),
        ratios=_numbers(values, "upsampling_ratios", path),
        rates=_numbers(values, "upsample_rates", path),
        sample_rate=_number(rate, "output_sample_rate", path),
    )
    return config


def _fault(key: str, value: object, path: Path) -> BackendError:
    return BackendError(f"{key} is {value!r} in the speech decoder's config", where=str(path))


def _number(values: Mapping[str, object], key: str, path: Path) -> int:
    value = values[key]
    if not isinstance(value, int) or value <= 0:
        raise _fault(key, value, path)
    return value


def _real(values: Mapping[str, object], key: str, path: Path) -> float:
    value = values[key]
    if not isinstance(value, int | float):
        raise _fault(key, value, path)
    return float(value)


def _numbers(values: Mapping[str, object], key: str, path: Path) -> tuple[int, ...]:
    value = values[key]
    if not isinstance(value, list | tuple) or not all(isinstance(n, int) for n in value):
        raise _fault(key, value, path)
    return tuple(value)
