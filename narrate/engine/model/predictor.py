"""The code predictor: fifteen steps that turn a talker state and code 0 into codes 1 to 15."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from narrate.engine.kernels import Cache, Feed, Few, Kernels, Rows, Rules
from narrate.engine.model.layers import Layer, Model, few_of, forward_in_parts, layer_forward

__all__ = ["feed_of", "predict", "predictor_inputs"]


def predictor_inputs(model: Model, hidden: torch.Tensor) -> torch.Tensor:
    """The talker's state at the predictor's width: hidden [n, talker] -> [n, predictor]."""
    project = model.predictor.project
    return F.linear(hidden, *project) if project else hidden


def feed_of(model: Model, group: int, x: torch.Tensor, total: torch.Tensor) -> Feed:
    """Where the code of a group goes: the predictor's next input x, and the frame's sum."""
    last = group == model.config.groups - 1
    return Feed(
        step=None if last else model.group_rows(model.predictor.inputs, group),
        x=None if last else x,
        embedding=model.group_rows(model.codes, group),
        total=total,
    )


def predict(
    model: Model,
    kernels: Kernels,
    first: torch.Tensor,
    x: torch.Tensor,
    caches: tuple[Cache, ...],
    rules: Rules,
    rows: Rows,
    total: torch.Tensor,
) -> None:
    """Draw codes 1 and up into rows.codes; `first` [n, width] is the talker's state, projected.

    x [n, width] holds the input of code 0 and is overwritten by every step. The first step takes
    both as two positions, but for few rows, whose launches would wait for each other: there `first`
    goes alone, before.
    """
    few = few_of(kernels, len(x), model.predictor.stack, model.predictor.heads[0])
    if few is None and len(x) > 1:
        both = torch.stack((first, x), 1)
        state = _forward(model, kernels, both, caches, 0)[:, 1].contiguous()  # kernels want it so
        logits = _logits(model, kernels, state, 1)
    else:
        _position(model, kernels, few, first.clone(), caches, 0)
        logits = _position(model, kernels, few, x, caches, 1)
    for group in range(1, model.config.groups):
        kernels.sample(logits, group, rules, rows, feed_of(model, group, x, total))
        if group < model.config.groups - 1:
            logits = _position(model, kernels, few, x, caches, group + 1)


def _position(
    model: Model,
    kernels: Kernels,
    few: Few | None,
    x: torch.Tensor,
    caches: tuple[Cache, ...],
    position: int,
) -> torch.Tensor:
    """One position of every row: x [n, width] is overwritten; the logits of its group, if any."""
    if few is None:
        state = _forward(model, kernels, x[:, None], caches, position)[:, 0]
        return _logits(model, kernels, state, position) if position else state
    stack = model.predictor.stack

    def attend(qkv: torch.Tensor, layer: Layer, cache: Cache) -> torch.Tensor:
        return few.attend_one(qkv, layer.heads, stack.rotary, cache, position)

    state = forward_in_parts(x, stack, caches, kernels, few, attend)
    return few.parts(state, model.predictor.heads[position - 1]) if position else state


def _logits(model: Model, kernels: Kernels, state: torch.Tensor, group: int) -> torch.Tensor:
    head = model.predictor.heads[group - 1]
    return kernels.norm_linear(state, model.predictor.stack.norm, head, torch.float32)


def _forward(
    model: Model, kernels: Kernels, x: torch.Tensor, caches: tuple[Cache, ...], start: int
) -> torch.Tensor:
    """Positions start .. start + t - 1 of every row: x [n, t, width], overwritten, is returned."""
    rows, count, width = x.shape
    stack = model.predictor.stack
    flat = x.view(rows * count, width)
    for layer, cache in zip(stack.layers, caches, strict=True):

        def attend(qkv: torch.Tensor, layer: Layer = layer, cache: Cache = cache) -> torch.Tensor:
            new = qkv.view(rows, count, -1)
            out = kernels.attend_short(new, layer.heads, stack.rotary, cache, start)
            return out.view(rows * count, -1)

        layer_forward(flat, layer, kernels, attend)
    return x
