"""One process's part in a book: it claims, speaks, and decides on what came out."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence

from narrate.core import Take, Utterance, seed_of
from narrate.errors import BackendError
from narrate.store import Claimed, Store
from narrate.studio.attempts import Attempts
from narrate.studio.board import Board
from narrate.studio.clerk import Clerk
from narrate.studio.crew import Crew
from narrate.studio.judge import Judge
from narrate.studio.progress import Tally
from narrate.studio.recorder import Recorder
from narrate.studio.verify import Verifier

__all__ = ["POLL_S", "Speaker"]

POLL_S = 0.5
PAUSE = 3  # times as long as a look at a large book takes: some processor for who stitches

_log = logging.getLogger("narrate.studio")


class Speaker:
    """The parts of that, put together for one book; `said` is what the last turn has stored."""

    def __init__(
        self,
        store: Store,
        clerk: Clerk,
        attempts: Attempts,
        judge: Judge,
        board: Board,
        tally: Tally,
        verifier: Verifier | None,
        looks: bool = True,
    ) -> None:
        self.store, self.clerk, self.lease = store, clerk, clerk.lease
        self.attempts, self.judge = attempts, judge
        self.board, self.tally, self.verifier = board, tally, verifier
        self.looks = looks  # while it speaks; else only where there is nothing to say
        self.claimed: dict[str, Claimed] = {}
        self.said = 0

    @property
    def is_stopped(self) -> bool:
        """Whether this process is to end, or has lost its place to another."""
        return self.lease.stop.is_set()

    def lead(self, others: Crew, chapters: Sequence[int]) -> Iterator[int]:
        """Yield each chapter as it is complete; a crew speaks while any of it is left.

        BusyError when another run has taken the lead over.
        """
        self.try_abandoned()
        yield from self.board.finished() if self.judge.decided else ()
        while self.board.waiting:
            if others.is_at_work:
                self.clerk.stand_back()
            else:
                yield from self.turn()
            if self.is_stopped:
                raise self.lease.taken_over()
            began = time.monotonic()
            self.tally.note((*others.faults(), *others.warnings()))
            self.look_around(chapters)
            self.try_abandoned()
            pause_s = max(POLL_S, PAUSE * (time.monotonic() - began))
            if self.judge.decided or not self.board.open:
                yield from self.board.finished()
            if self.board.waiting and not self.said:
                self.lease.stop.wait(pause_s)

    def turn(self) -> Iterator[int]:
        """Speak until nothing is both missing and free; yields chapters as they are complete."""
        self.said = 0
        self.clerk.release()  # a turn that failed may have left some
        self.clerk.begin(self.board.first_half())
        self.claimed = {}
        some = self._claim()
        if not some:
            return
        backend, voice = self.attempts.backend, self.attempts.voice
        began, claims_s = time.monotonic(), self.clerk.waited_s
        was_decided = self.judge.decided
        with Recorder(self.store, self.verifier, varies=backend.varies) as recorder:
            stored = recorder.record(backend.speak(self._utterances(some), voice))
            for take in self.judge.heard(self._counted(stored)):
                self._decide(take)
                if self.is_stopped:
                    return
                late = self.clerk.company > 1 and time.monotonic() > self.board.due
                if self.looks and (late or self.judge.decided is not was_decided):
                    was_decided = self.judge.decided  # what was stored before may be a bad one
                    self.look()
                yield from self.board.finished() if self.judge.decided else ()
        _log.info(
            "%d takes in %.1f s, of which %.2f waiting for encoders and %.2f for claims",
            self.said,
            time.monotonic() - began,
            recorder.waited_s,
            self.clerk.waited_s - claims_s,
        )
        if self.claimed:
            raise BackendError(
                f"the {backend.name} backend left {len(self.claimed)} chunks unspoken",
                where=self.lease.book_id,
                remedy="run the same command again; what was spoken is kept",
            )

    def look(self) -> None:
        """See what others have done, and say how far the book is."""
        self.clerk.settle()
        self.tally.others(self.board.look(), self.clerk.company)

    def look_around(self, chapters: Sequence[int]) -> None:
        """Look, and judge once others have spoken what it takes to compare.

        What that finds bad is open again.
        """
        self.look()
        if self.judge.can_decide or not (self.judge.decided or self.board.open):
            self.judge.begin(self.store.outline(self.lease.book_id, chapters))
            self.look()

    def try_abandoned(self) -> None:
        """Give bad takes another attempt that nobody else will give one."""
        words = self.store.spoken_at(
            self.lease.book_id, [line.position for line in self.board.abandoned]
        )
        for line in self.board.abandoned:
            self._again(Claimed(line.position, line.take_key, line.attempt, words[line.position]))
        self.board.abandoned = []

    def _claim(self, after: Claimed | None = None) -> list[Claimed]:
        some = self.clerk.claim(sorted(self.board.waiting), after)
        self.claimed.update((one.take_key, one) for one in some)
        return some

    def _utterances(self, some: list[Claimed]) -> Iterator[Utterance]:
        """Claim as they are asked for; no more than a fair share where all start at once."""
        language = self.attempts.book.language
        fair = -(-len(self.board.open) // self.clerk.sharing)
        while some and not self.is_stopped:
            self.clerk.begun()
            if self.said:
                self.clerk.ask(sorted(self.board.waiting), some[-1])
            for one in some:
                seed = seed_of(one.take_key)
                yield Utterance(one.take_key, one.spoken, language, seed, attempt=one.attempt)
            if self.clerk.sharing > 1 and not self.said and len(self.claimed) >= fair:
                return
            some = self._claim(some[-1]) or self._claim()  # what is tried again is not behind

    def _counted(self, stored: Iterable[Take]) -> Iterator[Take]:
        for take in stored:
            self.said += 1
            self.tally.add(take, self.board.open.get(take.take_key, ()))
            yield take

    def _decide(self, take: Take) -> None:
        """Keep a take, or give its chunks another attempt; either ends the claim on it."""
        claimed = self.claimed.pop(take.take_key)
        if take.fault and claimed.attempt < self.attempts.most - 1:
            self.tally.again(take, self.board.open.get(take.take_key, ()))
            self._again(claimed)
            return
        if take.fault and claimed.attempt:
            self.attempts.settle(claimed)
        else:  # good, or the only attempt there is
            self.clerk.decided(take.take_key)
        self.board.close(take.take_key)

    def _again(self, claimed: Claimed) -> None:
        key = self.attempts.again(claimed)
        self.board.rename(claimed.take_key, key, claimed.attempt + 1)
