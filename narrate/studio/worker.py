"""A process of a crew: `python -m narrate.studio.worker` speaks beside the leader of a book.

With everything imported it waits for the book's name, a line on its standard input. Ends when its
standard input does, so it never outlives the run that started it.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
import threading

from narrate.config import Settings
from narrate.errors import NarrateError
from narrate.speech.devices import cuda_cards
from narrate.store import Store
from narrate.studio.speak import assist

__all__ = ["main"]


def main() -> None:
    """Speak beside the leader of the book that is named."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    logging.getLogger("narrate").setLevel(logging.INFO)
    book_id = _told()
    if not book_id:
        return
    with Store(Settings.from_environment()) as store, store.leases.join(book_id) as lease:

        def stop_with_parent() -> None:
            while os.read(0, 1024):  # sys.stdin is locked by its reader when Python ends
                pass
            lease.stop.set()

        threading.Thread(target=stop_with_parent, daemon=True).start()
        assist(store, book_id)


def _told() -> str:
    """Wait for the name of a book; empty where there will be none."""
    if cuda_cards():  # what speaks there will want it
        with contextlib.suppress(ImportError):
            importlib.import_module("narrate.engine.engine")
    line = b""
    while not line.endswith(b"\n"):
        more = os.read(0, 1024)
        if not more:
            return ""
        line += more
    return line.decode().strip()


if __name__ == "__main__":
    try:
        main()
    except NarrateError as error:
        sys.exit(f"narrate: {error}")
