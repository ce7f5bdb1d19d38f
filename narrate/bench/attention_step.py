"""The engine's own attention of one step, on inputs of this model's shape."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch

from narrate.engine.kernels import Cache, HeadNorms, Norm, Rotary, plain, sdpa_attention

__all__ = ["OURS", "OurStep"]

_Q_HEADS, _KV_HEADS, _DIM = 16, 8, 128
_THETA = 1e6
_ALONE = 4  # rows that are computed once more by themselves
Attend = Callable[..., torch.Tensor]


def _triton() -> Attend:
    if not torch.cuda.is_available():
        raise ImportError("the engine's Triton kernels need a CUDA card")
    from narrate.engine.kernels import fast_attention

    return fast_attention.attend


OURS: Mapping[str, Callable[[], Attend]] = {
    "engine triton": _triton,
    "engine sdpa": lambda: sdpa_attention.attend,
    "engine torch": lambda: plain.attend,
}


class OurStep:
    """Rows that have `context` positions with the new token, which is normalised and stored too."""

    def __init__(self, name: str, rows: int, context: int, device: torch.device) -> None:
        self._attend = OURS[name]()
        generator = torch.Generator(device).manual_seed(0)

        def random(*shape: int) -> torch.Tensor:
            return torch.randn(shape, generator=generator, device=device, dtype=torch.bfloat16)

        norm = Norm(torch.ones(_DIM, device=device, dtype=torch.bfloat16))
        self._heads = HeadNorms(norm, norm)
        self._rotary = Rotary.table(context, _DIM, _THETA, device)
        self._qkv = random(rows, (_Q_HEADS + 2 * _KV_HEADS) * _DIM)
        shape = (rows, _KV_HEADS, context, _DIM)
        self._cache = Cache(random(*shape), random(*shape))
        self._slots = torch.arange(rows, device=device, dtype=torch.int32)
        self._lengths = torch.full((rows,), context - 1, device=device, dtype=torch.int32)

    def attend(self) -> torch.Tensor:
        """The step of all rows, [rows, heads * dim]."""
        return self._rows(slice(None))

    def serial_drift(self, together: torch.Tensor) -> float:
        """How far the first rows are from what they are by themselves."""
        few = range(min(_ALONE, len(together)))
        alone = torch.cat([self._rows(slice(row, row + 1)) for row in few])
        return float((together[: len(alone)].double() - alone.double()).abs().max())

    def exact(self) -> torch.Tensor:
        """The same in float64, from the norms on."""
        at = len(self._rotary.cos) - 1
        split = self._qkv.double().unflatten(1, (-1, _DIM))
        q, k, v = split.split((_Q_HEADS, _KV_HEADS, _KV_HEADS), 1)
        cos, sin = self._rotary.cos[at].double(), self._rotary.sin[at].double()
        turned = []
        for part, norm in ((q, self._heads.q), (k, self._heads.k)):
            scale = torch.rsqrt(part.pow(2).mean(-1, keepdim=True) + norm.eps)
            turned.append(plain.rotate(part * scale * norm.weight.double(), cos, sin))
        keys, values = self._cache.keys.double(), self._cache.values.double()
        keys[:, :, at], values[:, :, at] = turned[1], v
        grouped = turned[0].unflatten(1, (_KV_HEADS, -1))
        scores = grouped @ keys.transpose(-1, -2) / math.sqrt(_DIM)
        heads: torch.Tensor = (scores.softmax(-1) @ values).flatten(1)
        return heads

    def _rows(self, which: slice) -> torch.Tensor:
        slots, lengths = self._slots[which], self._lengths[which]
        return self._attend(
            self._qkv[which], self._heads, self._rotary, self._cache, slots, lengths
        )
