"""Which documents of a folder are still to be narrated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from narrate import text
from narrate.config import Job
from narrate.errors import InputError, NarrateError
from narrate.store import Store
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
            if store.leases.holder(find_book(store, job).book.id) is None and not finished(
                store, job
            ):
                jobs.append(job)
        except NarrateError as error:
            broken.append(str(error))
    return jobs, broken
