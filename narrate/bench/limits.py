"""The least time that a frame can take: weights and caches read once, or the arithmetic, by card.

A frame is one step of the talker and one step of the predictor for each further code group. Rates
are the makers' data sheets', so no program reaches the limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from narrate.engine.config import ModelConfig, StackConfig, read_config

__all__ = ["Card", "card_of", "frame_limit_ms"]

_BF16 = 2


@dataclass(frozen=True, slots=True)
class Card:
    """Bytes a second from memory, and dense bf16 operations a second."""

    bytes_per_s: float
    operations_per_s: float


# The longest name that a card's own name holds is taken.
_CARDS: dict[str, Card] = {
    "T4": Card(0.32e12, 65e12),
    "L4": Card(0.30e12, 121e12),
    "A10": Card(0.60e12, 125e12),
    "A100": Card(1.94e12, 312e12),
    "L40S": Card(0.86e12, 362e12),
    "RTX 3090": Card(0.94e12, 71e12),
    "RTX 4090": Card(1.01e12, 165e12),
    "H100": Card(3.35e12, 989e12),
    "H200": Card(4.80e12, 989e12),
    "B200": Card(8.00e12, 2250e12),
}


def card_of(name: str | None) -> Card | None:
    """The data sheet of a card by its driver's name; None for one that is not in the table."""
    found = [known for known in _CARDS if name is not None and known in name]
    return _CARDS[max(found, key=len)] if found else None


def frame_limit_ms(folder: Path, card: Card, rows: int, positions: int) -> float:
    """Milliseconds of a frame in bf16 of `rows` rows that have `positions` positions each."""
    config = read_config(folder)
    weights = _frame_weights(config)
    cached = config.talker.kv_numbers_per_position * positions * rows
    memory_s = (weights + cached) * _BF16 / card.bytes_per_s
    arithmetic_s = 2 * weights * rows / card.operations_per_s
    return 1e3 * max(memory_s, arithmetic_s)


def _frame_weights(config: ModelConfig) -> int:
    """Weights that a frame multiplies by: the talker's once, the predictor's for each group."""
    talker = _stack(config.talker) + config.talker.hidden * config.talker.vocab
    predictor = _stack(config.predictor) + config.predictor.hidden * config.predictor.vocab
    return talker + (config.groups - 1) * predictor


def _stack(stack: StackConfig) -> int:
    attention = stack.hidden * stack.head_dim * 2 * (stack.heads + stack.kv_heads)
    return stack.layers * (attention + 3 * stack.hidden * stack.intermediate)
