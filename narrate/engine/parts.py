"""What an engine is made of, from a checkpoint's folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from narrate.engine.cache import MANY_ROWS, no_room
from narrate.engine.codec.room import codec_with_room
from narrate.engine.config import read_config
from narrate.engine.model.layers import Model
from narrate.engine.options import EngineOptions
from narrate.engine.sampler import SamplingOptions, read_sampling
from narrate.engine.tokens import TextIds
from narrate.engine.weights import build_model, checkpoint_tensors

__all__ = ["Decoder", "Parts", "load_parts"]


class Decoder(Protocol):
    """The codec: takes codes as rows end, gives samples when a batch of them is done."""

    @property
    def sample_rate(self) -> int:
        """Samples a second."""

    @property
    def context(self) -> int:
        """The most frames of a past that a sample depends on."""

    def begin(self, past: torch.Tensor) -> None:
        """What follows goes on from these codes [frames, groups], which are not decoded."""

    def put(self, key: object, codes: torch.Tensor) -> None:
        """Ask for the samples of codes [frames, groups].

        An OutOfMemoryError says that nothing could be started; what was put is kept for later.
        """

    def flush(self) -> None:
        """Start on what was put and does not fill a batch; errors as for `put`."""

    def take(self, wait: bool = False) -> Iterator[tuple[object, NDArray[np.int16]]]:
        """What is done by now, by key; with `wait` everything that was started."""


@dataclass(frozen=True, eq=False)
class Parts:
    """What an engine is made of."""

    model: Model
    text_ids: TextIds
    sampling: SamplingOptions
    decoder: Decoder


def load_parts(folder: Path, options: EngineOptions) -> Parts:
    """Everything from a checkpoint's folder; `BackendError` where it is damaged or does not fit."""
    config, device = read_config(folder), options.place()
    dtype = options.precision(device)
    try:
        with checkpoint_tensors(folder, config, device) as take:
            packed = options.packed(device)
            model = build_model(config, take, device, dtype, options.max_context, packed)
    except torch.OutOfMemoryError as error:
        raise no_room("the model", error, ", or choose a smaller model") from error
    sampling = options.sampling or read_sampling(folder)
    few_rows = options.batch_size is not None and options.batch_size < MANY_ROWS
    decoder = codec_with_room(
        folder / "speech_tokenizer", device, dtype, options.recorded(device), few_rows
    )
    return Parts(model, TextIds(folder), sampling, decoder)
