"""The engine's kernels: one table of functions, in plain torch or in Triton, with one meaning.

`Kernels.choose(device)` is the only place that knows which is used. The functions, their shapes and
their rounding are described in `plain.py`; a Triton kernel has the signature of its plain twin.
Weights are [out, in] and contiguous, as the checkpoint has them or packed to a byte a number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch

from narrate.engine.kernels import plain, sdpa_attention
from narrate.engine.kernels.shapes import (
    Cache,
    Feed,
    HeadNorms,
    Norm,
    Packed,
    Rotary,
    Rows,
    Rules,
    Weight,
)
from narrate.errors import BackendError

__all__ = [
    "Cache",
    "Feed",
    "Few",
    "HeadNorms",
    "Kernels",
    "Norm",
    "Packed",
    "Rotary",
    "Rows",
    "Rules",
    "Weight",
]

Tensor = torch.Tensor


@dataclass(frozen=True)
class Few:
    """Products of few rows in parts, and what takes parts: see `few_linear` and `fast_heads`.

    `attend` is that of the talker's steps, None where somebody else's is wanted.
    """

    fits: Callable[[int, Iterable[Weight]], bool]
    parts: Callable[[Tensor, Weight], Tensor]
    swiglu: Callable[[Tensor, torch.dtype], Tensor]
    add_norm: Callable[[Tensor, Tensor, Norm], Tensor]
    attend_one: Callable[[Tensor, HeadNorms, Rotary, Cache, int], Tensor]
    attend: Callable[[Tensor, HeadNorms, Rotary, Cache, Tensor, Tensor], Tensor] | None


@dataclass(frozen=True)
class Kernels:
    """What one frame is made of, but for embeddings and the codec.

    `few` is None where products of few rows are as those of many.
    """

    name: str
    rms_norm: Callable[[Tensor, Norm], Tensor]
    norm_linear: Callable[..., Tensor]
    norm_swiglu: Callable[[Tensor, Norm, Weight], Tensor]
    add_linear: Callable[[Tensor, Tensor, Weight], Tensor]
    attend: Callable[[Tensor, HeadNorms, Rotary, Cache, Tensor, Tensor], Tensor]
    attend_short: Callable[[Tensor, HeadNorms, Rotary, Cache, int], Tensor]
    enter: Callable[[Tensor, HeadNorms, Rotary, Cache, Tensor], tuple[Tensor, Tensor, Tensor]]
    sample: Callable[..., None]
    few: Few | None = None

    @classmethod
    def choose(cls, device: torch.device, option: str = "auto") -> Kernels:
        """`torch`, `triton`, `library` or `sdpa` by name.

        `auto` is library on a card and torch elsewhere; `sdpa` is the same with the attention of
        the talker's steps left to torch.
        """
        usual = "library" if device.type == "cuda" else "torch"
        if option == "auto":
            option = usual
        if option == "sdpa":
            made = _MAKERS[usual]()
            few = made.few and replace(made.few, attend=None)
            return replace(made, name=option, attend=sdpa_attention.attend, few=few)
        if option not in _MAKERS:
            known = ", ".join(["auto", "sdpa", *_MAKERS])
            raise BackendError(f"there are no kernels called {option}", remedy=f"choose {known}")
        return _MAKERS[option]()


def _torch() -> Kernels:
    return Kernels(
        name="torch",
        rms_norm=plain.rms_norm,
        norm_linear=plain.norm_linear,
        norm_swiglu=plain.norm_swiglu,
        add_linear=plain.add_linear,
        attend=plain.attend,
        attend_short=plain.attend_short,
        enter=plain.enter,
        sample=plain.sample,
    )


def _by_weight(usual: Callable[..., Tensor], packed: Callable[..., Tensor]) -> Any:
    """A product for both kinds of weight: the third of what it is given."""

    def product(x: Tensor, beside: Norm | Tensor, weight: Weight, *more: torch.dtype) -> Tensor:
        return (packed if isinstance(weight, Packed) else usual)(x, beside, weight, *more)

    return product


def _triton() -> Kernels:
    from narrate.engine.kernels import fast_attention, fast_heads, fast_linear, fast_sampling
    from narrate.engine.kernels import packed_linear as packed

    return Kernels(
        name="triton",
        rms_norm=fast_linear.rms_norm,
        norm_linear=_by_weight(fast_linear.norm_linear, packed.norm_linear),
        norm_swiglu=_by_weight(fast_linear.norm_swiglu, packed.norm_swiglu),
        add_linear=_by_weight(fast_linear.add_linear, packed.add_linear),
        attend=fast_attention.attend,
        attend_short=fast_heads.attend_short,
        enter=fast_heads.enter,
        sample=fast_sampling.sample,
    )


def _library() -> Kernels:
    from narrate.engine.kernels import fast_attention, fast_heads, few_linear, library_linear
    from narrate.engine.kernels import packed_linear as packed

    return replace(
        _triton(),
        name="library",
        norm_linear=_by_weight(library_linear.norm_linear, packed.norm_linear),
        norm_swiglu=_by_weight(library_linear.norm_swiglu, packed.norm_swiglu),
        add_linear=_by_weight(library_linear.add_linear, packed.add_linear),
        few=Few(
            fits=few_linear.fits,
            parts=few_linear.parts,
            swiglu=few_linear.swiglu,
            add_norm=few_linear.add_norm,
            attend_one=fast_heads.attend_one,
            attend=fast_attention.attend,
        ),
    )


_MAKERS: dict[str, Callable[[], Kernels]] = {
    "torch": _torch,
    "triton": _triton,
    "library": _library,
}
