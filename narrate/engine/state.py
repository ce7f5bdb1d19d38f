"""What the card knows of its rows: fixed buffers, so that a recorded frame always finds them."""

from __future__ import annotations

import torch

from narrate.engine.cache import make_caches
from narrate.engine.config import ModelConfig
from narrate.engine.kernels import Rows

__all__ = ["Intake", "State"]

_HEAD_NUMBERS = 5  # slot, length, cap, and the two halves of the seed


class State:
    """All rows of a batch. Each buffer has one row more than the batch: a place for nobody.

    x [n, hidden]: the next input. lengths [n] int32: positions in the cache, -1 where nobody is.
    caps, seeds, seen, trailing: the job's. now [n, groups]: the codes of this frame.
    book [n, positions, groups]: all codes of the row. progress [2, n]: status and frames.
    """

    def __init__(
        self,
        config: ModelConfig,
        slots: int,
        positions: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.slots, self.positions = slots, positions
        every = slots + 1

        def zeros(*shape: int, dtype: torch.dtype = torch.int32) -> torch.Tensor:
            return torch.zeros(shape, dtype=dtype, device=device)

        self.x = zeros(every, config.talker.hidden, dtype=dtype)
        self.predictor_x = zeros(slots, config.predictor.hidden, dtype=dtype)
        self.total = zeros(slots, config.talker.hidden, dtype=torch.float32)
        self.lengths, self.caps, self.faults = zeros(every), zeros(every), zeros(every)
        self.seeds = zeros(every, dtype=torch.int64)
        self.seen = zeros(every, config.talker.vocab, dtype=torch.uint8)
        self.trailing = zeros(every, positions)
        self.now = zeros(every, config.groups)
        self.book = zeros(every, positions, config.groups)
        self.progress = zeros(2, every)
        self.every_row = torch.arange(slots, dtype=torch.int64, device=device)
        self.every_slot = self.every_row.to(torch.int32)
        self.talker = make_caches(config.talker, every, positions, device, dtype)
        self.predictor = make_caches(config.predictor, slots, config.groups + 1, device, dtype)
        self.clear()

    def clear(self) -> None:
        """Nobody is there."""
        self.lengths.fill_(-1)
        self.progress.zero_()
        self.x.zero_()

    def rows(self) -> Rows:
        """The batch as sampling sees it."""
        n = self.slots
        return Rows(
            seeds=self.seeds[:n],
            frames=self.progress[1, :n],
            codes=self.now[:n],
            faults=self.faults[:n],
            seen=self.seen[:n],
        )


class Intake:
    """One transfer of newcomers: a row of integers each, in one buffer on the card.

    `Fields` of a row: slot, length, cap, the seed's low and high 32 bits, the trailing text rows
    (`positions` of them), then the prompt's rows, [length, 1 + groups] flat, `length` as padded.
    """

    def __init__(
        self, config: ModelConfig, rows: int, length: int, positions: int, device: torch.device
    ) -> None:
        self.rows, self.length, self.positions = rows, length, positions
        self.width = 1 + config.groups
        self._start = _HEAD_NUMBERS + positions
        self.numbers = torch.zeros(
            rows, self._start + length * self.width, dtype=torch.int32, device=device
        )

    def head(self, index: int) -> torch.Tensor:
        """One number a newcomer: 0 slot, 1 length, 2 cap."""
        return self.numbers[:, index]

    def seeds(self) -> torch.Tensor:
        """The seeds, int64, put together from their halves."""
        low, high = (self.numbers[:, index].to(torch.int64) for index in (3, 4))
        return (low & 0xFFFFFFFF) | (high << 32)

    def trailing(self) -> torch.Tensor:
        """[rows, positions]: the text rows that follow the prompt."""
        return self.numbers[:, _HEAD_NUMBERS : self._start]

    def prompt_rows(self) -> torch.Tensor:
        """[rows, length, 1 + groups]: what the prompt's embeddings are sums of."""
        return self.numbers[:, self._start :].view(self.rows, self.length, self.width)
