"""Many sentences at once: the engine's loop, from utterances to samples."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch

from narrate.core import Spoken, Utterance, VoicePrompt
from narrate.engine.cache import SIZES, bytes_per_slot, no_room, slots_that_fit
from narrate.engine.kernels import Kernels
from narrate.engine.languages import AUTO, language_name
from narrate.engine.loops import goes_round
from narrate.engine.model.frame import Computer
from narrate.engine.options import EngineOptions
from narrate.engine.parts import Parts, load_parts
from narrate.engine.prompt import PromptWriter
from narrate.engine.quantise import kind_of
from narrate.engine.runner import HostCodes, Runner
from narrate.engine.sampler import rules_of
from narrate.engine.scheduler import Ended, Job, Scheduler, Status, frame_cap
from narrate.errors import BackendError

__all__ = ["Engine"]

_LEAST_FRAMES_PER_TEXT_ID = 4  # what a calm reader needs; less room than that is no use
_CODEC_BYTES = 6 << 30  # set aside for the codec's work space
_CPU_BATCH = 8
_SOME_WORDS = "A sentence of some words, as there are many."


class Engine:
    """A checkpoint on one device, for as many books as you like.

    Raises `BackendError` for a checkpoint that is damaged or does not fit the device.
    """

    def __init__(self, folder: Path, options: EngineOptions) -> None:
        _set_precision(options, options.place())  # loading multiplies, too
        self._set_up(load_parts(folder, options), options)

    @classmethod
    def of(cls, parts: Parts, options: EngineOptions) -> Engine:
        """An engine from parts that are there already."""
        engine = cls.__new__(cls)
        _set_precision(options, parts.model.codes.device)
        engine._set_up(parts, options)
        return engine

    def _set_up(self, parts: Parts, options: EngineOptions) -> None:
        self.parts, self.options = parts, options
        self.device = parts.model.codes.device
        kernels = Kernels.choose(self.device, options.kernels)
        self._computer = Computer(
            parts.model, kernels, *rules_of(parts.model.config, parts.sampling)
        )
        self.positions = min(options.max_context, parts.model.config.max_positions)
        self._start_batch(options.batch_size or self._batch_that_fits())

    @property
    def rate_hz(self) -> int:
        """The rate of the samples."""
        return self.parts.decoder.sample_rate

    @property
    def in_use(self) -> dict[str, str]:
        """What was chosen: device, precision, the layers' weights, kernels and batch."""
        dtype = str(self.parts.model.codes.dtype).removeprefix("torch.")
        names = {"device": str(self.device), "dtype": dtype, "kernels": self._computer.kernels.name}
        weights = kind_of(self.parts.model.talker.layers[0].qkv)
        return {**names, "weights": weights, "batch": str(self.batch_size)}

    def _batch_that_fits(self) -> int:
        if self.device.type != "cuda":
            return _CPU_BATCH
        torch.cuda.empty_cache()
        free, _ = torch.cuda.mem_get_info(self.device)
        config, dtype = self.parts.model.config, self.parts.model.codes.dtype
        slot = bytes_per_slot(config, self.positions, dtype)
        batch = slots_that_fit(free - _CODEC_BYTES, slot, SIZES[-1])
        if not batch:
            raise BackendError(
                f"the card has {free >> 20} MB left, too little for one row of {slot >> 20} MB",
                where=f"--max-context {self.positions}",
                remedy="stop other programs on the card, or lower --max-context",
            )
        return batch

    def _start_batch(self, batch: int) -> None:
        """Make the buffers of a batch; a smaller one where the card has no room for it."""
        while True:
            try:
                self._runner = Runner(
                    self._computer,
                    batch,
                    self.positions,
                    self.options.group(batch),
                    self.device,
                    self.options.recorded(self.device),
                )
                break
            except torch.OutOfMemoryError as error:
                batch = _smaller(batch, error)
                torch.cuda.empty_cache()
        self.batch_size = batch
        self._scheduler = Scheduler(
            batch, self._runner.group, self.options.retries, in_order=self.options.in_order
        )

    @torch.inference_mode()
    def expect(self, prompt: VoicePrompt) -> None:
        """Do now what speaking with a prompt begins with, so that it begins at once.

        Where the card has no room for that, nothing: who speaks makes the batch smaller.
        """
        language = next(iter(self.parts.model.config.languages), AUTO)
        with suppress(torch.OutOfMemoryError):
            self._begin(prompt)
            length = self._writer.write(_SOME_WORDS, language).length
            with self._runner.turn():
                self._runner.expect(length)

    @torch.inference_mode()
    def speak(
        self, utterances: Iterator[Utterance], prompt: VoicePrompt
    ) -> Generator[Spoken, None, None]:
        """Yield each utterance as soon as it is done; pulls `lookahead` of them ahead.

        What cannot be spoken (longer than the context, or never a number) is named in a
        `BackendError` when everything else is done.
        """
        self._begin(prompt)
        self._source = enumerate(utterances, start=1)
        self._ended: dict[int, tuple[Ended, HostCodes]] = {}
        self._leaving: deque[Ended] = deque()
        self._refused: list[str] = []
        try:
            while self._pull() or not self._scheduler.idle:
                yield from self._or_shrink(self.step)
            while not (yield from self._or_shrink(self._rest)):
                pass
        finally:
            self._forget()
        if self._refused:
            count = len(self._refused)
            raise BackendError(
                f"{count} utterance{'s' * (count > 1)} could not be spoken: "
                f"{'; '.join(self._refused[:5])}",
                remedy="divide these texts, or raise --max-context",
            )

    def _begin(self, prompt: VoicePrompt) -> None:
        model = self.parts.model
        self._writer = PromptWriter(
            model.config, self.parts.text_ids, prompt, self.options.text_first
        )
        with self._runner.turn():
            if prompt.speaker is not None:
                model.codes[model.speaker_row] = torch.from_numpy(prompt.speaker)
            self.parts.decoder.begin(self._reference(prompt))

    def step(self) -> Iterator[Spoken]:
        """One frame of everybody: who comes, what is computed, who is done."""
        with self._runner.turn():
            while self._scheduler.can_admit():
                self._runner.arrive(self._scheduler.admit(self._runner.ticks))
                self._pull()
            self._runner.frame()
            for report in self._runner.reports():
                self._leaving.extend(self._scheduler.retire(report))
            while self._leaving:
                self._finish()
        yield from self._spoken()

    def _rest(self) -> Iterator[Spoken]:
        """What the decoder still has."""
        with self._runner.turn():
            self.parts.decoder.flush()
        yield from self._spoken(wait=True)

    def _or_shrink(self, compute: Callable[[], Iterator[Spoken]]) -> Generator[Spoken, None, bool]:
        """Compute, or make the batch smaller and let everybody in it begin anew: False."""
        try:
            yield from compute()
            return True
        except torch.OutOfMemoryError as error:
            jobs, batch = self._scheduler.evict(), _smaller(self.batch_size, error)
            jobs += [ended.job for ended in self._leaving if not ended.again]
            self._leaving.clear()
            self._runner.close()
            del self._runner
            torch.cuda.empty_cache()
            self._start_batch(batch)
            for job in jobs:
                self._scheduler.add(job)
            return False

    def _pull(self) -> bool:
        """Let utterances wait, `lookahead` at most; tell whether any came."""
        wanted = self.options.lookahead - self._scheduler.waiting
        pulled = False
        for number, utterance in itertools.islice(self._source, max(0, wanted)):
            pulled = True
            language = language_name(utterance.language, self.parts.model.config.languages)
            prompt = self._writer.write(utterance.spoken, language)
            room = self.positions - prompt.length
            wanted = utterance.frame_cap or frame_cap(prompt.spoken_ids)
            if room < min(wanted, _LEAST_FRAMES_PER_TEXT_ID * prompt.spoken_ids):
                self._refuse(number, utterance, f"it needs more than {self.positions} positions")
                continue
            self._scheduler.add(Job(number, utterance, prompt, min(wanted, room)))
        return pulled

    def _refuse(self, number: int, utterance: Utterance, why: str) -> None:
        self._refused.append(f"number {number} ({utterance.spoken[:40]!r}): {why}")

    def _finish(self) -> None:
        """Bring the codes of the first who leaves to the decoder, who has them from then on."""
        ended = self._leaving[0]
        job = ended.job
        if ended.status == Status.FAULTY:
            self._runner.scrub(ended.slot)
            self._leaving.popleft()
            if not ended.again:
                self._refuse(job.number, job.utterance, "its logits are not numbers (NaN)")
            return
        codes = self._runner.codes(ended.slot, ended.frames)
        self._ended[job.number] = ended, HostCodes(codes)
        self._leaving.popleft()
        self.parts.decoder.put(job.number, codes)

    def _reference(self, prompt: VoicePrompt) -> torch.Tensor:
        """What the decoder hears before every first frame: the end of the recording."""
        held = (
            np.zeros((0, self.parts.model.config.groups)) if prompt.codes is None else prompt.codes
        )
        near = held[max(0, len(held) - self.parts.decoder.context) :]
        return torch.from_numpy(near.astype(np.int32)).to(self.device)

    def _forget(self) -> None:
        """Leave nothing of this call behind, also when it was broken off."""
        self._scheduler.evict()
        with self._runner.turn():
            self._runner.clear()
            self.parts.decoder.flush()
        for _ in self.parts.decoder.take(wait=True):
            pass

    def _spoken(self, wait: bool = False) -> Iterator[Spoken]:
        for number, samples in self.parts.decoder.take(wait):
            assert isinstance(number, int)
            ended, codes = self._ended.pop(number)
            checks: dict[str, object] = {
                "frames": ended.frames,
                "eos": ended.status == Status.ENDED,
                "runaway": ended.status == Status.CAPPED,
                "loop": goes_round(codes.read()),
                "retries": ended.job.attempt,
            }
            yield Spoken(ended.job.utterance, samples, self.rate_hz, checks)

    def close(self) -> None:
        """Give the card's memory back."""
        self._runner.close()


def _set_precision(options: EngineOptions, device: torch.device) -> None:
    """Say what fp32 products may be, whatever this process was told before."""
    tf32 = options.tf32 and device.type == "cuda"
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = options.tf32


def _smaller(batch: int, error: torch.OutOfMemoryError) -> int:
    sizes = [size for size in SIZES if size < batch]
    if not sizes:
        raise no_room("a single row", error, ", or lower --max-context") from error
    return sizes[-1]
