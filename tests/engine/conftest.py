"""A tiny checkpoint, once through the published package and once through the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: the engine is not tested")

from narrate.core import Utterance, VoicePrompt  # noqa: E402  only where torch is installed
from narrate.engine.config import ModelConfig, read_config  # noqa: E402
from narrate.engine.kernels import Kernels  # noqa: E402
from narrate.engine.model.frame import Computer  # noqa: E402
from narrate.engine.model.layers import Model  # noqa: E402
from narrate.engine.prompt import PromptWriter  # noqa: E402
from narrate.engine.runner import Runner  # noqa: E402
from narrate.engine.sampler import SamplingOptions, rules_of  # noqa: E402
from narrate.engine.scheduler import Ended, Job, Scheduler  # noqa: E402
from narrate.engine.tokens import TextIds  # noqa: E402
from narrate.engine.weights import build_model, checkpoint_tensors  # noqa: E402

CPU = torch.device("cpu")
POSITIONS = 256
GREEDY = SamplingOptions(do_sample=False, subtalker_dosample=False)


@dataclass(frozen=True)
class Tiny:
    """A checkpoint as the engine reads it."""

    folder: Path
    config: ModelConfig
    model: Model
    ids: TextIds

    def writer(self, voice: VoicePrompt, text_first: bool = False) -> PromptWriter:
        writer = PromptWriter(self.config, self.ids, voice, text_first)
        if voice.speaker is not None:
            self.model.codes[self.model.speaker_row] = torch.from_numpy(voice.speaker)
        return writer

    def runner(
        self, slots: int, group: int = 2, sampling: SamplingOptions = GREEDY, positions: int = 256
    ) -> Runner:
        rules = rules_of(self.config, sampling)
        computer = Computer(self.model, Kernels.choose(CPU, "torch"), *rules)
        return Runner(computer, slots, positions, group, CPU, graphs=False)

    def never_ending(self) -> Tiny:
        """The same, but code 0 is never the end: its logit is 0 and others are larger."""
        head = self.model.head.clone()
        head[self.config.ids.eos] = 0
        return replace(self, model=replace(self.model, head=head))


def speak_all(
    runner: Runner, jobs: Sequence[Job], come: Callable[[int], int] = lambda tick: 1 << 20
) -> dict[int, tuple[Ended, Any]]:
    """Run jobs to their end; `come(tick)` says how many have arrived by then."""
    scheduler = Scheduler(runner.state.slots, runner.group)
    out: dict[int, tuple[Ended, Any]] = {}
    left = list(jobs)
    with torch.inference_mode():
        while left or not scheduler.idle:
            while left and len(jobs) - len(left) < come(runner.ticks):
                scheduler.add(left.pop(0))
            while scheduler.can_admit():
                runner.arrive(scheduler.admit(runner.ticks))
            runner.frame()
            for report in runner.reports():
                for ended in scheduler.retire(report):
                    out[ended.job.number] = (ended, runner.codes(ended.slot, ended.frames))
    return out


def jobs_of(writer: PromptWriter, texts: Sequence[str], caps: Sequence[int]) -> list[Job]:
    """One job a text, in English, seeded by its number."""
    return [
        Job(number, Utterance(str(number), text, "en", 1000 + number), prompt, cap)
        for number, (text, cap) in enumerate(zip(texts, caps, strict=True))
        for prompt in [writer.write(text, "english")]
    ]


def load_tiny(folder: Path) -> Tiny:
    config = read_config(folder)
    with checkpoint_tensors(folder, config, CPU) as take:
        model = build_model(config, take, CPU, torch.float32, POSITIONS)
    return Tiny(folder, config, model, TextIds(folder))


@pytest.fixture(scope="session")
def tiny(tiny_checkpoint: Path) -> Tiny:
    return load_tiny(tiny_checkpoint)


@pytest.fixture(scope="session")
def published(checkpoint: Callable[[str], Path]) -> Callable[[str], Any]:
    """Give the published package's model of a kind, fp32 on the CPU."""
    from narrate.speech.published import load_published

    made: dict[str, Any] = {}

    def load(kind: str) -> Any:
        if kind not in made:
            package = load_published()
            made[kind] = package.Qwen3TTSModel.from_pretrained(
                str(checkpoint(kind)), dtype=torch.float32, attn_implementation="sdpa"
            )
        return made[kind]

    return load


def cloned(config: ModelConfig, frames: int = 13, seed: int = 0) -> VoicePrompt:
    """A voice with a recording of some frames."""
    random = np.random.default_rng(seed)
    return VoicePrompt(
        codes=random.integers(0, config.predictor.vocab, (frames, config.groups)),
        speaker=random.normal(size=config.talker.hidden).astype(np.float32),
        reference_text="The quick brown fox.",
    )


@pytest.fixture(scope="session")
def voice(tiny: Tiny) -> VoicePrompt:
    return cloned(tiny.config)
