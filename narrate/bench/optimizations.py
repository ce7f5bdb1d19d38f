"""`narrate bench optimizations`: a ladder from fp32 to the engine, each rung against one below.

A rung agrees with the one that it is set against as far as its first row sounds the same: draws are
keyed by the row's seed, so only rounding makes it say something else, and from there on it is
another take. FlashAttention 2 and each mode of torch.compile are set against the same rung, and so
are the engine's weights of a byte each, which round the model itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from narrate.bench.asked import Optimizations
from narrate.bench.contestants import contestants
from narrate.bench.generate import (
    open_contestant,
    positions_of,
    speak_all,
    warm_up,
)
from narrate.bench.measure import Case, Stage
from narrate.bench.models import Measured, the_model
from narrate.bench.results import Axis, Work
from narrate.bench.texts import LENGTHS, frames_for, rows, sample
from narrate.core import Utterance
from narrate.errors import UsageError
from narrate.speech.backend import COMPILE_MODES, WEIGHTS, Backend
from narrate.speech.caps import FRAMES_PER_S

__all__ = ["stages"]

_LENGTH, _QUICK_LENGTH = 187, 12
_BATCH, _QUICK_BATCH, _QUICK_FRAMES = 32, 4, 5
_ALIKE = 0.1  # a frame differs when the difference is above a tenth of its loudness
_NO_MODES = "none"
_LAST = "official:sdpa+bf16+tf32+cudnn"
assert _LENGTH in LENGTHS


@dataclass(frozen=True, slots=True)
class _Rung:
    name: str
    words: str
    batched: bool = False
    mode: str | None = None
    aside: bool = False  # the next rung does not build on it


def _rungs() -> Iterator[_Rung]:
    yield _Rung("fp32", "official:sdpa+fp32")
    yield _Rung("bf16", "official:sdpa+bf16")
    yield _Rung("+ TF32", "official:sdpa+bf16+tf32")
    yield _Rung("+ cuDNN benchmark", _LAST)
    yield _Rung("+ FlashAttention 2", _LAST.replace("sdpa", "flash_attention_2"), aside=True)
    for mode in COMPILE_MODES:
        yield _Rung(f"+ compile {mode}", f"{_LAST}+compile={mode}", mode=mode, aside=True)
    yield _Rung("batching", _LAST, batched=True)
    yield _Rung("engine without graphs", "qwen+bf16+tf32+nographs", batched=True)
    yield _Rung("engine, CUDA graphs", "qwen+bf16+tf32", batched=True)
    for kind in WEIGHTS:
        name = f"engine, {kind.upper()} weights"
        yield _Rung(name, f"qwen+bf16+tf32+{kind}", batched=True, aside=True)


@dataclass(slots=True)
class _Heard:
    """What the first row of each rung sounded like."""

    by_rung: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    def agreement(self, rung: str, against: str) -> Mapping[str, float]:
        """The share of leading frames in which two rungs sound the same."""
        if against not in self.by_rung:
            return {}
        now, before = self.by_rung[rung], self.by_rung[against]
        return {"alike": _leading(now, before)}


def _leading(now: NDArray[np.float32], before: NDArray[np.float32]) -> float:
    count = min(len(now), len(before))
    frame = max(1, round(24_000 / FRAMES_PER_S))
    frames = max(1, count // frame)
    for at in range(frames):
        span = slice(at * frame, (at + 1) * frame)
        loud = float(np.sqrt(np.mean(before[span] ** 2)))
        if float(np.sqrt(np.mean((now[span] - before[span]) ** 2))) > _ALIKE * loud:
            return at / frames
    return 1.0


@contextmanager
def stages(asked: Optimizations) -> Iterator[tuple[Sequence[Stage], Mapping[str, Any]]]:
    """A stage a rung, from the slowest up."""
    batch = asked.batch or (_QUICK_BATCH if asked.quick else _BATCH)
    length = _QUICK_LENGTH if asked.quick else _LENGTH
    frames = asked.frames or (_QUICK_FRAMES if asked.quick else None)
    modes = _modes(asked)
    with the_model(asked.model, asked.random_weights) as measured:
        about = {
            "model": measured.said,
            "work": f"{length} characters, one row or {batch}, {frames_for(length, frames)} frames "
            "of each",
            "alike": "the share of leading frames in which the first row sounds the same as in the "
            "rung that it is set against",
        }
        yield list(_stages(modes, measured, batch, length, frames)), about


def _modes(asked: Optimizations) -> Sequence[str]:
    if asked.modes is None:
        return () if asked.quick else COMPILE_MODES
    if asked.modes == _NO_MODES:
        return ()
    modes = [mode.strip() for mode in asked.modes.split(",")]
    if unknown := [mode for mode in modes if mode not in COMPILE_MODES]:
        raise UsageError(
            f"torch.compile has no mode {unknown[0]!r}",
            where="--modes",
            remedy=f"choose from {', '.join(COMPILE_MODES)}, or say {_NO_MODES}",
        )
    return modes


def _stages(
    modes: Sequence[str], measured: Measured, batch: int, length: int, frames: int | None
) -> Iterator[Stage]:
    heard, against = _Heard(), ""
    for rung in _rungs():
        (one,) = contestants(rung.words)
        count = batch if rung.batched else 1
        said = rows(sample(length), count, frames)
        axes: dict[str, Axis] = {
            "rung": rung.name,
            "what": rung.words,
            "batch": count,
            "against": against,
        }
        if rung.mode is not None and rung.mode not in modes:
            yield Stage((Case("ladder", axes, why_not="left out; --modes asks for it"),))
            continue
        run = partial(_run, measured, said, heard, rung.name, against)
        case = Case("ladder", axes, run, partial(warm_up, measured, said))
        opened = partial(open_contestant, one, measured, count, positions_of(said))
        yield Stage((case,), opened)
        if not rung.aside:
            against = rung.name


def _run(
    measured: Measured,
    said: Sequence[Utterance],
    heard: _Heard,
    rung: str,
    against: str,
    backend: Backend,
) -> Work:
    work, spoken = speak_all(measured, said, len(said), backend)
    (first,) = (one for one in spoken if one.utterance.seed == said[0].seed)
    samples = first.samples
    whole = samples.dtype.kind == "i"
    heard.by_rung[rung] = samples.astype(np.float32) / (32768.0 if whole else 1.0)
    return replace(work, numbers=heard.agreement(rung, against))
