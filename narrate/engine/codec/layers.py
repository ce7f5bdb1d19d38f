"""The speech decoder's weights as values, in the layout that they are computed in.

Time runs along the first axis and channels along the last. A convolution's weight is
[taps, out, in]. A transposed convolution whose kernel is twice its stride is a convolution of two
taps with stride times as many channels: what comes out, read as more steps of fewer channels, is
its result, so there is one kind of convolution only.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import torch

from narrate.engine.codec.config import CodecConfig
from narrate.engine.kernels import Norm

__all__ = [
    "FP32",
    "GELU",
    "Block",
    "CodecWeights",
    "Conv",
    "Gelu",
    "Grade",
    "Grades",
    "Layer",
    "Level",
    "NextBlock",
    "Snake",
    "Unit",
    "parted",
]

Tensor = torch.Tensor


class Grade(NamedTuple):
    """How finely numbers are kept: a type, and in how many parts side by side.

    Weights stand as (upper, upper, lower): what the type can hold, twice, and what it leaves over.
    What they are multiplied with is held as (upper, lower), and its first part read again for a
    third: a product over three parts is one of twice the digits, one over two lacks the weight's.
    """

    dtype: torch.dtype
    parts: int = 1

    @property
    def held(self) -> int:
        """Parts side by side of what a weight of this grade reads."""
        return min(self.parts, 2)


FP32 = Grade(torch.float32)


class Level(NamedTuple):
    """How a level of the wave decoder is computed: the grades of its convolutions, by their names.

    Residuals are kept as `kept`.
    """

    up: Grade
    wide: Grade
    point: Grade
    kept: torch.dtype

    @classmethod
    def of(cls, grade: Grade) -> Level:
        """Everything in one grade."""
        return cls(grade, grade, grade, grade.dtype)


class Grades(NamedTuple):
    """How a decoder is computed: everything before the wave decoder's levels, and these."""

    early: Grade
    levels: tuple[Level, ...]

    @classmethod
    def of(cls, grade: Grade, levels: int) -> Grades:
        """Everything in one grade."""
        return cls(grade, (Level.of(grade),) * levels)


def parted(x: Tensor, grade: Grade, weights: bool = False) -> Tensor:
    """x, fp32, in a grade: its parts side by side along the last axis; never infinite."""
    dtype, parts = grade
    if dtype == torch.float16:
        x = x.clamp(-65504.0, 65504.0)
    upper = x.to(dtype)
    if parts == 1:
        return upper
    lower = (x - upper.float()).to(dtype)
    return torch.cat((upper, upper, lower)[:parts] if weights else (upper, lower), -1)


@dataclass(frozen=True, eq=False)
class Conv:
    """A causal convolution: weight [taps, steps * out, in], bias fp32 [steps * out].

    What it reads has grade `reads`, whose parts `in` counts; its result has grade `out`, and where
    it is kept for a residual, too, the type `kept` there, by default that of `out`. The sums are
    multiplied by `scale` [steps * out], where there is one, before anything is added. With one tap
    it is a product.
    """

    weight: Tensor
    bias: Tensor
    dilation: int = 1
    steps: int = 1
    out: Grade = FP32
    reads: Grade = FP32
    scale: Tensor | None = None
    kept: torch.dtype | None = None

    @property
    def keeps(self) -> torch.dtype:
        """The type of what a residual needs of its result."""
        return self.kept or self.out.dtype


@dataclass(frozen=True, eq=False)
class Snake:
    """x + gain * sin(rate * x)^2 by channel, both fp32."""

    rate: Tensor
    gain: Tensor


class Gelu(Enum):
    """x times the share of a normal distribution that lies below it."""

    GELU = "gelu"


GELU = Gelu.GELU


@dataclass(frozen=True, eq=False)
class Layer:
    """A transformer layer; its two layer scales are folded into `out` and `down`."""

    norm: Norm
    qkv: Conv
    out: Conv
    mlp_norm: Norm
    gate_up: Conv
    down: Conv


@dataclass(frozen=True, eq=False)
class NextBlock:
    """Upsampling, then ConvNeXt: depthwise [taps, channels], its scale folded into `narrow`."""

    up: Conv
    depthwise: Tensor
    depthwise_bias: Tensor
    norm: tuple[Tensor, Tensor]
    widen: Conv
    narrow: Conv


@dataclass(frozen=True, eq=False)
class Unit:
    """A residual unit: snake, dilated convolution, snake, convolution of one tap."""

    before: Snake
    wide: Conv
    between: Snake
    point: Conv


@dataclass(frozen=True, eq=False)
class Block:
    """A level of the wave decoder: snake, upsampling, three residual units."""

    before: Snake
    up: Conv
    units: tuple[Unit, ...]


@dataclass(frozen=True, eq=False)
class Places:
    """What each place of a run is, [n] int32 each; the numbers of utterances are `packing`'s.

    The utterance and the position in it. Of one that goes on from the past: the place where it
    begins, and how many places before that the past ends; 0 and 0 elsewhere.
    """

    utterance: torch.Tensor
    position: torch.Tensor
    begin: torch.Tensor
    jump: torch.Tensor


@dataclass(frozen=True, eq=False)
class CodecWeights:
    """All of it. tables [quantizers, codebook_size, codebook_dim]: codebooks after projection."""

    config: CodecConfig
    tables: Tensor
    pre: Conv
    enter: Conv
    layers: tuple[Layer, ...]
    norm: Norm
    leave: Conv
    ups: tuple[NextBlock, ...]
    first: Conv
    blocks: tuple[Block, ...]
    after: Snake
    last: Conv
