"""What the kernels are handed: small frozen bundles of tensors, each with its shapes and dtypes."""

from __future__ import annotations

from dataclasses import dataclass

import torch

__all__ = ["Cache", "Feed", "HeadNorms", "Norm", "Packed", "Rotary", "Rows", "Rules", "Weight"]


@dataclass(frozen=True, eq=False)
class Norm:
    """One RMSNorm: weight [width], and the epsilon added to the mean square."""

    weight: torch.Tensor
    eps: float = 1e-6


@dataclass(frozen=True, eq=False)
class Packed:
    """A weight of a byte a number: row i stands for values[i] * scales[i].

    values [out, in] int8 or float8_e4m3fn; scales [out] fp32, one an output channel.
    """

    values: torch.Tensor
    scales: torch.Tensor

    def __len__(self) -> int:
        """The output channels, as of a tensor."""
        return len(self.values)

    def unpacked(self) -> torch.Tensor:
        """What it stands for, [out, in] fp32."""
        return self.values.float() * self.scales[:, None]


Weight = torch.Tensor | Packed


@dataclass(frozen=True, eq=False)
class HeadNorms:
    """The RMSNorms over head_dim of a layer's queries and keys, weight [head_dim] each."""

    q: Norm
    k: Norm


@dataclass(frozen=True, eq=False)
class Rotary:
    """Cosines and sines by position, [positions, head_dim // 2] each, fp32.

    The halves of a head turn against each other (x1 with x2, not even with odd).
    """

    cos: torch.Tensor
    sin: torch.Tensor

    @classmethod
    def table(cls, positions: int, head_dim: int, theta: float, device: torch.device) -> Rotary:
        """The tables of `positions` positions, computed as the published model computes them."""
        exponents = (
            torch.arange(0, head_dim, 2, dtype=torch.int64, device=device).float() / head_dim
        )
        turns = torch.arange(positions, device=device).float()[:, None] / theta ** exponents[None]
        return cls(turns.cos(), turns.sin())


@dataclass(frozen=True, eq=False)
class Cache:
    """Keys and values of one layer, [slots, kv_heads, max_positions, head_dim] each, contiguous."""

    keys: torch.Tensor
    values: torch.Tensor


@dataclass(frozen=True)
class Rules:
    """How a code is drawn from logits; the order is penalty, minimum, suppression, temperature, k.

    `eos` is held back while a row's frame < `min_frames`. Tokens from `suppress_from` on, but for
    `eos`, are never drawn. `top_k` 0 keeps all. With `greedy` neither noise nor temperature counts.
    """

    temperature: float = 0.9
    top_k: int = 50
    penalty: float = 1.0
    min_frames: int = 0
    eos: int = -1
    suppress_from: int = 1 << 30
    greedy: bool = False


@dataclass(frozen=True, eq=False)
class Rows:
    """The static buffers of a batch of n rows that sampling reads and writes.

    seeds [n] int64, not negative: the utterance's. frames [n] int32: the frame being spoken.
    codes [n, groups] int32 or int64: written. faults [n] int32: 1 is or-ed in where a row's raw
    logits held a NaN or an infinity (its code is then 0). seen [n, vocab] uint8: the tokens drawn
    so far in the group that has a penalty; read and marked when `Rules.penalty` is not 1.
    """

    seeds: torch.Tensor
    frames: torch.Tensor
    codes: torch.Tensor
    faults: torch.Tensor
    seen: torch.Tensor


@dataclass(frozen=True, eq=False)
class Feed:
    """What a drawn code is turned into: the predictor's next input and the frame's running sum.

    step [vocab, width]: the embedding already projected to the predictor's width; its row of the
    code is copied to x [n, width]. embedding [vocab, hidden]: at the talker's width; its row is
    added to total [n, hidden] fp32, which group 0 overwrites. `step` and `x` are None for the last
    group, whose code feeds no further step.
    """

    step: torch.Tensor | None
    x: torch.Tensor | None
    embedding: torch.Tensor
    total: torch.Tensor
