"""How far a run is, counted as takes come in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from narrate.core import Take
from narrate.store import Line
from narrate.studio.board import Closed

__all__ = ["Report", "Speaking", "Tally"]


@dataclass(frozen=True, slots=True)
class Speaking:
    """How far a run is: chunks in all, done, and of those found in the store; seconds of audio.

    `retried` counts the takes that were bad and are spoken again, `notes` what the user should
    know of this run, `workers` the processes that speak the book. `eta_s` is the time left, None
    until there is a pace to tell it from.
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
    workers: int = 1

    @property
    def speed(self) -> float:
        """Seconds of audio spoken in one second of this run."""
        return self.audio_s / self.wall_s if self.wall_s else 0.0


Report = Callable[[Speaking], None]

_FIRST_S = 1.0  # what comes in with the first take may come at once
_LEAST_TAKES = 5


class _Pace:
    """Characters a second since the first takes were there: a start says nothing of the pace."""

    def __init__(self, characters: int) -> None:
        self.left = characters
        self._first_s = self._since_s = 0.0
        self._left_then = characters
        self._takes = 0

    def count(self, characters: int, sign: int, wall_s: float) -> None:
        """Take in, or take back, a take that came `wall_s` seconds after the start."""
        self.left -= sign * characters
        self._first_s = self._first_s or wall_s
        if wall_s - self._first_s <= _FIRST_S:
            self._since_s, self._left_then = wall_s, self.left
        else:
            self._takes += sign

    def left_s(self, wall_s: float) -> float | None:
        """How long the rest takes, None where too few takes have come to say so."""
        spoken = self._left_then - self.left
        if self._takes < _LEAST_TAKES or spoken <= 0:
            return None
        return self.left * (wall_s - self._since_s) / spoken


class Tally:
    """Counts what is done, by this process and by others, and reports it."""

    def __init__(
        self,
        book_id: str,
        lines: Sequence[Line],
        open_takes: Mapping[str, Sequence[Line]],
        notes: tuple[str, ...],
        report: Report,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.book_id, self.notes, self.report = book_id, notes, report
        self.chunks = len(lines)
        self.cached = self.done = self.chunks - sum(len(owned) for owned in open_takes.values())
        self.retried = 0
        self.audio_s = 0.0
        self.workers = 1
        self._clock, self._started = clock, clock()
        self._pace = _Pace(sum(owned[0].characters for owned in open_takes.values() if owned))
        self._say()

    def add(self, take: Take, lines: Sequence[Line]) -> None:
        """Count a take that is stored, and the chunks it serves."""
        self._count(lines, take.duration_s)

    def others(self, closed: Iterable[Closed], workers: int) -> None:
        """Count what others have done since the last time."""
        for one in closed:
            self._count(one.lines, one.duration_s)
        self.workers = workers
        self._say()

    def note(self, notes: tuple[str, ...]) -> None:
        """Tell of something new that the user should know."""
        self.notes += notes

    def again(self, take: Take, lines: Sequence[Line]) -> None:
        """Take back a take that was counted and is spoken again."""
        self.retried += 1
        self._count(lines, take.duration_s, -1)

    def _count(self, lines: Sequence[Line], duration_s: float, sign: int = 1) -> None:
        self.done += sign * len(lines)
        self.audio_s += sign * duration_s
        characters = sum(line.characters for line in lines[:1])
        self._pace.count(characters, sign, self._clock() - self._started)
        self._say()

    def _say(self) -> None:
        wall_s = self._clock() - self._started
        self.report(
            Speaking(
                self.book_id,
                self.chunks,
                self.done,
                self.cached,
                self.retried,
                self.audio_s,
                wall_s,
                self._pace.left_s(wall_s),
                self.notes,
                self.workers,
            )
        )
