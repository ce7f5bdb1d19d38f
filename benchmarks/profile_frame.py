"""Where a frame's time goes, kernel by kernel, by torch's profiler."""

from __future__ import annotations

import argparse

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.frames import busy_state
from benchmarks.random_model import random_model
from narrate.engine.graphs import Replay
from narrate.engine.kernels import Kernels
from narrate.engine.model.frame import Computer
from narrate.engine.sampler import SamplingOptions, rules_of


def main() -> None:
    """Print the kernels of five frames, the slowest first."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", default="1.7b")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--kernels", default="library")
    args = parser.parse_args()
    torch.set_grad_enabled(False)
    device = torch.device("cuda")
    model = random_model(args.size, 384, device, torch.bfloat16)
    first, others = rules_of(model.config, SamplingOptions())
    state = busy_state(model, args.batch, 384, 170)
    computer = Computer(model, Kernels.choose(device, args.kernels), first, others)
    replay = Replay(lambda: computer.frame(state), True)
    state.lengths.fill_(170)
    with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as profiler:
        for _ in range(5):
            replay()
        torch.cuda.synchronize()
    found = sorted(profiler.key_averages(), key=lambda e: -e.self_device_time_total)
    print(f"# {args.kernels} batch {args.batch}: ms a frame, launches a frame, us each, kernel")
    for event in found[:22]:
        each = event.self_device_time_total / max(event.count, 1)
        ms = event.self_device_time_total / 5e3
        print(f"{ms:8.3f} {event.count / 5:7.1f} {each:8.2f}  {event.key[:100]}")


if __name__ == "__main__":
    main()
