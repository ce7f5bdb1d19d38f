"""Takes against their texts: a recogniser listens, and what it hears is compared with the words."""

from __future__ import annotations

import threading

import numpy as np

from narrate.core import Spoken
from narrate.speech.asr import Recogniser, open_recogniser
from narrate.text import word_error

__all__ = ["OTHER_WORDS", "Verifier", "open_verifier"]

OTHER_WORDS = "other words"
MOST_WORD_ERROR, LEAST_ERRORS = 0.34, 2
"""A recogniser mishears, too: one word of three, and two at least, before it counts."""


class Verifier:
    """Listens to one take at a time, whoever asks."""

    def __init__(self, recogniser: Recogniser) -> None:
        self._recogniser, self._lock = recogniser, threading.Lock()

    def __call__(self, spoken: Spoken) -> tuple[float, bool]:
        """The word error rate of a take, and whether it says something else than its text."""
        samples = spoken.samples.astype(np.float32)
        if spoken.samples.dtype == np.int16:
            samples /= 32_768.0
        utterance = spoken.utterance
        with self._lock:
            heard = self._recogniser(samples, spoken.rate_hz, utterance.language)
        found = word_error(utterance.spoken, heard, utterance.language)
        wrong = found.errors >= LEAST_ERRORS and found.rate > MOST_WORD_ERROR
        return round(found.rate, 4), wrong


def open_verifier(name: str | None) -> Verifier | None:
    """The verifier that `--verify-asr` names, if it names one."""
    return None if name is None else Verifier(open_recogniser(name))
