"""What the backends share that speak with a checkpoint of their own, whoever does the decoding."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar

from narrate.core import canonical_digest
from narrate.engine.languages import language_codes
from narrate.errors import UsageError
from narrate.speech.backend import SpeechOptions

__all__ = ["ModelBackend"]


class ModelBackend:
    """A checkpoint's identity, rate and languages; `UsageError` for options no model can follow.

    A subclass raises `version` when a change of ours changes its samples: takes spoken before it
    are then spoken again.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    varies = True
    longest_first = True

    def __init__(self, options: SpeechOptions) -> None:
        if options.checkpoint is None:
            raise UsageError(
                f"the {self.name} backend needs a model", remedy="name one with --model"
            )
        if options.speed != 1.0:
            raise UsageError(
                "the model has no control of its speed",
                where="--speed",
                remedy="leave out --speed; its pace is the recording's",
            )
        self._options, self._checkpoint = options, options.checkpoint

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over our version and the checkpoint."""
        return canonical_digest(
            {"backend": self.name, "version": self.version, "model": self._checkpoint.digest}
        )

    @property
    def rate_hz(self) -> int:
        """The rate of the checkpoint's codec."""
        return self._checkpoint.rate_hz

    def languages(self) -> tuple[str, ...]:
        """The language tags of the checkpoint's languages, sorted."""
        return language_codes(self._checkpoint.languages)
