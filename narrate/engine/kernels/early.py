"""Kernels that begin before the one in front of them has ended (programmatic dependent launch).

With few rows a kernel of a frame takes less time than its launch. From Hopper on its programs may
be placed while the kernel before still runs: they read what is nobody's result, and wait for it.

What a kernel before the last one wrote is there only if somebody between lets nobody start before
it has waited itself. The sampler does (`start_last`): whatever was written before it may be read
early.
"""

from __future__ import annotations

from functools import cache

import torch
import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

__all__ = ["FEW_ROWS", "can_start_early", "start_early", "start_last"]

FEW_ROWS = 32  # with more of them products are the library's, and nothing is won: docs/log.md


@triton.jit
def start_early(EARLY: tl.constexpr):
    """Let the kernel behind this one be placed, and wait for the one before: the first line."""
    if EARLY:
        gdc_launch_dependents()
        gdc_wait()


@triton.jit
def start_last(EARLY: tl.constexpr):
    """Wait for the kernel before, and only then let the one behind be placed: the first line."""
    if EARLY:
        gdc_wait()
        gdc_launch_dependents()


def can_start_early(rows: int, x: torch.Tensor) -> bool:
    """Whether a kernel of so many rows is launched so where x is: `launch_pdl` and `EARLY`."""
    return rows <= FEW_ROWS and x.is_cuda and _capable(x.device.index)


@cache
def _capable(card: int) -> bool:
    return torch.cuda.get_device_capability(card) >= (9, 0)
