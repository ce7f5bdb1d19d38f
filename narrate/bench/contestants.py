"""Who is measured: words such as `official:sdpa+compile` to a backend and its options.

    official[:ATTENTION]     the published package; sdpa, flash_attention_2 or eager
    qwen[:KERNELS]           the engine; auto, library, triton, sdpa or torch

with switches behind them: `+compile`, `+compile=MODE`, `+tf32`, `+cudnn` (the published package),
`+nographs`, `+int8`, `+fp8` (the engine), `+fp32`, `+bf16`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from narrate.errors import UsageError
from narrate.speech.backend import (
    ATTENTIONS,
    COMPILE_MODES,
    KERNELS,
    WEIGHTS,
    EngineSwitches,
    SpeechOptions,
)
from narrate.speech.models import Checkpoint

__all__ = ["KNOWN", "Contestant", "contestants"]

_ENGINE, _OFFICIAL = "qwen", "official"
_VARIANTS: Mapping[str, tuple[str, ...]] = {_OFFICIAL: ATTENTIONS, _ENGINE: KERNELS}
_BOTH: Mapping[str, Mapping[str, Any]] = {
    "tf32": {"tf32": True},
    "fp32": {"precision": "float32"},
    "bf16": {"precision": "bfloat16"},
}
_SWITCHES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    _OFFICIAL: {
        **_BOTH,
        "cudnn": {"cudnn_benchmark": True},
        "compile": {"compile": COMPILE_MODES[0]},
        **{f"compile={mode}": {"compile": mode} for mode in COMPILE_MODES},
    },
    _ENGINE: {
        **_BOTH,
        "nographs": {"graphs": False},
        **{kind: {"weights": kind} for kind in WEIGHTS},
    },
}
KNOWN = ", ".join(
    f"{name}[:{'|'.join(_VARIANTS[name])}]" + "".join(f"[+{switch}]" for switch in switches)
    for name, switches in _SWITCHES.items()
)
_CONTEXTS = (512, 1024, 2048, 4096, 8192)
"""Positions of a row: the engine's memory goes by them, so no more than the texts need."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A backend by name and the options that its words ask for."""

    words: str
    backend: str
    variant: str
    switches: tuple[str, ...] = ()

    @property
    def fixed_batch(self) -> bool:
        """Whether it has to be opened anew for another batch."""
        return self.backend == _ENGINE

    @property
    def compiles(self) -> bool:
        """Whether it has kernels of its own compiled, which the disk keeps for the next start."""
        return self.backend == _ENGINE or any(one.startswith("compile") for one in self.switches)

    def options(self, checkpoint: Checkpoint, batch: int, positions: int) -> SpeechOptions:
        """The options to open it with; `positions` is what the longest row needs.

        Runaways are not tried again: with an endless model every row is one.
        """
        known = _SWITCHES[self.backend]
        asked: dict[str, Any] = {}
        for switch in self.switches:
            asked |= known[switch]
        own = {name: asked.pop(name) for name in ("graphs", "weights") if name in asked}
        fits = [one for one in _CONTEXTS if one >= positions]
        engine = EngineSwitches(max_context=fits[0] if fits else _CONTEXTS[-1], **own)
        options = SpeechOptions(checkpoint=checkpoint, batch_size=batch, seed=1, **asked)
        by_backend: Mapping[str, Callable[[], SpeechOptions]] = {
            _OFFICIAL: lambda: replace(options, attention=self.variant),
            _ENGINE: lambda: replace(options, engine=replace(engine, kernels=self.variant)),
        }
        return by_backend[self.backend]()


def contestants(words: str) -> tuple[Contestant, ...]:
    """Understand `official:sdpa,qwen+nographs`; a `UsageError` lists what there is."""
    found = tuple(_one(word.strip()) for word in words.split(","))
    return tuple(dict.fromkeys(found))


def _one(words: str) -> Contestant:
    named, *switches = words.split("+")
    name, _, variant = named.partition(":")
    if name not in _SWITCHES:
        raise UsageError(
            f"there is no backend called {name!r} to measure",
            where="--backends",
            remedy=f"choose from {KNOWN}",
        )
    variant = variant or _VARIANTS[name][0]
    unknown = [switch for switch in switches if switch not in _SWITCHES[name]]
    if variant not in _VARIANTS[name] or unknown:
        raise UsageError(
            f"{name} has no {unknown[0] if unknown else variant!r}",
            where="--backends",
            remedy=f"choose from {KNOWN}",
        )
    return Contestant(words, name, variant, tuple(switches))
