"""Books, their chunks and their outputs; `Store` is the one door to all of the database."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Double, Select, cast, delete, func, insert, select, update
from sqlalchemy.orm import Session

from narrate.config import Settings
from narrate.core import Chunk, Cover, Plan, Span
from narrate.errors import BusyError
from narrate.store.claims import Claims
from narrate.store.database import Database
from narrate.store.leases import Leases
from narrate.store.records import Book, Claimed, Line, Output, Progress
from narrate.store.schema import (
    BookRow,
    ChapterRow,
    ChunkRow,
    ClaimRow,
    CoverRow,
    OutputRow,
    TakeRow,
    WorkerRow,
)
from narrate.store.takes import Takes, in_batches

__all__ = ["Store"]


class Store:
    """The database and the folder of takes, opened together."""

    def __init__(self, settings: Settings) -> None:
        self.database = Database(settings.database_url)
        self.takes = Takes(self.database, settings.takes)
        self.leases = Leases(self.database)
        self.claims = Claims(self.database, self.leases)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database, and end the threads that write."""
        self.takes.close()
        self.database.close()

    # -- books ----------------------------------------------------------------------------------

    def book(self, book_id: str) -> Book | None:
        """Return the book of this id, if there is one."""
        with self.database.reading() as session:
            row = session.get(BookRow, book_id)
            return _book(row) if row else None

    def books(self) -> list[Book]:
        """Return every book, the one touched last first."""
        with self.database.reading() as session:
            return [
                _book(row)
                for row in session.scalars(select(BookRow).order_by(BookRow.updated_at.desc()))
            ]

    def books_of(self, source: Path) -> list[Book]:
        """Return the books made from this file."""
        with self.database.reading() as session:
            rows = session.scalars(select(BookRow).where(BookRow.source_path == str(source)))
            return [_book(row) for row in rows]

    def put_book(self, book: Book) -> None:
        """Insert or replace what is known of a book; its plan and outputs stay."""
        with self.database.session() as session:
            _put_book(session, book)

    def put_cover(self, book_id: str, origin: str, cover: Cover | None) -> None:
        """Keep a book's picture, or forget it; `origin` is `document` or `given`."""
        with self.database.session() as session:
            if cover:
                session.merge(CoverRow(book_id=book_id, origin=origin, data=cover.data))
            else:
                known = (CoverRow.book_id == book_id) & (CoverRow.origin == origin)
                session.execute(delete(CoverRow).where(known))

    def cover(self, book_id: str) -> Cover | None:
        """Return the picture that was given, else the document's own, else None."""
        with self.database.reading() as session:
            rows = session.scalars(select(CoverRow).where(CoverRow.book_id == book_id))
            by_origin = {row.origin: row.data for row in rows}
        data = by_origin.get("given", by_origin.get("document"))
        return None if data is None else Cover(data)

    # -- plans ----------------------------------------------------------------------------------

    def put_plan(
        self, book: Book, plan: Plan, keys: Sequence[str], attempts: Sequence[int]
    ) -> None:
        """Replace a book's chapters and chunks by those of a plan, each with its take's key."""
        told = replace(book, title=plan.title, author=plan.author, language=plan.language)
        with self.database.session() as session:
            _put_book(session, told)
            session.flush()
            for table in (ChapterRow, ChunkRow):
                session.execute(delete(table).where(table.book_id == book.id))
            chapters = [
                {"book_id": book.id, "number": number, "title": title}
                for number, title in enumerate(plan.chapter_titles, 1)
            ]
            session.execute(insert(ChapterRow), chapters)
            rows = zip(plan.chunks, keys, attempts, strict=True)
            for some in in_batches(rows):  # all at once would triple the memory
                session.execute(insert(ChunkRow), [_chunk_values(book.id, *row) for row in some])
        self.database.analyze(ChunkRow)

    def put_keys(self, book: Book, keys: Mapping[int, tuple[str, int]]) -> None:
        """Give the chunks at these positions other takes: (key, attempt) by position."""
        with self.database.session() as session:
            rows = [
                {"book_id": book.id, "position": position, "take_key": key, "attempt": attempt}
                for position, (key, attempt) in keys.items()
            ]
            if rows:
                session.execute(update(ChunkRow), rows)
            session.get_one(BookRow, book.id).speech_digest = book.speech_digest

    def forget(self, book_id: str, keys: Iterable[str]) -> None:
        """Drop a book's takes, so that they are spoken anew.

        BusyError while a process is at work on another book that has some of them: it may be about
        to read what would be removed.
        """
        wanted = list(dict.fromkeys(keys))
        with self.database.session() as session:
            for some in in_batches(wanted):
                others = (
                    select(WorkerRow)
                    .join(ChunkRow, ChunkRow.book_id == WorkerRow.book_id)
                    .where(ChunkRow.take_key.in_(some), WorkerRow.book_id != book_id)
                )
                if other := session.scalars(others.limit(1)).first():
                    raise BusyError(
                        f"process {other.pid} on {other.host} narrates the same words just now",
                        where=other.book_id,
                        remedy="wait for it or stop it, then run the same command again",
                    )
            self.takes.drop_in(session, wanted)

    def rename_take(self, book_id: str, was: Claimed, key: str, attempt: int) -> bool:
        """Give the chunks that wait for a take another one, and end the claim on the first.

        False where another process did something of the kind before; then nothing changes.
        """
        with self.database.session() as session:
            waiting = (ChunkRow.book_id == book_id) & (ChunkRow.take_key == was.take_key)
            renamed = session.scalars(
                update(ChunkRow)
                .where(waiting, ChunkRow.attempt == was.attempt)
                .values(take_key=key, attempt=attempt)
                .returning(ChunkRow.position)
            ).all()
            session.execute(delete(ClaimRow).where(ClaimRow.take_key == was.take_key))
            return bool(renamed)

    def spoken_at(self, book_id: str, positions: Iterable[int]) -> dict[int, str]:
        """Return the words of the chunks at these positions, as the voice gets them."""
        found: dict[int, str] = {}
        with self.database.reading() as session:
            for some in in_batches(positions):
                query = select(ChunkRow.position, ChunkRow.spoken).where(
                    ChunkRow.book_id == book_id, ChunkRow.position.in_(some)
                )
                found.update((position, spoken) for position, spoken in session.execute(query))
        return found

    def attempts(self, book_id: str) -> dict[str, tuple[str, int]]:
        """Return (take key, attempt) of each text of a book that is beyond its first attempt.

        The key may be an earlier attempt's: that one was the best, or the one that was chosen.
        """
        query = select(ChunkRow.spoken, ChunkRow.take_key, ChunkRow.attempt).where(
            ChunkRow.book_id == book_id, ChunkRow.attempt > 0
        )
        with self.database.reading() as session:
            return {spoken: (key, attempt) for spoken, key, attempt in session.execute(query)}

    def chunks(
        self, book_id: str, chapters: Iterable[int] | None = None
    ) -> list[tuple[Chunk, str]]:
        """Return chunks in reading order, each with its take key."""
        query = _of_chapters(select(*_CHUNK_COLUMNS), book_id, chapters)
        with self.database.reading() as session:
            return [
                (Chunk(chapter, position, text, spoken, Span(start, end), pause_s), key)
                for chapter, position, text, spoken, start, end, pause_s, key in session.execute(
                    query
                )
            ]

    def outline(self, book_id: str, chapters: Iterable[int] | None = None) -> list[Line]:
        """Return chunks in reading order without their words."""
        columns = (
            ChunkRow.chapter,
            ChunkRow.position,
            ChunkRow.take_key,
            ChunkRow.attempt,
            func.length(ChunkRow.spoken),
            ChunkRow.pause_after_s,
        )
        with self.database.reading() as session:
            rows = session.execute(_of_chapters(select(*columns), book_id, chapters))
            return [Line(*row) for row in rows]

    def chapter_titles(self, book_id: str) -> list[str]:
        """Return the titles in order; an untitled chapter has an empty one."""
        query = select(ChapterRow.title).where(ChapterRow.book_id == book_id)
        with self.database.reading() as session:
            return list(session.scalars(query.order_by(ChapterRow.number)))

    def progress(self, book_id: str) -> list[Progress]:
        """Return how far each chapter is, by the rows alone."""
        query = (
            select(
                ChapterRow.number,
                ChapterRow.title,
                func.count(ChunkRow.position),
                func.count(TakeRow.key),
                func.coalesce(func.sum(cast(TakeRow.samples, Double) / TakeRow.rate_hz), 0.0),
            )
            .join(
                ChunkRow,
                (ChunkRow.book_id == ChapterRow.book_id) & (ChunkRow.chapter == ChapterRow.number),
            )
            .outerjoin(TakeRow, TakeRow.key == ChunkRow.take_key)
            .where(ChapterRow.book_id == book_id)
            .group_by(ChapterRow.number, ChapterRow.title)
            .order_by(ChapterRow.number)
        )
        with self.database.reading() as session:
            return [Progress(*row) for row in session.execute(query)]

    # -- outputs --------------------------------------------------------------------------------

    def put_output(self, book_id: str, output: Output) -> None:
        """Remember a finished file as it lies on the disk now."""
        stat = output.path.stat()
        with self.database.session() as session:
            session.merge(
                OutputRow(
                    book_id=book_id,
                    kind=output.kind,
                    number=output.number,
                    path=str(output.path),
                    inputs=output.inputs,
                    size_bytes=stat.st_size,
                    mtime_ns=stat.st_mtime_ns,
                    samples=output.samples,
                    rate_hz=output.rate_hz,
                    marks=[list(mark) for mark in output.marks],
                    facts=dict(output.facts),
                )
            )

    def outputs(self, book_id: str) -> dict[tuple[str, int], Output]:
        """Return the finished files that are still on the disk as they were written."""
        with self.database.reading() as session:
            rows = list(session.scalars(select(OutputRow).where(OutputRow.book_id == book_id)))
            return {(row.kind, row.number): _output(row) for row in rows if _is_intact(row)}

    def output_keys(self, book_id: str) -> list[tuple[str, int]]:
        """Return the kind and number of every output on record, whatever became of its file."""
        query = select(OutputRow.kind, OutputRow.number).where(OutputRow.book_id == book_id)
        with self.database.reading() as session:
            return [(kind, number) for kind, number in session.execute(query)]

    def drop_output(self, book_id: str, kind: str, number: int) -> Path | None:
        """Forget a file of this book; returns where it was, to be removed by the caller."""
        with self.database.session() as session:
            row = session.get(OutputRow, (book_id, kind, number))
            if row is None:
                return None
            path = Path(row.path)
            session.delete(row)
            return path


def _put_book(session: Session, book: Book) -> None:
    session.merge(
        BookRow(
            id=book.id,
            source_path=str(book.source_path),
            source_sha256=book.source_sha256,
            folder=str(book.folder),
            title=book.title,
            author=book.author,
            language=book.language,
            series=book.series,
            year=book.year,
            description=book.description,
            plan_digest=book.plan_digest,
            speech_digest=book.speech_digest,
            job=dict(book.job or {}),
            skipped=dict(book.skipped or {}),
            updated_at=time.time(),
        )
    )


def _book(row: BookRow) -> Book:
    return Book(
        id=row.id,
        source_path=Path(row.source_path),
        source_sha256=row.source_sha256,
        folder=Path(row.folder),
        title=row.title,
        author=row.author,
        language=row.language,
        series=row.series,
        year=row.year,
        description=row.description,
        plan_digest=row.plan_digest,
        speech_digest=row.speech_digest,
        job=row.job,
        skipped=row.skipped,
        updated_at=row.updated_at,
    )


_CHUNK_COLUMNS = (
    ChunkRow.chapter,
    ChunkRow.position,
    ChunkRow.text,
    ChunkRow.spoken,
    ChunkRow.start,
    ChunkRow.end,
    ChunkRow.pause_after_s,
    ChunkRow.take_key,
)


def _of_chapters(query: Select[Any], book_id: str, chapters: Iterable[int] | None) -> Select[Any]:
    query = query.where(ChunkRow.book_id == book_id).order_by(ChunkRow.position)
    return query if chapters is None else query.where(ChunkRow.chapter.in_(list(chapters)))


def _chunk_values(book_id: str, chunk: Chunk, key: str, attempt: int) -> dict[str, object]:
    return {
        "book_id": book_id,
        "position": chunk.position,
        "chapter": chunk.chapter,
        "text": chunk.text,
        "spoken": chunk.spoken,
        "start": chunk.span.start,
        "end": chunk.span.end,
        "pause_after_s": chunk.pause_after_s,
        "take_key": key,
        "attempt": attempt,
    }


def _output(row: OutputRow) -> Output:
    marks = tuple((start, end) for start, end in row.marks)
    path = Path(row.path)
    lengths = (row.samples, row.rate_hz)
    return Output(row.kind, row.number, path, row.inputs, *lengths, marks, row.facts)


def _is_intact(row: OutputRow) -> bool:
    try:
        stat = Path(row.path).stat()
    except OSError:
        return False
    return (stat.st_size, stat.st_mtime_ns) == (row.size_bytes, row.mtime_ns)
