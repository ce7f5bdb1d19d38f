"""Codes that go round in circles: a model that has lost its way says the same frames for ever.

The first of a frame's codes carries what is said, the others how it sounds, so only the first is
looked at. A pause in good speech repeats it for a second at most.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["goes_round"]

_SHORTEST_FRAMES = 30  # 2.4 s
_LONGEST_PERIOD = 12  # about a second: a word or two
_ROUNDS = 3


def goes_round(codes: NDArray[np.integer]) -> bool:
    """Whether codes [frames, groups] repeat a stretch of up to 12 frames, for 2.4 s or more."""
    first = codes[:, 0]
    return any(
        _longest_run(first[period:] == first[:-period]) + period
        >= max(_SHORTEST_FRAMES, _ROUNDS * period)
        for period in range(1, min(_LONGEST_PERIOD, len(first) - 1) + 1)
    )


def _longest_run(equal: NDArray[np.bool_]) -> int:
    """The length of the longest stretch of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], equal, [False]]).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max(initial=0))
