"""Who speaks when: slots, admission longest first, retirement and retry. No torch in here.

A slot is asked for with `can_admit` and taken with `admit`; `retire` reads what the card reported
some frames ago, so a report older than a slot's occupant says nothing about him.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from narrate.core import Utterance
from narrate.engine.prompt import Prompt

__all__ = ["Ended", "Job", "Progress", "Scheduler", "Status", "frame_cap"]

_SEED_STEP = 0x9E3779B97F4A7C15  # odd and large: another attempt is another utterance
_SEED_BITS = 63
_CAP_START_FRAMES = 25  # two seconds to begin and to end in
_CAP_FRAMES_PER_TEXT_ID = 10  # 0.8 s for an id, some four times the pace of a calm reader


class Status(IntEnum):
    """What the card says of a slot."""

    IDLE = 0
    RUNNING = 1
    ENDED = 2  # the model said that it is done
    CAPPED = 3  # it did not before its last frame: a runaway
    FAULTY = 4  # a logit was not a number


@dataclass(frozen=True, slots=True)
class Job:
    """One utterance on its way; `number` counts in the order of arrival."""

    number: int
    utterance: Utterance
    prompt: Prompt
    cap: int
    attempt: int = 0

    @property
    def seed(self) -> int:
        """The seed of this attempt; the first has the utterance's own."""
        return (self.utterance.seed + self.attempt * _SEED_STEP) % (1 << _SEED_BITS)


@dataclass(frozen=True, slots=True)
class Ended:
    """A job that left its slot after `frames` frames; with `again` it waits for another attempt."""

    job: Job
    slot: int
    frames: int
    status: Status
    again: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """What the card reported after frame number `tick`, a value a slot."""

    tick: int
    status: Sequence[int]
    frames: Sequence[int]


def frame_cap(text_ids: int) -> int:
    """The frames that a text of so many ids may take before it counts as a runaway."""
    return _CAP_START_FRAMES + _CAP_FRAMES_PER_TEXT_ID * text_ids


class Scheduler:
    """Keeps `slots` rows busy; newcomers come `group` at a time, since they start together.

    The longest of those that wait come first, or with `in_order` the first.
    """

    def __init__(
        self, slots: int, group: int = 1, retries: int = 2, *, in_order: bool = False
    ) -> None:
        self.slots, self.group, self.retries = slots, group, retries
        self.in_order = in_order
        self._waiting: list[tuple[int, int, Job]] = []
        self._free = list(range(slots))  # a heap: the lowest slot first
        self._running: dict[int, tuple[Job, int]] = {}

    @property
    def waiting(self) -> int:
        """Jobs without a slot."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """Jobs with one."""
        return len(self._running)

    @property
    def idle(self) -> bool:
        """Nothing runs and nothing waits."""
        return not self._running and not self._waiting

    def add(self, job: Job) -> None:
        """Let a job wait, behind those with longer texts: how long it speaks, nobody knows."""
        length = 0 if self.in_order else job.prompt.spoken_ids
        heapq.heappush(self._waiting, (-length, job.number, job))

    def can_admit(self) -> bool:
        """Tell whether it is worth starting newcomers now."""
        wanted = min(len(self._waiting), self.group)
        return wanted > 0 and (len(self._free) >= wanted or not self._running)

    def admit(self, tick: int) -> list[tuple[int, Job]]:
        """Give free slots to those that wait, a group at most, from frame `tick` on."""
        newcomers: list[tuple[int, Job]] = []
        while self._waiting and self._free and len(newcomers) < self.group:
            job = heapq.heappop(self._waiting)[2]
            slot = heapq.heappop(self._free)
            self._running[slot] = (job, tick)
            newcomers.append((slot, job))
        return newcomers

    def retire(self, progress: Progress) -> list[Ended]:
        """Free the slots whose jobs have ended; what is to be tried again waits already."""
        ended = []
        for slot, (job, since) in list(self._running.items()):
            status = Status(progress.status[slot])
            if progress.tick < since or status == Status.RUNNING:
                continue
            del self._running[slot]
            heapq.heappush(self._free, slot)
            again = status == Status.FAULTY and job.attempt < self.retries
            if again:
                self.add(replace(job, attempt=job.attempt + 1))
            ended.append(Ended(job, slot, progress.frames[slot], status, again))
        return ended

    def evict(self) -> list[Job]:
        """Take everybody's slot and place in the line, as when the card lost its memory."""
        jobs = [job for job, _ in self._running.values()] + [job for _, _, job in self._waiting]
        self._waiting, self._free, self._running = [], list(range(self.slots)), {}
        return sorted(jobs, key=lambda job: job.number)
