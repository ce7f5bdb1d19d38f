"""Speak what the store lacks, and store it while the next is being spoken.

Several processes may be at it: each claims some of the takes that are missing, and none speaks
what another has claimed. One of them leads the book and hands over its chapters.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing

from narrate.config import Job, Settings
from narrate.core import Take, Utterance, seed_of
from narrate.errors import BackendError, VoiceError
from narrate.store import Claimed, Line, Store
from narrate.studio.attempts import Attempts
from narrate.studio.board import Board
from narrate.studio.casting import cast, open_speech, prepare_voice
from narrate.studio.clerk import Clerk
from narrate.studio.crew import crew
from narrate.studio.identity import speech_digest
from narrate.studio.judge import Judge
from narrate.studio.memory import keep_memory_flat
from narrate.studio.plan import require_book
from narrate.studio.progress import Report, Speaking, Tally
from narrate.studio.recorder import Recorder
from narrate.studio.stitch import finished_chapters
from narrate.studio.verify import Verifier, open_verifier

__all__ = ["assist", "import_ahead", "speak"]

POLL_S = 0.5
PAUSE = 3  # times as long as a look at a large book takes: some processor for who stitches

_log = logging.getLogger("narrate.studio")


def import_ahead(store: Store, book_id: str) -> None:
    """Import what the missing takes of a book will be spoken with, where there is time for it.

    A model's libraries take seconds, which a run has while it waits for something else. Nothing is
    imported for a book that is spoken, or that others speak. Errors as for `open_speech` and a
    backend without its libraries.
    """
    job = Job(**(require_book(store, book_id).job or {}))
    if job.workers == 1 and any(one.done < one.chunks for one in store.progress(book_id)):
        backend, _ = open_speech(job)
        with closing(backend):
            backend.import_ahead()


def speak(store: Store, book_id: str, report: Report) -> Iterator[int]:
    """Speak the missing takes of a book; yields each chapter once all its takes are stored.

    Chapters that need nothing come first. A take with a fault is spoken again with the next
    attempt's seed; when none is good, the best is kept and stays marked. Calling it again asks
    the store what is left, so it can be stopped and retried at any chunk. What others have claimed
    is waited for, and spoken here if they die; a crew of several speaks all while one of them is
    left. Leads the book meanwhile: BusyError when another run does, or takes over.
    """
    book = require_book(store, book_id)
    job = Job(**(book.job or {}))
    chapters = job.selection.of(len(store.chapter_titles(book_id)))
    lines = store.outline(book_id, chapters)
    notes = _drop_damaged(store, book_id, lines)
    with store.leases.hold(book_id) as lease:
        board = Board(store, book_id, chapters, job.attempts)
        board.look()
        if not board.open:
            Tally(book_id, lines, board.open, notes, report)
            yield from chapters
            return
        with ExitStack() as stack:
            # First of all, so that the others' models are loaded while ours is.
            others = stack.enter_context(crew(Settings.from_environment(), book_id, job.workers))
            verifier = open_verifier(job.verify_asr)
            chosen = cast(job)
            backend, voice = chosen.backend, chosen.voice
            stack.enter_context(closing(backend))
            if speech_digest(backend, voice) != book.speech_digest:
                raise VoiceError(
                    "the voice or its model has changed since the book was planned",
                    where=voice.name,
                    remedy="run the same command again: it takes the voice as it is now",
                )
            notes += prepare_voice(chosen)
            attempts = Attempts(store, book, backend, voice, job.attempts if backend.varies else 1)
            judge = Judge(store, book)
            judge.begin(lines)
            board.most = attempts.most
            board.look()
            tally = Tally(book_id, lines, board.open, notes, report)
            clerk = Clerk(store, lease, job.workers, backend.longest_first)
            stack.enter_context(closing(clerk))
            speaker = _Speaker(store, clerk, attempts, judge, board, tally, verifier)
            speaker.try_abandoned()
            yield from board.finished() if judge.decided else ()
            while board.waiting:
                if others.is_at_work:
                    clerk.stand_back()
                else:
                    yield from speaker.turn()
                if speaker.is_stopped:
                    raise lease.taken_over()
                began = time.monotonic()
                tally.note(others.faults())
                speaker.look_around(chapters)
                speaker.try_abandoned()
                pause_s = max(POLL_S, PAUSE * (time.monotonic() - began))
                if judge.decided or not board.open:
                    yield from board.finished()
                if board.waiting and not speaker.said:
                    lease.stop.wait(pause_s)


def assist(store: Store, book_id: str, report: Report | None = None) -> None:
    """Speak beside the process that leads a book, until that has ended or `stop` is set.

    Says what is missing in the book as it stands in the store, and yields nothing to anyone: the
    leader finds the takes there. Returns, too, when the book is to be spoken otherwise. Without a
    report nobody looks, while there is something to say, at what others have done.
    """
    keep_memory_flat()
    with store.leases.join(book_id) as lease:
        speaker: _Speaker | None = None
        book = require_book(store, book_id)
        job = Job(**(book.job or {}))
        chapters = job.selection.of(len(store.chapter_titles(book_id)))
        verifier = open_verifier(job.verify_asr)
        backend, voice = open_speech(job)
        with (
            closing(backend),
            closing(Clerk(store, lease, job.workers, backend.longest_first)) as clerk,
        ):
            digest, most = speech_digest(backend, voice), job.attempts if backend.varies else 1
            while not lease.stop.is_set() and store.leases.holder(book_id):
                if require_book(store, book_id).speech_digest != digest:
                    return
                if speaker is None:
                    board = Board(store, book_id, chapters, most)
                    board.look()
                    lines = store.outline(book_id, chapters)
                    tally = Tally(book_id, lines, board.open, (), report or _nobody)
                    attempts = Attempts(store, book, backend, voice, most)
                    judge = Judge(store, book)
                    judge.begin(lines)
                    speaker = _Speaker(
                        store, clerk, attempts, judge, board, tally, verifier, report is not None
                    )
                for _ in speaker.turn():
                    pass
                speaker.look()
                if not speaker.said:
                    lease.stop.wait(POLL_S)


def _nobody(_: Speaking) -> None:
    """Nobody wants to know how far this process is."""


class _Speaker:
    """One process's part in a book: claims, speaks, and decides on what came out."""

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

    def turn(self) -> Iterator[int]:
        """Speak until nothing is both missing and free; yields chapters as they are complete."""
        self.said = 0
        self.clerk.release()  # a turn that failed may have left some
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


def _drop_damaged(store: Store, book_id: str, lines: Sequence[Line]) -> tuple[str, ...]:
    """Forget the takes whose files are not what was stored; returns a note for each."""
    known = store.takes.sha256s(line.take_key for line in lines).keys()
    finished = finished_chapters(store, book_id)
    at_rest = {line.take_key for line in lines if line.chapter in finished}
    damaged = store.takes.damaged(at_rest & known, thorough=False)
    damaged |= store.takes.damaged(known - at_rest, thorough=True)
    store.takes.drop(damaged)
    return tuple(
        f"take {key[:12]} {fault}: it is spoken again" for key, fault in sorted(damaged.items())
    )
