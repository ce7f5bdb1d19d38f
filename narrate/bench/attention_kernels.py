"""Attention as an operator, by name: what each can do, and what it needs to run here.

Whole sequences are causal, q, k, v [batch, heads, length, dim]; packed ones lie behind each other,
[all lengths, heads, dim]; a step has one query a row and shares keys among groups of heads. A
kernel that cannot run raises, in its own words.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

__all__ = ["PACKED", "STEP", "WHOLE", "exact", "exact_step"]

Tensor = torch.Tensor
Whole = Callable[[Tensor, Tensor, Tensor], Tensor]
Packed = Callable[[Tensor, Tensor, Tensor, Sequence[int]], Tensor]

_SDPA: Mapping[str, SDPBackend] = {
    "sdpa math": SDPBackend.MATH,
    "sdpa flash": SDPBackend.FLASH_ATTENTION,
    "sdpa efficient": SDPBackend.EFFICIENT_ATTENTION,
    "sdpa cudnn": SDPBackend.CUDNN_ATTENTION,
}


def _eager(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Products and a softmax in fp32 by themselves, as the published package's eager does."""
    length = q.shape[-2]
    later = torch.ones(length, length, dtype=torch.bool, device=q.device).triu(1)
    scores = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).masked_fill(later, -torch.inf)
    return scores.softmax(-1, dtype=torch.float32).to(q.dtype) @ v


def _sdpa(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


def _only(backend: SDPBackend) -> Whole:
    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        with sdpa_kernel([backend]):
            return _sdpa(q, k, v)

    return attend


def _flash_attn() -> Any:
    """The flash-attn package, or an ImportError that says what is missing."""
    if not torch.cuda.is_available():
        raise ImportError("flash-attn needs a CUDA card")
    return importlib.import_module("flash_attn")


def _flash(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    out = _flash_attn().flash_attn_func(*(x.transpose(1, 2) for x in (q, k, v)), causal=True)
    turned: Tensor = out.transpose(1, 2)
    return turned


WHOLE: Mapping[str, Whole] = {
    "eager": _eager,
    "sdpa": _sdpa,
    **{name: _only(backend) for name, backend in _SDPA.items()},
    "flash-attn 2": _flash,
}


@cache
def _ends(lengths: tuple[int, ...], device: torch.device) -> Tensor:
    """Where the sequences end; kept, since a copy from the host cannot be recorded."""
    ends = torch.tensor([0, *lengths], dtype=torch.int32, device=device).cumsum(0)
    return ends.to(torch.int32)


def _one_by_one(attend: Whole) -> Packed:
    def packed(q: Tensor, k: Tensor, v: Tensor, lengths: Sequence[int]) -> Tensor:
        parts = []
        for a, b, c in zip(*(x.split(list(lengths)) for x in (q, k, v)), strict=True):
            out = attend(*(x.transpose(0, 1)[None] for x in (a, b, c)))
            parts.append(out[0].transpose(0, 1))
        return torch.cat(parts)

    return packed


def _padded(q: Tensor, k: Tensor, v: Tensor, lengths: Sequence[int]) -> Tensor:
    """One batch, filled up to its longest on the right, which causal attention never looks at."""
    rows = [
        torch.nn.utils.rnn.pad_sequence(list(x.split(list(lengths))), batch_first=True)
        for x in (q, k, v)
    ]
    out = _sdpa(*(x.transpose(1, 2) for x in rows)).transpose(1, 2)
    return torch.cat([one[:length] for one, length in zip(out, lengths, strict=True)])


def _torch_varlen(q: Tensor, k: Tensor, v: Tensor, lengths: Sequence[int]) -> Tensor:
    if not torch.cuda.is_available():
        raise ImportError("torch's varlen_attn needs a CUDA card")
    varlen = importlib.import_module("torch.nn.attention.varlen")
    ends, most = _ends(tuple(lengths), q.device), max(lengths)
    # The argument for causal attention has changed its name between versions of torch.
    names = varlen.varlen_attn.__annotations__
    causal = {"is_causal": True} if "is_causal" in names else {"window_size": (-1, 0)}
    out: Tensor = varlen.varlen_attn(q, k, v, ends, ends, most, most, **causal)
    return out


def _flash_varlen(q: Tensor, k: Tensor, v: Tensor, lengths: Sequence[int]) -> Tensor:
    ends, most = _ends(tuple(lengths), q.device), max(lengths)
    attend = _flash_attn().flash_attn_varlen_func
    out: Tensor = attend(q, k, v, ends, ends, most, most, causal=True)
    return out


PACKED: Mapping[str, tuple[Packed, Packed]] = {
    "sdpa one by one": (_one_by_one(_sdpa), _one_by_one(_sdpa)),
    "sdpa padded": (_padded, _one_by_one(_sdpa)),
    "torch varlen": (_torch_varlen, _torch_varlen),
    "flash-attn one by one": (_one_by_one(_flash), _one_by_one(_flash)),
    "flash-attn varlen": (_flash_varlen, _flash_varlen),
}
"""By name: the kernel over all sequences at once, and what it is compared with one by one."""


def _step_eager(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    grouped = q.unflatten(1, (k.shape[1], -1))[:, :, :, 0]
    scores = grouped @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    out = scores.softmax(-1, dtype=torch.float32).to(q.dtype) @ v
    row: Tensor = out.flatten(1, 2)[:, :, None]
    return row


def _step_sdpa(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, enable_gqa=True)


def _step_only(backend: SDPBackend) -> Whole:
    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        with sdpa_kernel([backend]):
            return _step_sdpa(q, k, v)

    return attend


def _step_flash(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    out = _flash_attn().flash_attn_func(*(x.transpose(1, 2) for x in (q, k, v)))
    turned: Tensor = out.transpose(1, 2)
    return turned


STEP: Mapping[str, Whole] = {
    "eager": _step_eager,
    "sdpa": _step_sdpa,
    **{name: _step_only(backend) for name, backend in _SDPA.items()},
    "flash-attn 2": _step_flash,
}


def exact(q: Tensor, k: Tensor, v: Tensor, queries: int) -> Tensor:
    """The last `queries` queries of causal attention in float64."""
    length = k.shape[-2]
    wide = q[..., length - queries :, :].double()
    later = torch.ones(queries, length, dtype=torch.bool, device=q.device).triu(
        length - queries + 1
    )
    scores = (wide @ k.double().transpose(-1, -2) / math.sqrt(q.shape[-1])).masked_fill(
        later, -torch.inf
    )
    return scores.softmax(-1) @ v.double()


def exact_step(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """One step in float64."""
    grouped = q.double().unflatten(1, (k.shape[1], -1))[:, :, :, 0]
    scores = grouped @ k.double().transpose(-1, -2) / math.sqrt(q.shape[-1])
    row: Tensor = (scores.softmax(-1) @ v.double()).flatten(1, 2)[:, :, None]
    return row
