"""Computes what the scheduler decided: newcomers into slots, frames, and reports read behind."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from narrate.engine.cache import MANY_ROWS
from narrate.engine.graphs import Replay
from narrate.engine.model.frame import Computer
from narrate.engine.scheduler import Job, Progress
from narrate.engine.state import Intake, State

__all__ = ["HostCodes", "Runner"]

Newcomer = tuple[int, Job]

_LENGTH_STEP = 16  # prompts are padded to a multiple of it: one recording a length
# Reports are read so many frames behind; with many rows the host has more to do meanwhile.
_BEHIND, _BEHIND_OF_MANY = 1, 2


class Runner:
    """A batch on one device.

    Newcomers arrive `group` at a time whatever their number, and a prompt's padded length depends
    on itself alone: every product has the same shape for a row, whoever comes with it, so its
    numbers are the same.
    """

    def __init__(
        self,
        computer: Computer,
        slots: int,
        positions: int,
        group: int,
        device: torch.device,
        graphs: bool,
    ) -> None:
        self.computer, self.device, self.group, self.graphs = computer, device, group, graphs
        config, dtype = computer.model.config, computer.model.codes.dtype
        self.state = State(config, slots, positions, device, dtype)
        self.ticks = 0
        self._on_card = device.type == "cuda"
        # Frames before the codec: theirs are many small steps, and its gaps are theirs to wait in.
        self._stream = torch.cuda.Stream(device, priority=-1) if self._on_card else None
        if self._stream is not None:
            self._stream.wait_stream(torch.cuda.current_stream(device))
        self._pool = torch.cuda.graph_pool_handle() if graphs else None
        self._arrivals: dict[int, tuple[Intake, _Staging, Replay]] = {}
        self._reports: deque[tuple[int, torch.Tensor, torch.cuda.Event | None]] = deque()
        self._spare: list[torch.Tensor] = []
        with self.turn():
            self._frame = Replay(partial(computer.frame, self.state), graphs, self._pool)
            self.state.clear()

    def turn(self) -> AbstractContextManager[object]:
        """The stream that everything about rows happens in; never yield inside of it."""
        return nullcontext() if self._stream is None else torch.cuda.stream(self._stream)

    def arrive(self, newcomers: Sequence[Newcomer]) -> None:
        """Start newcomers: `group` at a time, those of one padded length together."""
        by_length: dict[int, list[Newcomer]] = {}
        for newcomer in newcomers:
            by_length.setdefault(self._padded(newcomer[1].prompt.length), []).append(newcomer)
        for length, together in by_length.items():
            for start in range(0, len(together), self.group):
                self._arrive(length, together[start : start + self.group])

    def expect(self, length: int) -> None:
        """Be ready for prompts of a length."""
        if (padded := self._padded(length)) not in self._arrivals:
            self._prepare(padded)

    def _padded(self, length: int) -> int:
        return min(-(-length // _LENGTH_STEP) * _LENGTH_STEP, self.state.positions)

    def _arrive(self, length: int, newcomers: Sequence[Newcomer]) -> None:
        intake, staging, replay = self._arrivals.get(length) or self._prepare(length)
        config = self.computer.model.config
        empty = [config.text_vocab] + [config.code_rows + 1] * config.groups
        numbers = np.zeros((self.group, intake.numbers.shape[1]), np.int32)
        numbers[:, 0], numbers[:, 1] = self.state.slots, 1  # nobody's slot
        start = intake.numbers.shape[1] - length * intake.width
        numbers[:, start:] = np.tile(np.asarray(empty, np.int32), length)
        for row, (slot, job) in zip(numbers, newcomers, strict=False):
            prompt, seed = job.prompt, job.seed
            row[:3] = slot, prompt.length, job.cap
            row[3:5] = np.asarray([seed], np.int64).view(np.int32)
            row[5:start] = config.ids.tts_pad
            row[5 : 5 + len(prompt.trailing)] = prompt.trailing
            row[start : start + prompt.rows.size] = prompt.rows.ravel()
        staging.send(numbers, intake.numbers)
        replay()

    def _prepare(self, length: int) -> tuple[Intake, _Staging, Replay]:
        """Make the buffers and the recording for prompts of one padded length."""
        config, state = self.computer.model.config, self.state
        intake = Intake(config, self.group, length, state.positions, self.device)
        intake.numbers[:, 0], intake.numbers[:, 1] = state.slots, 1
        arrival = Replay(partial(self.computer.arrive, state, intake), self.graphs, self._pool)
        self._arrivals[length] = intake, _Staging(intake.numbers, self._on_card), arrival
        return self._arrivals[length]

    def frame(self) -> None:
        """Compute one frame of every row and have its report copied."""
        self._frame()
        progress = self.state.progress
        if not self._on_card:
            self._reports.append((self.ticks, progress.clone(), None))
        else:
            held = (
                self._spare.pop()
                if self._spare
                else torch.empty_like(progress, device="cpu").pin_memory()
            )
            held.copy_(progress, non_blocking=True)
            event = torch.cuda.Event()
            event.record()
            self._reports.append((self.ticks, held, event))
        self.ticks += 1

    def reports(self, all_of_them: bool = False) -> Iterator[Progress]:
        """The reports of frames that are done, waiting only for those far behind."""
        usual = _BEHIND_OF_MANY if self.state.slots >= MANY_ROWS else _BEHIND
        behind = 0 if all_of_them or not self._on_card else usual
        while len(self._reports) > behind:
            tick, held, event = self._reports.popleft()
            if event is not None:
                event.synchronize()
            status, frames = held.tolist()
            if event is not None:
                self._spare.append(held)
            yield Progress(tick, status, frames)

    def codes(self, slot: int, frames: int) -> torch.Tensor:
        """The codes of a row that has ended, [frames, groups], a copy on the device."""
        return self.state.book[slot, :frames].clone()

    def scrub(self, slot: int) -> None:
        """Wipe a slot whose row was not a number: nothing times NaN is NaN."""
        for cache in self.state.talker:
            cache.keys[slot].zero_()
            cache.values[slot].zero_()

    def clear(self) -> None:
        """Forget everybody, and the reports that are on their way."""
        self._reports.clear()
        self.state.clear()

    def close(self) -> None:
        """Give the recordings back, and with them their memory."""
        self._frame.close()
        for _, _, replay in self._arrivals.values():
            replay.close()
        self._arrivals.clear()


class HostCodes:
    """A row's first codes on their way to the host, copied while the codec computes."""

    def __init__(self, codes: torch.Tensor) -> None:
        first = codes[:, :1].to(torch.int16)  # a codebook has a few thousand entries
        self._held, self._sent = first, None
        if first.is_cuda:
            self._held = torch.empty(first.shape, dtype=first.dtype, pin_memory=True)
            self._held.copy_(first, non_blocking=True)
            self._sent = torch.cuda.Event()
            self._sent.record()

    def read(self) -> NDArray[np.int16]:
        """The codes, [frames, 1]; waits for them."""
        if self._sent is not None:
            self._sent.synchronize()
        return self._held.numpy()


class _Staging:
    """A pinned buffer on the way to the card, not touched again before it has arrived."""

    def __init__(self, target: torch.Tensor, on_card: bool) -> None:
        self._held = torch.empty_like(target, device="cpu")
        self._sent: torch.cuda.Event | None = None
        if on_card:
            self._held = self._held.pin_memory()
            self._sent = torch.cuda.Event()

    def send(self, numbers: np.ndarray, target: torch.Tensor) -> None:
        """Copy numbers to the card, in the current stream."""
        if self._sent is not None:
            self._sent.synchronize()
        self._held.numpy()[:] = numbers
        target.copy_(self._held, non_blocking=True)
        if self._sent is not None:
            self._sent.record()
