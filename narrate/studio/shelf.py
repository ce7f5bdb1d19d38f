"""Which documents of a folder are still to be narrated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from narrate import text
from narrate.config import Job
from narrate.errors import InputError, NarrateError
from narrate.store import Book, Store
from narrate.studio.deliver import finished
from narrate.studio.plan import find_book

__all__ = ["unfinished"]


def unfinished(store: Store, inbox: Path, wanted: Mapping[str, Any]) -> tuple[list[Job], list[str]]:
    """Return a job for each document that is neither finished nor at work, and what is broken.

    A document that cannot be read keeps no other from being narrated. InputError where there is
    no such folder.
    """
    if not inbox.is_dir():
        raise InputError(
            "there is no such folder", where=str(inbox), remedy="make it, or name another"
        )
    jobs, broken = [], []
    for path in sorted(inbox.iterdir()):
        if path.name.startswith(".") or path.suffix.lower() not in text.SUPPORTED:
            continue
        job = Job(str(path.absolute()), **wanted)
        try:
            book = find_book(store, job).book.id
            if store.leases.holder(book) is None and not finished(
                store, _as_narrated(store.book(book), job, wanted)
            ):
                jobs.append(job)
        except NarrateError as error:
            broken.append(str(error))
    return jobs, broken


def _as_narrated(book: Book | None, job: Job, wanted: Mapping[str, Any]) -> Job:
    """What the last run of a book was asked for, where the shelf itself asks for nothing.

    A deployment has parameters of its own, and an export gives other tags: a book is finished
    with them, and is not asked for again each night because of them.
    """
    if book is None or not book.job:
        return job
    whole = {"document": job.document, "chapters": None, "force": False}
    return Job(**{**book.job, **whole, **wanted})
