"""`narrate bench attention`: the operators by length, packed, and in one step of this model."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from narrate.bench.asked import Attention
from narrate.bench.attention_kernels import PACKED, STEP, WHOLE, exact, exact_step
from narrate.bench.attention_step import OURS, OurStep
from narrate.bench.measure import Case, Stage
from narrate.bench.results import Work

__all__ = ["stages"]

_HEADS, _DIM = 24, 128
_Q_HEADS, _KV_HEADS = 16, 8
_DTYPE = torch.bfloat16
_CHECKED = 256  # queries that are compared with float64
_LONG_ENOUGH_S, _MOST_CALLS = 0.05, 50
_PACKED_CASES = (
    *((256,), (319,), (320,), (321,), (384,), (320, 320), (299, 1115), (1088, 2368), (1088, 4160)),
    *((4160,), (4160,) * 2, (4160,) * 4, (4160,) * 8),
)


@dataclass(frozen=True, slots=True)
class _Sizes:
    lengths: tuple[int, ...]
    packed: tuple[tuple[int, ...], ...]
    contexts: tuple[int, ...]
    batches: tuple[int, ...]


_ON_CARD = _Sizes(
    (512, 1024, 2048, 4096, 8192, 16384),
    _PACKED_CASES,
    (64, 256, 1024, 4096),
    (1, 8, 32, 128, 512),
)
_ON_CPU = _Sizes((512, 1024, 2048), _PACKED_CASES[:8], (64, 256, 1024), (1, 8, 32))
_QUICK_CARD = _Sizes((512, 4096), _PACKED_CASES[:7], (256, 1024), (1, 32))
_QUICK_CPU = _Sizes((128, 256), ((64,), (96, 160)), (64, 256), (1, 4))


@contextmanager
def stages(asked: Attention) -> Iterator[tuple[Sequence[Stage], Mapping[str, Any]]]:
    """The stages, one a shape; drift is against float64, batch against serial, and sdpa."""
    cuda = torch.cuda.is_available()
    small, large = (_QUICK_CARD, _ON_CARD) if cuda else (_QUICK_CPU, _ON_CPU)
    sizes = small if asked.quick else large
    device = torch.device("cuda" if cuda else "cpu")
    about = {
        "whole sequences": f"causal, {_HEADS} heads of {_DIM}, bf16",
        "steps": f"1 query, {_Q_HEADS} heads over {_KV_HEADS} key heads of {_DIM}, bf16",
        "drift": "largest absolute difference",
    }
    with torch.inference_mode():
        yield list(_stages(sizes, device)), about


def _stages(sizes: _Sizes, device: torch.device) -> Iterator[Stage]:
    for length in sizes.lengths:
        cases = [
            Case("sequence", {"length": length, "kernel": name}, partial(_whole, attend))
            for name, attend in WHOLE.items()
        ]
        yield Stage(tuple(cases), partial(_whole_inputs, length, device))
    for lengths in sizes.packed:
        shape = {"lengths": _said(lengths)}
        cases = [
            Case("packed", {**shape, "kernel": name}, partial(_packed, lengths, *both))
            for name, both in PACKED.items()
        ]
        yield Stage(tuple(cases), partial(_packed_inputs, sum(lengths), device))
    for context in sizes.contexts:
        for batch in sizes.batches:
            axes = {"context": context, "batch": batch}
            cases = [
                Case("step", {**axes, "kernel": name}, partial(_step, attend))
                for name, attend in STEP.items()
            ]
            cases += [
                Case("step", {**axes, "kernel": name}, partial(_our_step, name, context))
                for name in OURS
            ]
            yield Stage(tuple(cases), partial(_step_inputs, batch, context, device))


def _said(lengths: tuple[int, ...]) -> str:
    if len(set(lengths)) == 1 and len(lengths) > 1:
        return f"{lengths[0]} ×{len(lengths)}"
    return "+".join(map(str, lengths))


_Inputs = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def _random(shape: tuple[int, ...], seed: int, device: torch.device) -> torch.Tensor:
    generator = torch.Generator(device).manual_seed(seed)
    return torch.randn(shape, generator=generator, device=device, dtype=_DTYPE)


@contextmanager
def _whole_inputs(length: int, device: torch.device) -> Iterator[_Inputs]:
    shape = (1, _HEADS, length, _DIM)
    q, k, v = (_random(shape, seed, device) for seed in range(3))
    yield q, k, v


@contextmanager
def _packed_inputs(length: int, device: torch.device) -> Iterator[_Inputs]:
    q, k, v = (_random((length, _HEADS, _DIM), seed, device) for seed in range(3))
    yield q, k, v


@contextmanager
def _step_inputs(batch: int, context: int, device: torch.device) -> Iterator[_Inputs]:
    q = _random((batch, _Q_HEADS, 1, _DIM), 0, device)
    k, v = (_random((batch, _KV_HEADS, context, _DIM), seed, device) for seed in (1, 2))
    yield q, k, v


def _whole(attend: Callable[..., torch.Tensor], held: _Inputs) -> Work:
    q, k, v = held
    out, work = _timed(lambda: attend(q, k, v), q.shape[-2], q.device)
    few = min(_CHECKED, q.shape[-2])
    numbers = {
        "to float64": _drift(out[..., -few:, :], exact(q, k, v, few)),
        "to sdpa": _drift(out, WHOLE["sdpa"](q, k, v)),
    }
    return _with(work, numbers)


def _packed(
    lengths: Sequence[int],
    attend: Callable[..., torch.Tensor],
    serial: Callable[..., torch.Tensor],
    held: _Inputs,
) -> Work:
    q, k, v = held
    out, work = _timed(lambda: attend(q, k, v, lengths), len(q), q.device)
    rows = zip(*(x.split(list(lengths)) for x in held), strict=True)
    alone = torch.cat([serial(a, b, c, (len(a),)) for a, b, c in rows])
    last = [x.split(list(lengths))[-1].transpose(0, 1)[None] for x in held]
    few = min(_CHECKED, lengths[-1])
    wanted = exact(last[0], last[1], last[2], few)[0].transpose(0, 1)
    sdpa = PACKED["sdpa one by one"][0](q, k, v, lengths)
    numbers = {
        "to float64": _drift(out[-few:], wanted),
        "batch to serial": _drift(out, alone),
        "to sdpa": _drift(out, sdpa),
    }
    return _with(work, numbers)


def _step(attend: Callable[..., torch.Tensor], held: _Inputs) -> Work:
    q, k, v = held
    out, work = _timed(lambda: attend(q, k, v), k.shape[0] * k.shape[2], q.device)
    alone = torch.cat([attend(*(x[row : row + 1] for x in held)) for row in range(min(len(q), 4))])
    numbers = {
        "to float64": _drift(out, exact_step(q, k, v)),
        "batch to serial": _drift(out[:4], alone),
        "to sdpa": _drift(out, STEP["sdpa"](q, k, v)),
    }
    return _with(work, numbers)


def _our_step(name: str, context: int, held: _Inputs) -> Work:
    """The engine's own step; it normalises, turns and stores the new token's heads as well."""
    q, _, _ = held
    ours = OurStep(name, len(q), context, q.device)
    out, work = _timed(ours.attend, len(q) * context, q.device)
    numbers = {"to float64": _drift(out, ours.exact()), "batch to serial": ours.serial_drift(out)}
    return _with(work, numbers)


def _drift(got: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((got.double() - wanted.double()).abs().max())


def _timed(
    compute: Callable[[], torch.Tensor], tokens: int, device: torch.device
) -> tuple[torch.Tensor, Work]:
    """The result, seconds of one call, and on a card the highest memory and the bytes a token.

    On a card all calls are one CUDA graph where they can be recorded, so that their launches do
    not count: the engine replays its frames in the same way.
    """
    cuda = device.type == "cuda"
    held = torch.cuda.memory_allocated() if cuda else 0
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    out = compute()
    _wait(cuda)
    peak = torch.cuda.max_memory_allocated() if cuda else None
    began = time.perf_counter()
    compute()
    _wait(cuda)
    once_s = time.perf_counter() - began
    calls = max(1, min(_MOST_CALLS, int(_LONG_ENOUGH_S / max(once_s, 1e-9))))
    replay = _recorded(compute, calls) if cuda else _repeated(compute, calls)
    rounds = 1
    if cuda:
        replay()  # the first replay carries the recording onto the card
        _wait(cuda)
        rounds = max(1, min(_MOST_CALLS, int(_LONG_ENOUGH_S / max(once_s * calls, 1e-9))))
    began = time.perf_counter()
    for _ in range(rounds):
        replay()
    _wait(cuda)
    timed_s = (time.perf_counter() - began) / (calls * rounds)
    # What it needs beyond its inputs, result included.
    numbers = {} if peak is None else {"bytes a token": (peak - held) / tokens}
    return out, Work(timed_s=timed_s, peak_bytes=peak, numbers=numbers)


def _repeated(compute: Callable[[], object], calls: int) -> Callable[[], None]:
    def replay() -> None:
        for _ in range(calls):
            compute()

    return replay


def _recorded(compute: Callable[[], object], calls: int) -> Callable[[], None]:
    from narrate.engine.graphs import Replay

    try:
        return Replay(_repeated(compute, calls), True)
    except RuntimeError:
        torch.cuda.synchronize()
        return _repeated(compute, calls)


def _wait(cuda: bool) -> None:
    if cuda:
        torch.cuda.synchronize()


def _with(work: Work, drift: Mapping[str, float]) -> Work:
    return replace(work, numbers={**work.numbers, **drift})
