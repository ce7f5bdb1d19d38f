"""The codec: codes in, 16-bit samples out, many utterances at once, on a stream of its own.

`put` gathers what is to be decoded; a pass is launched as soon as what waits fills one, `flush`
launches the rest. `take` hands over what has arrived and never waits unless told to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import torch

from narrate.engine.codec.config import read_codec_config
from narrate.engine.codec.layers import FP32, Grade, Grades, Level, Places
from narrate.engine.codec.packing import Gathering, Layout, Pass, Run, Table, cut
from narrate.engine.codec.transformer import latents
from narrate.engine.codec.wave import PLAIN, Waves, sound
from narrate.engine.codec.weights import load_codec
from narrate.engine.graphs import Replay
from narrate.engine.hurry import rehearse
from narrate.engine.kernels import Kernels

__all__ = ["Codec", "Samples"]

Samples = np.ndarray[tuple[int], np.dtype[np.int16]]
_FRAMES_A_PASS = 1024


@dataclass(slots=True)
class _Item:
    """An utterance on its way: its codes, the length of its past, its samples as they arrive."""

    key: object
    codes: torch.Tensor
    context: int
    frames_left: int
    samples: Samples


@dataclass(slots=True)
class _Flight:
    """A pass under way: what keeps its transfers' memory alive, and when it has arrived."""

    one: Pass
    out: torch.Tensor
    held: list[torch.Tensor]
    arrived: torch.cuda.Event | None


class Codec:
    """The decoder of the checkpoint at `folder` (its `speech_tokenizer`)."""

    def __init__(
        self,
        folder: Path,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        frames: int = _FRAMES_A_PASS,
        kernels: str = "auto",
        graphs: bool = True,
    ) -> None:
        self.config = read_codec_config(folder)
        self._kernels = Kernels.choose(device, kernels)
        self._waves = choose_waves(self._kernels.name)
        self.layout = Layout.of(self.config, frames, self._waves.grain or self.config.window)
        self.device = device
        levels = len(self.config.rates)
        self._weights = load_codec(folder, self.config, device, grades_of(dtype, levels))
        size = self.layout.run_frames
        self._codes = torch.zeros(size, self.config.quantizers, dtype=torch.int32, device=device)
        self._places = torch.zeros(5, size, dtype=torch.int32, device=device)  # `Layout.places`
        self._latents = torch.zeros(frames + 1, self.config.latent, device=device)
        self._live = torch.zeros(frames, dtype=torch.int32, device=device)
        # Which of the past's last frames a place of a gap stands for, -1: none.
        self._past = torch.full((frames,), -1, dtype=torch.int32, device=device)
        self._past_codes = self._codes[:0]
        self._ends: list[torch.Tensor] = []
        samples = frames * self.config.samples_per_frame
        self._samples = torch.zeros(samples, dtype=torch.int16, device=device)
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        with self._own_stream(), torch.inference_mode():
            silence = self._latents[: self._frames_to_hear]
            live = self._live[: len(silence)]
            hear = partial(sound, self._weights, self._waves, silence, live, self._remember)
            if self._stream is not None:
                rehearse(hear)
            hear()
            self._run = Replay(self._compute_latents, graphs and device.type == "cuda")
            self._decode = Replay(self._compute_samples, graphs and device.type == "cuda")
        self._gathering = Gathering(self.layout)
        self._numbers = count()
        self._items: dict[int, _Item] = {}
        self._flights: deque[_Flight] = deque()
        self._done: deque[tuple[object, Samples]] = deque()

    @property
    def sample_rate(self) -> int:
        """Samples a second."""
        return self.config.sample_rate

    @property
    def samples_per_frame(self) -> int:
        """Samples that one frame of codes becomes."""
        return self.config.samples_per_frame

    @property
    def context(self) -> int:
        """Frames of a past that a sample can depend on: more need not be handed to `begin`."""
        return self.config.transformer_reach + self.config.wave_reach + self.config.gap

    @property
    def _frames_to_hear(self) -> int:
        """Latents that the end of a past takes, a gap of silence before it, and to spare."""
        return -(-(2 * self.config.gap + self.config.wave_reach) // 16) * 16

    def begin(self, past: torch.Tensor) -> None:
        """What follows goes on from the past, codes [n, quantizers]: heard, but not decoded.

        Every convolution's view of its end is computed once, here, and stands before each
        utterance from now on.
        """
        self.flush()
        self._past_codes = past.to(self.device, torch.int32)
        if not len(past):
            return
        held: list[torch.Tensor] = []
        size = self._frames_to_hear
        run = self.layout.alone(len(past), size)
        with self._own_stream(), torch.inference_mode():
            self._latents.zero_()
            self._fill_run(run, held)
            self._run()
            live = torch.ones(size, dtype=torch.int32, device=self.device)
            live[: run.spans[0].to] = 0
            sound(self._weights, self._waves, self._latents[:size], live, self._remember)
            if self._stream is not None:
                self._stream.synchronize()

    def put(self, key: object, codes: torch.Tensor) -> None:
        """Ask for the samples of codes [n, quantizers] after the past.

        The tensor must not change until the samples have been taken. Where the card has no room for
        what is launched, `torch.OutOfMemoryError`: nothing is lost, and the next call tries again.
        """
        samples = np.empty(len(codes) * self.samples_per_frame, np.int16)
        if not len(codes):
            self._done.append((key, samples))
            return
        number, context = next(self._numbers), len(self._past_codes)
        self._items[number] = _Item(key, codes, context, len(codes), samples)
        pieces = cut(number, context, context + len(codes), self.layout.longest)
        self._launch([one for piece in pieces for one in self._gathering.add(piece)])

    def flush(self) -> None:
        """Launch what has been gathered; errors as for `put`."""
        self._launch(self._gathering.flush())

    def take(self, wait: bool = False) -> Iterator[tuple[object, Samples]]:
        """What has arrived since the last time: (key, samples); with `wait`, all that was launched.

        An utterance's samples come whole, as soon as the last of its passes has arrived: not in the
        order in which utterances were put, since a later one may fill an earlier pass.
        """
        while self._flights:
            arrived = self._flights[0].arrived
            if arrived is not None:
                if not wait and not arrived.query():
                    break
                arrived.synchronize()
            self._land(self._flights.popleft())
        while self._done:
            yield self._done.popleft()

    def decode(
        self, codes: Sequence[torch.Tensor], past: torch.Tensor | None = None
    ) -> list[Samples]:
        """The samples of all of these utterances, each after the same past."""
        self.begin(self._codes[:0] if past is None else past)
        for index, one in enumerate(codes):
            self.put(index, one)
        self.flush()
        return [samples for _, samples in sorted(self.take(wait=True), key=lambda pair: pair[0])]  # type: ignore[arg-type, return-value]

    def close(self) -> None:
        """Give the recordings back."""
        self._run.close()
        self._decode.close()

    def _own_stream(self) -> torch.cuda.StreamContext | nullcontext[None]:
        if self._stream is None:
            return nullcontext()
        self._stream.wait_stream(torch.cuda.current_stream(self.device))
        return torch.cuda.stream(self._stream)

    def _compute_latents(self) -> None:
        utterance, position, to, begin, jump = self._places
        places = Places(utterance, position, begin, jump)
        found = latents(self._weights, self._kernels, self._waves, self._codes, places)
        self._latents.index_copy_(0, to.long(), found)

    def _compute_samples(self) -> None:
        found = sound(self._weights, self._waves, self._latents[:-1], self._live, self._go_on)
        self._samples.copy_(found)

    def _remember(self, number: int, x: torch.Tensor, frames: int) -> None:
        """Keep the end of what a convolution gives, [gap * steps, channels]."""
        end = x[-(self.config.gap * len(x) // frames) :]
        if number == len(self._ends):
            self._ends.append(end.clone())
        self._ends[number].copy_(end)

    def _go_on(self, number: int, x: torch.Tensor, frames: int) -> None:
        self._waves.paste(x, self._ends[number], self._past)

    def _launch(self, passes: list[Pass]) -> None:
        left = deque(passes)
        try:
            while left:
                self._flights.append(self._start(left[0]))
                left.popleft()
        finally:
            self._gathering.put_back(reversed(left))

    def _start(self, one: Pass) -> _Flight:
        held: list[torch.Tensor] = []
        with self._own_stream(), torch.inference_mode():
            for run in one.runs:
                self._fill_run(run, held)
                self._run()
            live, past = self.layout.live(one)
            self._upload(self._live, live, held)
            self._upload(self._past, past, held)
            self._decode()
            pinned = self._stream is not None
            out = torch.empty(self._samples.shape, dtype=torch.int16, pin_memory=pinned)
            out.copy_(self._samples, non_blocking=pinned)
            arrived = self._stream.record_event() if self._stream is not None else None
        return _Flight(one, out, held, arrived)

    def _fill_run(self, run: Run, held: list[torch.Tensor]) -> None:
        self._upload(self._places, self.layout.places(run), held)
        context = len(self._past_codes)
        for span in run.spans:
            first, at = span.first - span.heard, span.at - span.heard
            parts = [self._past_codes[first : span.end]]
            if span.item is not None and span.end > context:
                own = self._items[span.item].codes
                parts.append(own[max(first - context, 0) : span.end - context])
            for part in parts:
                self._codes[at : at + len(part)].copy_(part, non_blocking=True)
                at += len(part)
            held += parts

    def _upload(self, to: torch.Tensor, values: Table, held: list[torch.Tensor]) -> None:
        source = torch.from_numpy(values)
        if self._stream is not None:
            source = source.pin_memory()
            held.append(source)
        to.copy_(source, non_blocking=True)

    def _land(self, flight: _Flight) -> None:
        samples = flight.out.numpy()
        rate = self.samples_per_frame
        for piece, at in flight.one.cuts:
            item, frames = self._items[piece.item], piece.end - piece.first
            to = piece.first - item.context
            item.samples[to * rate : (to + frames) * rate] = samples[at * rate :][: frames * rate]
            item.frames_left -= frames
            if not item.frames_left:
                del self._items[piece.item]
                self._done.append((item.key, item.samples))


def grades_of(dtype: torch.dtype, levels: int) -> Grades:
    """How the wave decoder and what comes before it are computed, for a `dtype`.

    NOTE: 16 bits are those of fp16, also where bf16 is asked for: they cost the same and keep three
    digits more. What is early is magnified by all that follows, so it keeps more, but where it
    costs most, in the first level's longer convolutions (docs/log.md).
    """
    if dtype not in (torch.float16, torch.bfloat16):
        return Grades.of(FP32, levels)
    half, two, three = (Grade(torch.float16, parts) for parts in (1, 2, 3))
    first = Level(up=two, wide=half, point=three, kept=torch.float32)
    return Grades(three, (first, *[Level.of(half)] * (levels - 1)))


def choose_waves(kernels: str) -> Waves:
    """The wave decoder's table that goes with the kernels of this name."""
    if kernels == "torch":
        return PLAIN
    from narrate.engine.codec.fast import FAST

    return FAST
