"""A process of a crew: `python -m narrate.studio.worker BOOK` speaks beside the book's leader.

Ends when its standard input does, so it never outlives the run that started it.
"""

from __future__ import annotations

import os
import sys
import threading

from narrate.config import Settings
from narrate.errors import NarrateError
from narrate.store import Store
from narrate.studio.speak import assist

__all__ = ["main"]


def main() -> None:
    """Speak beside the leader of the book named on the command line."""
    [book_id] = sys.argv[1:]
    with Store(Settings.from_environment()) as store, store.leases.join(book_id) as lease:

        def stop_with_parent() -> None:
            while os.read(0, 1024):  # sys.stdin is locked by its reader when Python ends
                pass
            lease.stop.set()

        threading.Thread(target=stop_with_parent, daemon=True).start()
        assist(store, book_id)


if __name__ == "__main__":
    try:
        main()
    except NarrateError as error:
        sys.exit(f"narrate: {error}")
