"""CUDA graphs: a fixed computation recorded once and replayed with one launch.

`Replay` owns recording and destruction; where graphs are off it just calls the function, so both
ways run the same code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from narrate.engine.hurry import rehearse

__all__ = ["Replay"]

_WARM_RUNS = 2


class Replay:
    """A function of static buffers. All graphs of a runner share one memory pool."""

    def __init__(self, compute: Callable[[], None], recorded: bool, pool: Any = None) -> None:
        """Record after two runs in which libraries allocate their space, and a rehearsal of them.

        NOTE: those runs compute for real, and the rehearsal leaves garbage where they write;
        whoever records restores the buffers afterwards.
        """
        self._compute = compute
        self._graph: torch.cuda.CUDAGraph | None = None
        if recorded:
            current = torch.cuda.current_stream()
            side = torch.cuda.Stream() if current == torch.cuda.default_stream() else current
            side.wait_stream(current)
            with torch.cuda.stream(side):
                rehearse(compute)
                for _ in range(_WARM_RUNS):
                    compute()
            current.wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            # What is recorded keeps the priority of the stream that it is recorded in.
            with torch.cuda.graph(graph, pool=pool, stream=side):
                compute()
            self._graph = graph

    def __call__(self) -> None:
        """Run it once, in the current stream."""
        if self._graph is None:
            self._compute()
        else:
            self._graph.replay()

    def close(self) -> None:
        """Give the recording back."""
        if self._graph is not None:
            self._graph.reset()
            self._graph = None
