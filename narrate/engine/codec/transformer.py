"""From codes to latents: the codebooks, a convolution, and a transformer with a sliding window.

A run holds many utterances one after the other. Attention goes by blocks of one window: a query
sees its own block and the one before, of those places the ones in its utterance and its window.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from narrate.engine.codec.layers import CodecWeights
from narrate.engine.codec.wave import Waves
from narrate.engine.kernels import Kernels, Rotary
from narrate.engine.kernels.plain import rotate

__all__ = ["Places", "latents"]

Tensor = torch.Tensor


@dataclass(frozen=True, eq=False)
class Places:
    """What each place of a run is: its utterance (-1: none) and its position there, [n] int32."""

    utterance: Tensor
    position: Tensor


def latents(
    weights: CodecWeights, kernels: Kernels, waves: Waves, codes: Tensor, places: Places
) -> Tensor:
    """Latents [n, latent] of codes [n, quantizers] int32; n is a multiple of the window."""
    config = weights.config
    live = (places.utterance >= 0)[:, None]
    groups = torch.arange(config.quantizers, device=codes.device)
    x = weights.tables[groups, codes.long()].sum(1)
    x, _ = waves.conv(x * live, weights.pre)
    x, _ = waves.conv(x, weights.enter)
    position = places.position.long()
    rotary = Rotary.table(len(codes), config.head_dim, config.rope_theta, codes.device)
    cos, sin = rotary.cos[position][:, None], rotary.sin[position][:, None]
    seen = _seen(places, config.window)
    for layer in weights.layers:
        qkv, _ = waves.conv(kernels.rms_norm(x, layer.norm), layer.qkv)
        heard = _attend(qkv, cos, sin, seen, config.heads)
        x, _ = waves.conv(heard, layer.out, None, x)
        both, _ = waves.conv(kernels.rms_norm(x, layer.mlp_norm), layer.gate_up)
        gate, up = both.chunk(2, -1)
        x, _ = waves.conv(F.silu(gate) * up, layer.down, None, x)
    return waves.conv(kernels.rms_norm(x, weights.norm), weights.leave)[0]


def _seen(places: Places, window: int) -> Tensor:
    """Which places a query sees, [blocks, 1, window, 2 * window]."""
    own = places.utterance.view(-1, window)
    before = F.pad(own, (0, 0, 1, 0), value=-2)[:-1]
    same = own[:, :, None] == torch.cat((before, own), 1)[:, None]
    step = torch.arange(2 * window, device=own.device)
    behind = step[:window, None] + window - step[None]
    return (same & (behind >= 0) & (behind < window))[:, None]


def _attend(qkv: Tensor, cos: Tensor, sin: Tensor, seen: Tensor, heads: int) -> Tensor:
    q, k, v = qkv.view(len(qkv), 3, heads, -1).unbind(1)
    q, k = (rotate(part, cos, sin) for part in (q, k))
    window = seen.shape[2]
    q, k, v = (part.view(-1, window, heads, part.shape[-1]) for part in (q, k, v))
    k, v = (torch.cat((F.pad(p, (0, 0, 0, 0, 0, 0, 1, 0))[:-1], p), 1) for p in (k, v))
    q, k, v = (part.transpose(1, 2) for part in (q, k, v))
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
    return out.transpose(1, 2).reshape(len(qkv), -1)
