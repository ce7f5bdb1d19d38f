"""Kernels that begin before the one in front of them has ended (programmatic dependent launch).

With few rows a kernel of a frame takes less time than its launch. From Hopper on its programs may
be placed while the kernel before still runs: the first thing they do is to wait for its results.
"""

from __future__ import annotations

from functools import cache

import torch
import triton
import triton.language as tl
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

__all__ = ["FEW_ROWS", "can_start_early", "start_early"]

FEW_ROWS = 4  # with more of them products are the library's, and nothing is won: docs/log.md


@triton.jit
def start_early(EARLY: tl.constexpr):
    """Let the kernel behind this one be placed, and wait for the one before: the first line."""
    if EARLY:
        gdc_launch_dependents()
        gdc_wait()


def can_start_early(rows: int, x: torch.Tensor) -> bool:
    """Whether a kernel of so many rows is launched so where x is: `launch_pdl` and `EARLY`."""
    return rows <= FEW_ROWS and x.is_cuda and _capable(x.device.index)


@cache
def _capable(card: int) -> bool:
    return torch.cuda.get_device_capability(card) >= (9, 0)
