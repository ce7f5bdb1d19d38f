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
    lines = _Lines()
    job = lines.next()
    ready = _made_ready(Job(**json.loads(job))) if job else None
    book_id = lines.next()
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
    """Load the model that the job will be spoken with, None where that cannot be done now.

    What is wrong is said once the book is to be spoken, to whoever leads it.
    """
    with contextlib.suppress(NarrateError):
        backend, voice = open_speech(job, download=False)
        backend.load_ahead(voice)
        return Ready(job, backend, voice)
    return None


class _Lines:
    """Lines of standard input, none read before it is asked for: what comes after stays there."""

    def __init__(self) -> None:
        self._held = b""

    def next(self) -> str:
        """Wait for a line; empty where there will be none."""
        while b"\n" not in self._held:
            more = os.read(0, 1024)
            if not more:
                return ""
            self._held += more
        line, _, self._held = self._held.partition(b"\n")
        return line.decode().strip()


if __name__ == "__main__":
    try:
        main()
    except NarrateError as error:
        sys.exit(f"narrate: {error}")
