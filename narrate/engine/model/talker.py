"""The talker: prompts into the cache in one go, then one position a frame."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from narrate.engine.kernels import Cache, Kernels
from narrate.engine.model.layers import Layer, Model, few_of, forward_in_parts, layer_forward

__all__ = ["embed", "prefill", "talker_step"]


def embed(model: Model, rows: torch.Tensor) -> torch.Tensor:
    """Sum of a text row and code rows: rows [..., 1 + groups] int -> [..., hidden].

    The codes are added up first, then the text, each sum rounded once: the model's own order.
    """
    codes = F.embedding(rows[..., 1:], model.codes).sum(-2)
    return F.embedding(rows[..., 0], model.text) + codes


def prefill(
    model: Model, kernels: Kernels, x: torch.Tensor, caches: tuple[Cache, ...], slots: torch.Tensor
) -> None:
    """Write keys and values of prompts x [rows, length, hidden] to their slots [rows] int64.

    Rows shorter than `length` are filled up at the end: causal attention keeps what comes later
    from what came before, and a row's own next positions overwrite it. The last layer ends at its
    keys and values, since nothing else of a prompt but its last position is ever used.
    """
    rows, length, hidden = x.shape
    stack = model.talker
    flat = x.reshape(rows * length, hidden)
    for layer, cache in zip(stack.layers[:-1], caches, strict=False):

        def attend(qkv: torch.Tensor, layer: Layer = layer, cache: Cache = cache) -> torch.Tensor:
            new = qkv.view(rows, length, -1)
            q, k, v = kernels.enter(new, layer.heads, stack.rotary, cache, slots)
            out = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
            return out.transpose(1, 2).reshape(rows * length, -1)

        layer_forward(flat, layer, kernels, attend)
    last = stack.layers[-1]
    qkv = kernels.norm_linear(flat, last.norm, last.qkv).view(rows, length, -1)
    kernels.enter(qkv, last.heads, stack.rotary, caches[-1], slots)


def talker_step(
    model: Model,
    kernels: Kernels,
    x: torch.Tensor,
    caches: tuple[Cache, ...],
    slots: torch.Tensor,
    lengths: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """One position a row: x [n, hidden] is overwritten; lengths [n] as `Kernels.attend` has them.

    Returns the normalised state [n, hidden] and the logits of code 0 in fp32, [n, vocab] or, of few
    rows, [parts, n, vocab].
    """
    stack = model.talker
    few = few_of(kernels, len(x), stack, model.head)
    if few is not None and few.attend is not None:
        in_parts = few.attend

        def attend_parts(qkv: torch.Tensor, layer: Layer, cache: Cache) -> torch.Tensor:
            return in_parts(qkv, layer.heads, stack.rotary, cache, slots, lengths)

        state = forward_in_parts(x, stack, caches, kernels, few, attend_parts)
        return state, few.parts(state, model.head)
    for layer, cache in zip(stack.layers, caches, strict=True):

        def attend(qkv: torch.Tensor, layer: Layer = layer, cache: Cache = cache) -> torch.Tensor:
            return kernels.attend(qkv, layer.heads, stack.rotary, cache, slots, lengths)

        layer_forward(x, layer, kernels, attend)
    logits: torch.Tensor = kernels.norm_linear(x, stack.norm, model.head, torch.float32)
    return kernels.rms_norm(x, stack.norm), logits
