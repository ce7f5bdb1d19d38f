"""Weights of a byte a number: symmetric, one scale an output channel, made when they are read.

The largest number of a channel becomes the largest that the byte can hold; activations stay as they
are. Kept as a measured option: what it costs in agreement and gains in speed is in `docs/log.md`.
"""

from __future__ import annotations

import torch

from narrate.engine.kernels import Packed, Weight
from narrate.errors import BackendError

__all__ = ["KINDS", "check_card", "kind_of", "pack"]

KINDS: dict[str, torch.dtype] = {"int8": torch.int8, "fp8": torch.float8_e4m3fn}
_MOST = {"int8": 127.0, "fp8": 448.0}
_TINY = torch.finfo(torch.float32).tiny
_FIRST_WITH_FP8 = (8, 9)


def pack(weight: torch.Tensor, kind: str) -> Packed:
    """A weight [out, in] as bytes and scales; a channel of zeros stays one."""
    wide, most = weight.float(), _MOST[kind]
    scales = (wide.abs().amax(1) / most).clamp(min=_TINY)
    parts = wide / scales[:, None]
    if kind == "int8":
        parts = parts.round()
    # A quotient may be rounded up to beyond the largest: as fp8 it would not be a number.
    return Packed(parts.clamp(-most, most).to(KINDS[kind]), scales)


def kind_of(weight: Weight) -> str:
    """The name of what a weight's numbers are: `int8`, `fp8`, or a tensor's dtype."""
    if isinstance(weight, Packed):
        return next(name for name, dtype in KINDS.items() if dtype == weight.values.dtype)
    return str(weight.dtype).removeprefix("torch.")


def check_card(kind: str, name: str, capability: tuple[int, int]) -> None:
    """Refuse fp8 on a card that cannot read it (`BackendError`)."""
    if kind == "fp8" and capability < _FIRST_WITH_FP8:
        raise BackendError(
            "the card cannot compute with fp8 weights",
            where=f"{name}, compute capability {capability[0]}.{capability[1]}; fp8 begins at 8.9",
            remedy="choose int8, or leave the weights as they are",
        )
