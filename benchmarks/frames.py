"""Milliseconds a frame by batch and by part: the whole, the talker, the predictor, the samplers."""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch

from benchmarks.random_model import random_model
from narrate.engine.graphs import Replay
from narrate.engine.kernels import Kernels
from narrate.engine.model.frame import Computer, advance
from narrate.engine.model.layers import Model
from narrate.engine.model.predictor import feed_of, predict
from narrate.engine.model.talker import talker_step
from narrate.engine.sampler import SamplingOptions, rules_of
from narrate.engine.scheduler import Status
from narrate.engine.state import State

FRAME_MS = 80.0


def milliseconds(replay: Callable[[], None], repeats: int = 20) -> float:
    """Median time of a replay, by events."""
    for _ in range(3):
        replay()
    times = []
    for _ in range(repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        replay()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return float(statistics.median(times))


def busy_state(model: Model, slots: int, positions: int, length: int) -> State:
    """Every row in the middle of its text, at a position."""
    state = State(model.config, slots, positions, model.codes.device, model.codes.dtype)
    state.progress[0].fill_(int(Status.RUNNING))
    state.progress[1].fill_(10)
    state.lengths.fill_(length)
    state.caps.fill_(1 << 20)
    state.seeds.copy_(torch.arange(slots + 1))
    state.x.normal_()
    return state


def measure(
    model: Model, kernels: Kernels, slots: int, positions: int, length: int
) -> dict[str, object]:
    """One row of the table."""
    first, others = rules_of(model.config, SamplingOptions())
    computer = Computer(model, kernels, first, others)
    state = busy_state(model, slots, positions, length)
    rows, n = state.rows(), slots
    hidden = torch.randn(n, model.config.predictor.hidden, device="cuda", dtype=model.codes.dtype)
    logits = torch.randn(n, model.config.predictor.vocab, device="cuda") * 0.6

    def talker() -> None:
        talker_step(model, kernels, state.x[:n], state.talker, state.every_slot, state.lengths[:n])

    def predictor() -> None:
        x, total = state.predictor_x, state.total
        predict(model, kernels, hidden, x, state.predictor, others, rows, total)

    def samplers() -> None:
        for group in range(1, 16):
            feed = feed_of(model, group, state.predictor_x, state.total)
            kernels.sample(logits, group, others, rows, feed)

    parts: dict[str, Callable[[], None]] = {
        "talker": talker,
        "predictor": predictor,
        "samplers": samplers,
        "advance": partial(advance, model, -1, state),
        "frame": partial(computer.frame, state),
    }
    started = time.time()
    times: dict[str, object] = {"kernels": kernels.name, "batch": slots, "length": length}
    for name, compute in parts.items():
        state.lengths.fill_(length)
        state.progress[1].fill_(10)
        state.x.normal_()
        replay = Replay(compute, True)
        state.lengths.fill_(length)
        times[name] = round(milliseconds(replay), 3)
        replay.close()
    frame = times["frame"]
    assert isinstance(frame, float)
    times["x_realtime"] = round(slots * FRAME_MS / frame, 1)
    times["wall_s"] = round(time.time() - started, 1)
    return times


def main() -> None:
    """Print one JSON line a measurement."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", default="1.7b")
    parser.add_argument("--batches", default="1,32,128,256,512")
    parser.add_argument("--kernels", default="triton,library")
    parser.add_argument("--weights", choices=["int8", "fp8"])
    parser.add_argument("--length", type=int, default=170)
    parser.add_argument("--positions", type=int, default=384)
    args = parser.parse_args()
    torch.set_grad_enabled(False)
    started = time.time()
    device = torch.device("cuda")
    model = random_model(args.size, args.positions, device, torch.bfloat16, args.weights)
    torch.cuda.synchronize()
    print(
        json.dumps(
            {"size": args.size, "weights": args.weights, "build_s": round(time.time() - started, 1)}
        ),
        flush=True,
    )
    for name in args.kernels.split(","):
        for batch in map(int, args.batches.split(",")):
            try:
                kernels = Kernels.choose(device, name)
                row = measure(model, kernels, batch, args.positions, args.length)
            except (RuntimeError, AssertionError) as error:
                row = {"kernels": name, "batch": batch, "failed": repr(error)[:600]}
            print(json.dumps(row), flush=True)
            torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
