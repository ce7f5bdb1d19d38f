"""How codes are drawn: the checkpoint's settings, as rules for code 0 and for the other groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from narrate.engine.config import ModelConfig, read_json
from narrate.engine.kernels import Rules
from narrate.errors import BackendError

__all__ = ["SamplingOptions", "read_sampling", "rules_of"]

_MIN_FRAMES = 2  # the published package holds the end back for two frames, whatever the settings


@dataclass(frozen=True, slots=True)
class SamplingOptions:
    """What changes which code is drawn; the names are those of `generation_config.json`."""

    do_sample: bool = True
    temperature: float = 0.9
    top_k: int = 50
    top_p: float = 1.0
    repetition_penalty: float = 1.05
    subtalker_dosample: bool = True
    subtalker_temperature: float = 0.9
    subtalker_top_k: int = 50
    subtalker_top_p: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what this engine does not draw (`BackendError`)."""
        if self.top_p != 1.0 or self.subtalker_top_p != 1.0:
            raise BackendError(
                "this engine does not sample with top_p",
                where=f"top_p {self.top_p:g}, subtalker_top_p {self.subtalker_top_p:g}",
                remedy="use top_k alone, or --backend official",
            )
        if min(self.temperature, self.subtalker_temperature) <= 0:
            raise BackendError(
                "a temperature of 0 or less cannot be sampled with",
                remedy="turn sampling off with do_sample and subtalker_dosample instead",
            )

    def plain(self) -> Mapping[str, object]:
        """The options as JSON values."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def read_sampling(folder: Path) -> SamplingOptions:
    """The settings of the checkpoint's `generation_config.json`."""
    held = read_json(folder / "generation_config.json")
    known = SamplingOptions.__dataclass_fields__
    return SamplingOptions(**{name: held[name] for name in known if name in held})  # type: ignore[arg-type]


def rules_of(config: ModelConfig, options: SamplingOptions) -> tuple[Rules, Rules]:
    """The rules for code 0 and for codes 1 and up."""
    first = Rules(
        temperature=options.temperature,
        top_k=options.top_k,
        penalty=options.repetition_penalty,
        min_frames=_MIN_FRAMES,
        eos=config.ids.eos,
        suppress_from=config.suppressed_from,
        greedy=not options.do_sample,
    )
    others = Rules(
        temperature=options.subtalker_temperature,
        top_k=options.subtalker_top_k,
        greedy=not options.subtalker_dosample,
    )
    return first, others
