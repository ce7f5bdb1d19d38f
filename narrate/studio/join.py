"""A second run of a book that another run leads: it speaks beside it, and never twice."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace

from narrate.config import Job
from narrate.errors import BusyError
from narrate.store import Book, Store
from narrate.studio.casting import open_speech
from narrate.studio.identity import plan_digest, speech_digest
from narrate.studio.plan import find_book
from narrate.studio.progress import Report
from narrate.studio.speak import assist
from narrate.studio.speaker import POLL_S

__all__ = ["join"]


def join(store: Store, book_id: str, job: Job, report: Report) -> Job:
    """Speak beside the run that leads a book until that one has ended; returns what is left to do.

    That is the same job, without `force`: what it asked for has been spoken anew. BusyError where
    the other run reads or speaks the book otherwise.
    """
    while (leader := store.leases.holder(book_id)) and not _agree(store.book(book_id), store, job):
        if any(worker.leads and worker.chunks for worker in store.leases.workers(book_id)):
            raise BusyError(
                f"another run is narrating this book otherwise: {leader}",
                where=book_id,
                remedy="wait for it or stop it, then run the same command again",
            )
        time.sleep(POLL_S)  # it is still planning, or has nothing to say
    if leader:
        assist(store, book_id, report)
    while store.leases.holder(book_id):
        time.sleep(POLL_S)
    return replace(job, force=False)


def _agree(book: Book | None, store: Store, job: Job) -> bool:
    """Return whether the book in the store is planned and spoken as this job wants it."""
    if book is None:
        return False
    wanted = find_book(store, job).book
    backend, voice = open_speech(job)
    with closing(backend):
        spoken = speech_digest(backend, voice)
    planned = plan_digest(wanted.source_sha256, job)
    return (book.id, book.plan_digest, book.speech_digest) == (wanted.id, planned, spoken)
