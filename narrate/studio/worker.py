"""A process of a crew: `python -m narrate.studio.worker` speaks beside the leader of a book.

A line on its standard input says what for, a job as JSON, and with that job's model loaded it waits
for another, the book's name. Ends when its standard input does, so it never outlives the run that
started it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import threading
from typing import IO

from narrate.config import Job, Settings
from narrate.errors import NarrateError
from narrate.store import Store
from narrate.studio.casting import open_speech
from narrate.studio.crew import LOG_FORMAT
from narrate.studio.speak import Ready, assist

__all__ = ["main"]


def main() -> None:
    """Speak beside the leader of the book that is named."""
    logging.basicConfig(level=logging.WARNING, format=LOG_FORMAT)
    logging.getLogger("narrate").setLevel(logging.INFO)
    # Without a buffer: what comes later stays in the pipe.
    with open(0, "rb", buffering=0, closefd=False) as told:
        job = _line(told)
        ready = _made_ready(Job(**json.loads(job))) if job else None
        book_id = _line(told)
    if not book_id:
        return
    with Store(Settings.from_environment()) as store, store.leases.join(book_id) as lease:

        def stop_with_parent() -> None:
            while os.read(0, 1024):  # sys.stdin is locked by its reader when Python ends
                pass
            lease.stop.set()

        threading.Thread(target=stop_with_parent, daemon=True).start()
        assist(store, book_id, ready=ready)


def _made_ready(job: Job) -> Ready | None:
    """Load the model that the job will be spoken with, if it can be; None where there is none.

    What is wrong is said once the book is to be spoken, to whoever leads it.
    """
    with contextlib.suppress(NarrateError):
        backend, voice = open_speech(job, download=False)
        with contextlib.suppress(NarrateError):
            backend.load_ahead(voice)
        return Ready(job, backend, voice)
    return None


def _line(told: IO[bytes]) -> str:
    """Wait for a line; empty where there will be no whole one."""
    line = told.readline()
    return line.decode().strip() if line.endswith(b"\n") else ""


if __name__ == "__main__":
    try:
        main()
    except NarrateError as error:
        sys.exit(f"narrate: {error}")
