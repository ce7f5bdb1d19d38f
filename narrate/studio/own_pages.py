"""Whether a book's read-along edition can be its own EPUB, with marks in its pages."""

from __future__ import annotations

import hashlib
import logging

from narrate import text
from narrate.errors import InputError
from narrate.store import Book, Store
from narrate.sync.epub_own import OwnPages
from narrate.text.marked import MarkedBook, NotMarked, marked

__all__ = ["own_pages"]

DUBLIN_CORE = {"title": "title", "author": "creator", "description": "description", "year": "date"}
_log = logging.getLogger("narrate.studio")


def own_pages(store: Store, book: Book) -> OwnPages | None:
    """Return the marked pages of an EPUB 3; None where its text has to be made anew."""
    if book.source_path.suffix.lower() != ".epub":
        return None
    found = _marked(store, book)
    if isinstance(found, NotMarked):
        _log.warning("%s: the read-along book's text is made anew: %s", book.id, found.reason)
        return None
    places = {
        position: [(place.page, place.mark, place.characters) for place in several]
        for position, several in found.places.items()
    }
    job, says = book.job or {}, book.metadata
    facts = {"title": says.title, "author": says.author, "description": says.description,
             "year": str(says.year or "")}  # fmt: skip
    return OwnPages(
        found.package,
        found.pages,
        places,
        {DUBLIN_CORE[name]: value for name, value in facts.items() if job.get(name) is not None},
        store.cover(book.id) if job.get("cover") is not None else None,
    )


def _marked(store: Store, book: Book) -> MarkedBook | NotMarked:
    try:
        data = book.source_path.read_bytes()
        if hashlib.sha256(data).hexdigest() != book.source_sha256:
            return NotMarked("the document has changed since it was planned")
        document = text.read(book.source_path)
    except (OSError, InputError) as error:
        return NotMarked(str(error))
    spans = [(chunk.position, chunk.span) for chunk, _ in store.chunks(book.id)]
    return marked(data, book.source_path, document, spans)
