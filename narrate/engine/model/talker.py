"""The talker: prompts into the cache in one go, then one position a frame."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from narrate.engine.kernels import Cache, Kernels, Norm, Rotary
from narrate.engine.kernels.plain import rms_norm, rotate
from narrate.engine.model.layers import Layer, Model, Stack, layer_forward

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
            q, k, v = _heads(qkv.view(rows, length, -1), layer, stack)
            cache.keys[slots, :, :length] = k
            cache.values[slots, :, :length] = v
            out = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
            return out.transpose(1, 2).reshape(rows * length, -1)

        layer_forward(flat, layer, kernels, attend)
    last, cache = stack.layers[-1], caches[-1]
    _, k, v = _heads(
        kernels.norm_linear(flat, last.norm, last.qkv).view(rows, length, -1), last, stack
    )
    cache.keys[slots, :, :length] = k
    cache.values[slots, :, :length] = v


def _heads(
    qkv: torch.Tensor, layer: Layer, stack: Stack
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Queries, keys and values [rows, heads, length, head_dim], normalised and turned in fp32."""
    sizes = stack.config
    split = qkv.view(*qkv.shape[:2], -1, sizes.head_dim).transpose(1, 2)
    q, k, v = split.split((sizes.heads, sizes.kv_heads, sizes.kv_heads), 1)
    rotary = stack.rotary
    return _turn(q, layer.heads.q, rotary), _turn(k, layer.heads.k, rotary), v.contiguous()


def _turn(part: torch.Tensor, norm: Norm, rotary: Rotary) -> torch.Tensor:
    length = part.shape[-2]
    wide = rms_norm(part.float(), Norm(norm.weight.float(), norm.eps))
    turned = rotate(wide, rotary.cos[:length], rotary.sin[:length])
    return turned.to(part.dtype).contiguous()


def talker_step(
    model: Model,
    kernels: Kernels,
    x: torch.Tensor,
    caches: tuple[Cache, ...],
    slots: torch.Tensor,
    lengths: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """One position a row: x [n, hidden] is overwritten; lengths [n] as `Kernels.attend` has them.

    Returns the normalised state [n, hidden] and the logits of code 0 [n, vocab] in fp32.
    """
    stack = model.talker
    for layer, cache in zip(stack.layers, caches, strict=True):

        def attend(qkv: torch.Tensor, layer: Layer = layer, cache: Cache = cache) -> torch.Tensor:
            return kernels.attend(qkv, layer.heads, stack.rotary, cache, slots, lengths)

        layer_forward(x, layer, kernels, attend)
    logits: torch.Tensor = kernels.norm_linear(x, stack.norm, model.head, torch.float32)
    return kernels.rms_norm(x, stack.norm), logits
