"""From a document's path to a book in the store: read, plan, and name every take."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from narrate import text
from narrate.config import Job
from narrate.core import Chunk, Document, Skipped, Voice
from narrate.errors import InputError, OutputError, UsageError
from narrate.files import write_whole
from narrate.memory import keep_memory_flat
from narrate.speech.backend import Backend
from narrate.store import Book, Store
from narrate.studio.casting import open_speech
from narrate.studio.covers import given_cover, own_cover
from narrate.studio.editions import check_programs
from narrate.studio.identity import (
    check_language,
    keys_of,
    plan_digest,
    plan_options,
    speech_digest,
)

__all__ = [
    "MANIFEST",
    "Opened",
    "find_book",
    "plan_book",
    "require_book",
    "skipped_by_reason",
    "takes_of",
]

MANIFEST = "book.json"
NAME_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Opened:
    """The book of a job, registered or not yet, and its document where it had to be read."""

    book: Book
    document: Document | None


def find_book(store: Store, job: Job) -> Opened:
    """Find the book of a document or give it a name, writing nothing.

    An InputError says why a file cannot be a document; it is read only if its plan is not stored.
    """
    source = Path(job.document).expanduser().absolute()
    out = Path(job.out).expanduser().absolute()
    _check_names(source, out)
    sha256 = _sha256(source)
    for book in store.books_of(source):
        if book.folder.parent == out:
            same = book.plan_digest == plan_digest(sha256, job)
            found = replace(book, source_sha256=sha256, job=job.parameters())
            return Opened(found, None if same else text.read(source))
    document = text.read(source)
    name = _name_of(source)
    taken = store.books()
    ids, folders = {book.id for book in taken}, {book.folder for book in taken}
    book_id, folder = _unused(name, ids), out / name
    if folder in folders:
        folder = out / _unused(name, {path.name for path in folders if path.parent == out})
    return Opened(Book(book_id, source, sha256, folder, job=job.parameters()), document)


def _check_names(*paths: Path) -> None:
    """Refuse names that are bytes of no encoding we know: the store and the reports hold text."""
    for path in paths:
        shown = os.fsencode(path).decode("utf-8", "replace")
        if shown != str(path):
            raise InputError(
                "the name of the file or of a folder above it is not in UTF-8",
                where=shown,
                remedy="rename it",
            )


def _name_of(source: Path) -> str:
    """Return the file's name without its ending, as far as it is safe as a folder's name."""
    printable = "".join(letter for letter in source.stem if letter.isprintable())
    return printable.strip(" .")[:NAME_CHARACTERS].rstrip() or "book"


def _unused(name: str, taken: set[str]) -> str:
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def _sha256(source: Path) -> str:
    try:
        if not source.is_file():  # a pipe or a device might never end
            text.read(source)
        with source.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        text.read(source)  # says what is wrong with the file in the reader's words
        raise InputError(f"cannot be read: {error.strerror}", where=str(source)) from error


def _check_folder(book: Book, *, force: bool) -> None:
    """Refuse to write among results that were not made from this document."""
    try:
        book.folder.mkdir(parents=True, exist_ok=True)
        manifest = book.folder / MANIFEST
        ours = manifest.exists() and _source_in(manifest) == str(book.source_path)
        if not ours and not force and any(book.folder.iterdir()):
            raise OutputError(
                "the output folder holds files that were not made from this document",
                where=str(book.folder),
                remedy="name another folder with --out, move them away, or add --force to "
                "write among them",
            )
        if not ours:
            facts = {"source": str(book.source_path), "made_by": "narrate"}
            write_whole(manifest, (json.dumps(facts, indent=2) + "\n").encode())
    except OSError as error:
        raise OutputError(
            f"the output folder cannot be written: {error.strerror}",
            where=str(book.folder),
            remedy="make it writable, or name another folder with --out",
        ) from error


def _source_in(manifest: Path) -> str | None:
    try:
        facts = json.loads(manifest.read_text(encoding="utf-8"))
    except ValueError:
        return None
    return facts.get("source") if isinstance(facts, dict) else None


def require_book(store: Store, book_id: str) -> Book:
    """Return a book that must be there."""
    book = store.book(book_id)
    if book is None:
        raise _no_such_book(store, book_id)
    return book


def books_called(store: Store, name: str) -> list[Book]:
    """Return the books of a name, a document or an output folder; InputError where none is."""
    found = store.book(name)
    if found:
        return [found]
    path = Path(name).expanduser().absolute()
    books = store.books_of(path) or [one for one in store.books() if one.folder == path]
    if not books:
        raise _no_such_book(store, name)
    return books


def _no_such_book(store: Store, name: str) -> InputError:
    known = ", ".join(one.id for one in store.books()[:10])
    return InputError(
        "there is no such book",
        where=name,
        remedy=f"known are: {known}" if known else "`narrate FILE` makes one",
    )


def book_called(store: Store, name: str) -> Book:
    """Return the one book of that name, document or folder; UsageError where several are."""
    book, *others = books_called(store, name)
    if others:
        raise UsageError(
            "several books were made of this document",
            where=name,
            remedy=f"name one of them: {', '.join(one.id for one in (book, *others))}",
        )
    return book


def plan_book(store: Store, job: Job, opened: Opened | None = None, *, fresh: bool = False) -> Book:
    """Make the store hold the plan and the take keys of a book, anew only where they changed.

    `fresh` forgets the takes of the selected chapters, so that they are spoken again; BusyError
    while another run makes a book of the same words. The caller holds the book's lease.
    """
    keep_memory_flat()
    opened = opened or find_book(store, job)
    book, document = opened.book, opened.document
    plan = None if document is None else text.plan(document, plan_options(job))
    cover = given_cover(job)
    check_programs(job)
    _check_folder(book, force=job.force)
    backend, voice = open_speech(job)
    with closing(backend):
        spoken = speech_digest(backend, voice)
        if document is not None and plan is not None:
            job.selection.of(len(plan.chapter_titles))
            check_language(backend, plan.language)
            keys, attempts = takes_of(store, book, plan.chunks, plan.language, backend, voice)
            store.put_plan(
                replace(
                    book,
                    plan_digest=plan_digest(book.source_sha256, job),
                    speech_digest=spoken,
                    skipped=skipped_by_reason(plan.skipped),
                    series=document.series,
                    year=document.year,
                    description=document.description,
                ),
                plan,
                keys,
                attempts,
            )
            store.put_cover(book.id, "document", own_cover(document))
        else:
            _rename_takes(store, book, spoken, backend, voice)
    store.put_cover(book.id, "given", cover)
    if fresh:
        chapters = job.selection.of(len(store.chapter_titles(book.id)))
        store.leases.bury()
        store.forget(book.id, {line.take_key for line in store.outline(book.id, chapters)})
    return require_book(store, book.id)


def takes_of(
    store: Store,
    book: Book,
    chunks: Sequence[Chunk],
    language: str,
    backend: Backend,
    voice: Voice,
) -> tuple[list[str], list[int]]:
    """Name the take of each chunk, and its attempt: those that the book has for the same words.

    An attempt belongs to the words: an edit elsewhere must not bring a bad take back.
    """
    same = (book.speech_digest, book.language) == (speech_digest(backend, voice), language)
    known = store.attempts(book.id) if same else {}
    texts = [chunk.spoken for chunk in chunks]
    firsts = keys_of(texts, [0] * len(texts), language, backend, voice)
    found = [known.get(words, (key, 0)) for words, key in zip(texts, firsts, strict=True)]
    return [key for key, _ in found], [attempt for _, attempt in found]


def _rename_takes(store: Store, book: Book, spoken: str, backend: Backend, voice: Voice) -> None:
    chunks = [chunk for chunk, _ in store.chunks(book.id)]
    chapters = chunks[-1].chapter if chunks else 0
    Job(**(book.job or {})).selection.of(chapters)
    if book.speech_digest != spoken:
        check_language(backend, book.language)
        texts = [chunk.spoken for chunk in chunks]
        keys = keys_of(texts, [0] * len(texts), book.language, backend, voice)
        firsts = {chunk.position: (key, 0) for chunk, key in zip(chunks, keys, strict=True)}
        store.put_keys(replace(book, speech_digest=spoken), firsts)
    store.put_book(replace(book, speech_digest=spoken))


def skipped_by_reason(skipped: Sequence[Skipped]) -> dict[str, int]:
    """Count the characters that are not spoken, by reason."""
    counts: Counter[str] = Counter()
    for part in skipped:
        counts[part.reason] += part.span.end - part.span.start
    return dict(counts)
