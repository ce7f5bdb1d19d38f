"""One frame of all rows, and the arrival of newcomers: static shapes, no word with the host."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from narrate.engine.kernels import Kernels, Rules
from narrate.engine.model.layers import Model
from narrate.engine.model.predictor import feed_of, predict, predictor_inputs
from narrate.engine.model.talker import embed, prefill, talker_step
from narrate.engine.scheduler import Status
from narrate.engine.state import Intake, State

__all__ = ["Computer"]


@dataclass(frozen=True, eq=False)
class Computer:
    """The model with its kernels and its two sets of sampling rules."""

    model: Model
    kernels: Kernels
    first: Rules
    others: Rules

    def frame(self, state: State) -> None:
        """Talker step, code 0, fifteen predictor steps, next input: the architecture of a frame."""
        rows, n = state.rows(), state.slots
        rows.faults.zero_()
        hidden, logits = talker_step(
            self.model, self.kernels, state.x[:n], state.talker, state.every_slot, state.lengths[:n]
        )
        feed = feed_of(self.model, 0, state.predictor_x, state.total)
        self.kernels.sample(logits, 0, self.first, rows, feed)
        predict(
            self.model,
            self.kernels,
            predictor_inputs(self.model, hidden),
            state.predictor_x,
            state.predictor,
            self.others,
            rows,
            state.total,
        )
        advance(self.model, self.first.eos, state)

    def arrive(self, state: State, intake: Intake) -> None:
        """Put newcomers into their slots: the prompt into the cache, its last position into x."""
        slots, lengths = intake.head(0).long(), intake.head(1).long()
        x = embed(self.model, intake.prompt_rows())
        state.x[slots] = x[torch.arange(intake.rows, device=x.device), lengths - 1]
        state.lengths[slots] = intake.head(1) - 1
        state.caps[slots] = intake.head(2)
        state.seeds[slots] = intake.seeds()
        state.trailing[slots] = intake.trailing()
        state.seen.index_fill_(0, slots, 0)
        state.progress[0].index_fill_(0, slots, int(Status.RUNNING))
        state.progress[1].index_fill_(0, slots, 0)
        prefill(self.model, self.kernels, x, state.talker, slots)


def advance(model: Model, eos: int, state: State) -> None:
    """Write this frame's codes, make the next input, and move on the rows that go on."""
    n = state.slots
    status, frames = state.progress[0, :n], state.progress[1, :n]
    running = status == Status.RUNNING
    faulty = running & (state.faults[:n] != 0)
    ended = running & ~faulty & (state.now[:n, 0] == eos)
    speaking = running & ~faulty & ~ended
    at = frames.long().clamp(max=state.positions - 1)
    state.book[state.every_row, at] = state.now[:n]
    text = state.trailing[:n].gather(1, at[:, None])[:, 0]
    total = state.total.to(state.x.dtype) + F.embedding(text, model.text)
    state.x[:n].copy_(total)
    frames.add_(speaking)
    capped = speaking & (frames >= state.caps[:n])
    for rows, fate in ((faulty, Status.FAULTY), (ended, Status.ENDED), (capped, Status.CAPPED)):
        status.masked_fill_(rows, int(fate))
    lengths = state.lengths[:n]
    lengths.add_(speaking)
    lengths.masked_fill_(status != Status.RUNNING, -1)
