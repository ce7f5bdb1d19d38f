"""How far a run is, counted as takes come in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from narrate.core import Take
from narrate.store import Line

__all__ = ["Report", "Speaking", "Tally"]


@dataclass(frozen=True, slots=True)
class Speaking:
    """How far a run is: chunks in all, done, and of those found in the store; seconds of audio.

    `retried` counts the takes that were bad and are spoken again, `notes` what the user should
    know of this run.
    """

    book: str
    chunks: int
    done: int
    cached: int
    retried: int
    audio_s: float
    wall_s: float
    eta_s: float | None
    notes: tuple[str, ...] = ()

    @property
    def speed(self) -> float:
        """Seconds of audio spoken in one second of this run."""
        return self.audio_s / self.wall_s if self.wall_s else 0.0


Report = Callable[[Speaking], None]


class Tally:
    """Counts what is done and reports it."""

    def __init__(
        self,
        book_id: str,
        lines: Sequence[Line],
        missing: Mapping[str, int],
        notes: tuple[str, ...],
        report: Report,
    ) -> None:
        self.book_id, self.notes, self.report = book_id, notes, report
        self.chunks = len(lines)
        self.cached = self.done = sum(line.take_key not in missing for line in lines)
        self.characters = self.characters_left = sum(missing.values())
        self.retried = 0
        self.audio_s = 0.0
        self.started = time.monotonic()
        self._say()

    def counted(
        self, takes: Iterable[Take], owners: Mapping[str, Sequence[Line]]
    ) -> Iterator[Take]:
        """Pass takes on, each counted as it comes."""
        for take in takes:
            self.add(take, owners[take.take_key])
            yield take

    def add(self, take: Take, lines: Sequence[Line]) -> None:
        """Count a take that is stored, and the chunks it serves."""
        self.done += len(lines)
        self.characters_left -= lines[0].characters
        self.audio_s += take.duration_s
        self._say()

    def again(self, take: Take, lines: Sequence[Line]) -> None:
        """Take back a take that was counted and is spoken again."""
        self.retried += 1
        self.done -= len(lines)
        self.characters_left += lines[0].characters
        self.audio_s -= take.duration_s
        self._say()

    def _say(self) -> None:
        wall_s = time.monotonic() - self.started
        spoken = self.characters - self.characters_left
        self.report(
            Speaking(
                self.book_id,
                self.chunks,
                self.done,
                self.cached,
                self.retried,
                self.audio_s,
                wall_s,
                self.characters_left * wall_s / spoken if spoken else None,
                self.notes,
            )
        )
