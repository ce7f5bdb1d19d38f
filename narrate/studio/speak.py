"""Speak what the store lacks, and store it while the next is being spoken.

Several processes may be at it: each claims some of the takes that are missing, and none speaks
what another has claimed. One of them leads the book and hands over its chapters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass

from narrate.config import Job, Settings
from narrate.core import Voice
from narrate.errors import VoiceError
from narrate.memory import keep_memory_flat
from narrate.speech.backend import Backend
from narrate.store import Line, Store
from narrate.studio.attempts import Attempts
from narrate.studio.board import Board
from narrate.studio.casting import cast, open_speech, prepare_voice
from narrate.studio.clerk import Clerk
from narrate.studio.crew import crew, has_crew
from narrate.studio.identity import speech_digest
from narrate.studio.judge import Judge
from narrate.studio.plan import require_book
from narrate.studio.progress import Report, Speaking, Tally
from narrate.studio.speaker import POLL_S, Speaker
from narrate.studio.stitch import finished_chapters
from narrate.studio.verify import open_verifier

__all__ = ["Ready", "assist", "import_ahead", "speak"]


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """A backend, its model loaded where that could be done, and a voice, as a job asks for them."""

    job: Job
    backend: Backend
    voice: Voice


def import_ahead(store: Store, book_id: str) -> None:
    """Import what the missing takes of a book will be spoken with, where there is time for it.

    A model's libraries take seconds, which a run has while it waits for something else. Nothing is
    imported for a book that is spoken, or that others speak. Errors as for `open_speech` and a
    backend without its libraries.
    """
    job = Job(**(require_book(store, book_id).job or {}))
    if not has_crew(job) and any(one.done < one.chunks for one in store.progress(book_id)):
        backend, _ = open_speech(job)
        with closing(backend):
            backend.import_ahead()


def speak(store: Store, book_id: str, report: Report) -> Iterator[int]:
    """Speak the missing takes of a book; yields each chapter once all its takes are stored.

    Chapters that need nothing come first. A take with a fault is spoken again with the next
    attempt's seed; when none is good, the best is kept and stays marked. Calling it again asks
    the store what is left, so it can be stopped and retried at any chunk. What others have claimed
    is waited for, and spoken here if they die; where there is a crew, it speaks all while any of it
    is left. Leads the book meanwhile: BusyError when another run does, or takes over.
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
            # First of all, so that their models are loaded while the voice is made ready.
            others = stack.enter_context(crew(Settings.from_environment(), book_id, job))
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
            speaker = Speaker(store, clerk, attempts, judge, board, tally, verifier)
            yield from speaker.lead(others, chapters)


def assist(
    store: Store, book_id: str, report: Report | None = None, ready: Ready | None = None
) -> None:
    """Speak beside the process that leads a book, until that has ended or `stop` is set.

    Says what is missing in the book as it stands in the store, and yields nothing to anyone: the
    leader finds the takes there. Returns, too, when the book is to be spoken otherwise. Without a
    report nobody looks, while there is something to say, at what others have done. What is `ready`
    is spoken with, and closed, if it is what the book asks for.
    """
    keep_memory_flat()
    with store.leases.join(book_id) as lease:
        speaker: Speaker | None = None
        book = require_book(store, book_id)
        job = Job(**(book.job or {}))
        chapters = job.selection.of(len(store.chapter_titles(book_id)))
        verifier = open_verifier(job.verify_asr)
        backend, voice = _as_wanted(job, ready)
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
                    speaker = Speaker(
                        store, clerk, attempts, judge, board, tally, verifier, report is not None
                    )
                for _ in speaker.turn():
                    pass
                speaker.look()
                if not speaker.said:
                    lease.stop.wait(POLL_S)


def _as_wanted(job: Job, ready: Ready | None) -> tuple[Backend, Voice]:
    """What is ready, or what the job asks for where that is something else."""
    if ready and ready.job == job:
        return ready.backend, ready.voice
    if ready:
        ready.backend.close()
    return open_speech(job)


def _nobody(_: Speaking) -> None:
    """Nobody wants to know how far this process is."""


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
