"""Keys and values: one contiguous slot a row, planned once, never grown."""

from __future__ import annotations

import torch

from narrate.engine.config import ModelConfig, StackConfig
from narrate.engine.kernels import Cache
from narrate.errors import BackendError

__all__ = ["bytes_per_slot", "make_caches", "no_room", "slots_that_fit"]

# Batch sizes that the engine chooses from: multiples of what the card's matrix units like.
SIZES = (1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256, 320, 384, 448, 512, 640, 768, 1024)
MANY_ROWS = 128
"""From so many rows on a card is busy with them, and host and decoder are asked for more."""


def make_caches(
    stack: StackConfig, slots: int, positions: int, device: torch.device, dtype: torch.dtype
) -> tuple[Cache, ...]:
    """One cache a layer, [slots, kv_heads, positions, head_dim] each for keys and for values.

    They start as zeros: a slot's unused positions are read by nobody, but must not hold NaN.
    """
    shape = (stack.layers, 2, slots, stack.kv_heads, positions, stack.head_dim)
    held = torch.zeros(shape, device=device, dtype=dtype)
    return tuple(Cache(keys=layer[0], values=layer[1]) for layer in held)


def bytes_per_slot(config: ModelConfig, positions: int, dtype: torch.dtype) -> int:
    """Memory that one row needs for as long as it is there, work space included."""
    size = dtype.itemsize
    talker, predictor = config.talker, config.predictor
    cached = talker.kv_numbers_per_position * positions
    cached += predictor.kv_numbers_per_position * (config.groups + 1)
    # The widest moment of a layer, logits in fp32 with their sampling, and the books of codes.
    work = 4 * (talker.intermediate + talker.qkv_width) * size + 16 * talker.vocab * 4
    return cached * size + work + positions * (config.groups + 1) * 4 + talker.vocab


def slots_that_fit(free_bytes: int, slot_bytes: int, most: int) -> int:
    """The largest of `SIZES` up to `most` that fits into nine tenths of the free memory, or 0."""
    room = int(free_bytes * 0.9) // slot_bytes - 1  # one slot more, for rows that do not exist
    return max((size for size in SIZES if size <= min(room, most)), default=0)


def no_room(what: str, error: torch.OutOfMemoryError, instead: str = "") -> BackendError:
    """Say that a card has no room for something; `instead` follows the advice that always helps."""
    return BackendError(
        f"the card has no room for {what}",
        where=str(error).partition("\n")[0],
        remedy=f"stop other programs on the card{instead}",
    )
