"""From codes to latents: the codebooks, a convolution, and a transformer with a sliding window.

A run holds many utterances one after the other; attention keeps them apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from narrate.engine.codec.layers import CodecWeights
from narrate.engine.codec.wave import Waves
from narrate.engine.kernels import Kernels, Rotary

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
    cos, sin = rotary.cos[position], rotary.sin[position]
    for layer in weights.layers:
        qkv, _ = waves.conv(kernels.rms_norm(x, layer.norm), layer.qkv)
        heard = waves.attend(qkv, cos, sin, places.utterance, config.window)
        x, _ = waves.conv(heard, layer.out, None, x)
        both, _ = waves.conv(kernels.rms_norm(x, layer.mlp_norm), layer.gate_up)
        gate, up = both.chunk(2, -1)
        x, _ = waves.conv(F.silu(gate) * up, layer.down, None, x)
    return waves.conv(kernels.rms_norm(x, weights.norm), weights.leave)[0]
