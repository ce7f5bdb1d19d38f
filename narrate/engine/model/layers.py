"""The weights as values, and what a layer computes with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from narrate.engine.config import ModelConfig, StackConfig
from narrate.engine.kernels import Cache, Few, HeadNorms, Kernels, Norm, Rotary, Weight

__all__ = [
    "Layer",
    "Model",
    "Predictor",
    "Stack",
    "few_of",
    "forward_in_parts",
    "layer_forward",
]


@dataclass(frozen=True, eq=False)
class Layer:
    """One decoder layer; qkv and gate_up are fused by rows, all weights [out, in]."""

    norm: Norm
    qkv: Weight
    heads: HeadNorms
    out: Weight
    mlp_norm: Norm
    gate_up: Weight
    down: Weight


@dataclass(frozen=True, eq=False)
class Stack:
    """A transformer without its embeddings and heads."""

    config: StackConfig
    layers: tuple[Layer, ...]
    norm: Norm
    rotary: Rotary


@dataclass(frozen=True, eq=False)
class Predictor:
    """The code predictor. `inputs` is the code table already projected to the predictor's width.

    heads[g - 1] [vocab, hidden] gives the logits of group g; `project` is None where both
    transformers have one width.
    """

    stack: Stack
    project: tuple[torch.Tensor, torch.Tensor] | None
    inputs: torch.Tensor
    heads: tuple[torch.Tensor, ...]


@dataclass(frozen=True, eq=False)
class Model:
    """All weights. text [text_vocab + 1, hidden] is projected; codes [code_rows + 2, hidden]."""

    config: ModelConfig
    text: torch.Tensor
    codes: torch.Tensor
    talker: Stack
    head: torch.Tensor
    predictor: Predictor

    @property
    def speaker_row(self) -> int:
        """The row of the code table that a voice's speaker embedding is written to."""
        return self.config.code_rows

    def group_rows(self, table: torch.Tensor, group: int) -> torch.Tensor:
        """The rows of one group of the code table, or of a table of the same order."""
        start = self.config.code_offset(group)
        vocab = self.config.predictor.vocab if group else self.config.talker.vocab
        return table[start : start + vocab]


def layer_forward(
    x: torch.Tensor,
    layer: Layer,
    kernels: Kernels,
    attend: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Both residuals of one layer onto x [n, hidden], in place; `attend` maps qkv to heads."""
    kernels.add_linear(x, attend(kernels.norm_linear(x, layer.norm, layer.qkv)), layer.out)
    kernels.add_linear(x, kernels.norm_swiglu(x, layer.mlp_norm, layer.gate_up), layer.down)
    return x


def few_of(kernels: Kernels, rows: int, stack: Stack, head: torch.Tensor) -> Few | None:
    """The products for so few rows, where this stack's weights suit them."""
    one = stack.layers[0]
    weights = (one.qkv, one.out, one.gate_up, one.down, head)
    return kernels.few if kernels.few is not None and kernels.few.fits(rows, weights) else None


def forward_in_parts(
    x: torch.Tensor,
    stack: Stack,
    caches: tuple[Cache, ...],
    kernels: Kernels,
    few: Few,
    attend: Callable[[torch.Tensor, Layer, Cache], torch.Tensor],
) -> torch.Tensor:
    """All layers onto x [n, hidden] of few rows, in place; returns what the last norm gives.

    A product leaves its sum in parts, and every residual is added together with the norm after it.
    """
    norms = [layer.norm for layer in stack.layers[1:]] + [stack.norm]
    y = kernels.rms_norm(x, stack.layers[0].norm)
    for layer, cache, norm in zip(stack.layers, caches, norms, strict=True):
        heads = attend(few.parts(y, layer.qkv), layer, cache)
        y = few.add_norm(x, few.parts(heads, layer.out), layer.mlp_norm)
        inner = few.swiglu(few.parts(y, layer.gate_up), y.dtype)
        y = few.add_norm(x, few.parts(inner, layer.down), norm)
    return y
