"""What a user can turn: one frozen value, checked once."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from narrate.engine.cache import SIZES
from narrate.engine.quantise import KINDS, check_card
from narrate.engine.sampler import SamplingOptions
from narrate.errors import BackendError, UsageError

__all__ = ["EngineOptions"]

_GROUPS, _LARGEST_GROUP = 8, 16
_DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32}


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How the engine runs. None where the device decides.

    `batch_size`: rows that are spoken together. `newcomers`: rows that start together.
    `max_context`: positions a row can have, prompt included. `graphs`: record a frame and replay
    it. `kernels`: torch, triton, library, sdpa or auto. `weights`: int8 or fp8, a byte a number for
    the layers' products; None as the precision has them. `text_first`: the published
    non_streaming_mode. `lookahead`: utterances pulled ahead, to take the longest of them first, or
    with `in_order` as they come.
    `retries`: further attempts at a row whose logits were not numbers; one that ran away is
    yielded and marked. Only `batch_size`, `newcomers`, `dtype`, `weights`, `tf32` and `kernels`
    change rounding; of what is said nothing changes but by `sampling`, `text_first`.
    """

    device: str | None = None
    dtype: str | None = None
    batch_size: int | None = None
    newcomers: int | None = None
    max_context: int = 1024
    graphs: bool | None = None
    kernels: str = "auto"
    weights: str | None = None
    tf32: bool = True
    text_first: bool = False
    lookahead: int = 4096
    in_order: bool = False
    retries: int = 2
    sampling: SamplingOptions | None = None

    def __post_init__(self) -> None:
        """Refuse what has no meaning (`UsageError`)."""
        if self.weights is not None and self.weights not in KINDS:
            known = ", ".join(KINDS)
            raise UsageError(f"there are no weights {self.weights!r}", remedy=f"choose {known}")
        limits = {
            "batch size": (self.batch_size or 1, 1, SIZES[-1]),
            "number of newcomers": (self.newcomers or 1, 1, SIZES[-1]),
            "context": (self.max_context, 64, 32768),
            "lookahead": (self.lookahead, 1, 1 << 20),
            "number of retries": (self.retries, 0, 10),
        }
        for name, (value, least, most) in limits.items():
            if not least <= value <= most:
                raise UsageError(f"a {name} of {value} cannot be", remedy=f"{least} to {most}")

    def group(self, rows: int) -> int:
        """How many of so many rows start together, unless it was chosen: an eighth, 16 at most.

        More of them at once cost less; until so many rows are free, those that are stand idle.
        """
        usual = min(max(rows // _GROUPS, 1), _LARGEST_GROUP)
        return min(self.newcomers or usual, rows)

    def place(self) -> torch.device:
        """The device to run on; `BackendError` where there is none of that kind."""
        device = torch.device(self.device or ("cuda" if torch.cuda.is_available() else "cpu"))
        if device.type == "cuda" and not torch.cuda.is_available():
            raise BackendError(
                "there is no CUDA card that torch can use",
                where=f"torch {torch.__version__}",
                remedy="install a torch for your card, or choose the device cpu",
            )
        return device

    def precision(self, device: torch.device) -> torch.dtype:
        """The dtype of weights and cache: bf16 on a card, fp32 elsewhere, unless it was chosen."""
        if self.dtype is None:
            return torch.bfloat16 if device.type == "cuda" else torch.float32
        if self.dtype not in _DTYPES:
            known = ", ".join(_DTYPES)
            raise UsageError(f"there is no precision {self.dtype!r}", remedy=f"choose {known}")
        return _DTYPES[self.dtype]

    def packed(self, device: torch.device) -> str | None:
        """How the layers' weights are packed; `BackendError` where the card cannot read them so."""
        if self.weights is not None and device.type == "cuda":
            name = torch.cuda.get_device_name(device)
            check_card(self.weights, name, torch.cuda.get_device_capability(device))
        return self.weights

    def recorded(self, device: torch.device) -> bool:
        """Whether frames are recorded: on a card, unless it was turned off."""
        return device.type == "cuda" and self.graphs is not False
