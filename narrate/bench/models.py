"""The model that is measured: one that exists, or random weights of a published size."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from narrate.bench.voices import bench_voice
from narrate.bench.weights.configs import SIZES
from narrate.core import Voice
from narrate.errors import UsageError
from narrate.speech.devices import cuda_cards
from narrate.speech.models import Checkpoint, find_model, open_checkpoint

__all__ = ["Measured", "size_of", "the_model"]

_ON_CARD, _ELSEWHERE = "1.7b", "tiny"


@dataclass(frozen=True, slots=True)
class Measured:
    """A checkpoint, a voice for it, and a folder for what is made on the way."""

    checkpoint: Checkpoint
    voice: Voice
    folder: Path
    endless: bool
    said: str


def size_of(model: str | None, random_weights: str | None) -> str | None:
    """The size of random weights that is meant; None for a model that exists."""
    if model is not None:
        return None
    size = random_weights or (_ON_CARD if cuda_cards() else _ELSEWHERE)
    if size not in SIZES:
        raise UsageError(
            f"there are no random weights of the size {size!r}",
            where="--random-weights",
            remedy=f"choose one of: {', '.join(SIZES)}",
        )
    return size


@contextmanager
def the_model(model: str | None, random_weights: str | None) -> Iterator[Measured]:
    """The model to measure; random weights never end by themselves, and go when we are done.

    A folder that `python -m narrate.bench.weights` has written is known as one.
    """
    from narrate.bench.weights import MADE, make_checkpoint

    size = size_of(model, random_weights)
    with TemporaryDirectory(prefix="narrate-bench-") as scratch:
        folder = Path(scratch)
        if model is not None:
            found = find_model(model, "base")
        else:
            found = make_checkpoint(folder / "model", str(size), "base", ends=False)
        checkpoint = open_checkpoint(found)
        voice = bench_voice(folder, checkpoint)
        mark = found / MADE
        made = json.loads(mark.read_text(encoding="utf-8")) if mark.exists() else {}
        said = f"random weights, {made['size']}" if made else str(model)
        endless = not made.get("ends", True)
        yield Measured(checkpoint, voice, folder, endless, said)
