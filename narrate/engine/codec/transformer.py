"""From codes to latents: the codebooks, a convolution, and a transformer with a sliding window.

A run holds many utterances one after the other; attention keeps them apart, and lets those that go
on from a shared past look at the one place where it stands.
"""

from __future__ import annotations

import torch

from narrate.engine.codec.layers import CodecWeights, Conv, Places
from narrate.engine.codec.packing import NOBODY
from narrate.engine.codec.wave import Waves
from narrate.engine.kernels import Kernels, Rotary

__all__ = ["latents"]

Tensor = torch.Tensor


def latents(
    weights: CodecWeights, kernels: Kernels, waves: Waves, codes: Tensor, places: Places
) -> Tensor:
    """Latents [n, latent] of codes [n, quantizers] int32; n is a multiple of the window."""
    config = weights.config

    def product(x: Tensor, conv: Conv, add: Tensor | None = None, gated: bool = False) -> Tensor:
        return waves.conv(waves.part(x, conv.reads, gated), conv, None, add)[0]

    live = (places.utterance != NOBODY)[:, None]
    groups = torch.arange(config.quantizers, device=codes.device)
    x = weights.tables[groups, codes.long()].sum(1)
    x = product(product(x * live, weights.pre), weights.enter)
    position = places.position.long()
    rotary = Rotary.table(len(codes), config.head_dim, config.rope_theta, codes.device)
    cos, sin = rotary.cos[position], rotary.sin[position]
    for layer in weights.layers:
        qkv = product(kernels.rms_norm(x, layer.norm), layer.qkv)
        heard = waves.attend(qkv, cos, sin, places, config.window)
        x = product(heard, layer.out, x)
        both = product(kernels.rms_norm(x, layer.mlp_norm), layer.gate_up)
        x = product(both, layer.down, x, gated=True)
    return product(kernels.rms_norm(x, weights.norm), weights.leave)
