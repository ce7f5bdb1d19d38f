"""What the measurements of single kernels share: random tensors, errors, times, one JSON file."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

__all__ = ["CARD", "Record", "distance", "microseconds", "normal", "weights_from_memory", "write"]

CARD = torch.device("cuda")
Record = dict[str, Any]
_REPLAYS = 20
_MORE_THAN_THE_CACHE = 120e6  # bytes


def normal(*shape: int, scale: float = 1.0, dtype: torch.dtype = torch.bfloat16) -> torch.Tensor:
    """Random numbers on the card."""
    return torch.randn(*shape, device=CARD, dtype=dtype) * scale


def weights_from_memory(columns: int, depth: int) -> list[torch.Tensor]:
    """Random bf16 weights [columns, depth], so many that the card's cache cannot hold them all."""
    copies = math.ceil(_MORE_THAN_THE_CACHE / (2 * columns * depth))
    return [normal(columns, depth, scale=depth**-0.5) for _ in range(copies)]


def distance(got: torch.Tensor, wanted: torch.Tensor) -> float:
    """The error relative to what was wanted, both as vectors."""
    wanted = wanted.double()
    return float((got.double() - wanted).norm() / wanted.norm())


def microseconds(compute: Callable[[], object], calls: int = 1, replays: int = _REPLAYS) -> float:
    """Microseconds of one of the `calls` that `compute` makes, replayed as a CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        compute()
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        compute()
    for _ in range(3):
        graph.replay()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(replays):
        graph.replay()
    end.record()
    torch.cuda.synchronize()
    spent = 1e3 * float(start.elapsed_time(end)) / replays / calls
    graph.reset()
    return spent


def write(path: Path, records: list[Record]) -> None:
    """All figures with what they were measured on."""
    head = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    about = {
        "card": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "triton": __import__("triton").__version__,
        "command": " ".join(["python", *sys.argv]),
        "commit": head.stdout.strip() or "unknown",
        "records": records,
    }
    path.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
