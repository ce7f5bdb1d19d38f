"""The tables. Typed SQLAlchemy models that never leave this room.

books ──< chapters
  │  └──< chunks ─ ─ take_key ─ ─> takes      (no foreign key: a chunk is planned first)
  ├──< outputs
  └──< covers

workers ──< leases      (of a book, without a foreign key: the lead is taken before it is planned)
   └─────< claims       (of a take that is not there yet)
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Text
from sqlalchemy import text as sql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = [
    "Base",
    "BookRow",
    "ChapterRow",
    "ChunkRow",
    "ClaimRow",
    "CoverRow",
    "LeaseRow",
    "NormsRow",
    "OutputRow",
    "TakeRow",
    "WorkerRow",
]


class Base(DeclarativeBase):
    """Root of the models; strings are unbounded, integers 64 bits wide."""

    type_annotation_map = {  # noqa: RUF012
        str: Text,
        str | None: Text,
        int: BigInteger,
        dict[str, Any]: JSON,
        list[list[int]]: JSON,
    }


def _book_id() -> Mapped[str]:
    return mapped_column(ForeignKey("books.id", ondelete="CASCADE"), primary_key=True)


class BookRow(Base):
    """A document being narrated; `folder` is where its results go."""

    __tablename__ = "books"

    id: Mapped[str] = mapped_column(primary_key=True)
    source_path: Mapped[str] = mapped_column(index=True)
    source_sha256: Mapped[str]
    folder: Mapped[str] = mapped_column(index=True, unique=True)
    title: Mapped[str] = mapped_column(default="")
    author: Mapped[str] = mapped_column(default="")
    language: Mapped[str] = mapped_column(default="")
    series: Mapped[str] = mapped_column(default="")
    year: Mapped[int | None] = mapped_column(default=None)
    description: Mapped[str] = mapped_column(default="")
    plan_digest: Mapped[str] = mapped_column(default="")
    speech_digest: Mapped[str] = mapped_column(default="")
    job: Mapped[dict[str, Any]] = mapped_column(default=dict)
    skipped: Mapped[dict[str, Any]] = mapped_column(default=dict)
    updated_at: Mapped[float]


class ChapterRow(Base):
    """A chapter's title by its number."""

    __tablename__ = "chapters"

    book_id: Mapped[str] = _book_id()
    number: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]


class ChunkRow(Base):
    """What is spoken in one go, and the key of the take that says it."""

    __tablename__ = "chunks"
    __table_args__ = (
        Index("ix_chunks_chapter", "book_id", "chapter"),
        Index("ix_chunks_take_key", "take_key"),
        Index("ix_chunks_longest", "book_id", sql("(-length(spoken))"), "position"),
    )

    book_id: Mapped[str] = _book_id()
    position: Mapped[int] = mapped_column(primary_key=True)
    chapter: Mapped[int]
    text: Mapped[str]
    spoken: Mapped[str]
    start: Mapped[int]
    end: Mapped[int]
    pause_after_s: Mapped[float]
    take_key: Mapped[str]
    attempt: Mapped[int]


class TakeRow(Base):
    """A recording on disk; written only after its file is safe there."""

    __tablename__ = "takes"

    key: Mapped[str] = mapped_column(primary_key=True)
    path: Mapped[str]
    sha256: Mapped[str]
    size_bytes: Mapped[int]
    mtime_ns: Mapped[int]
    samples: Mapped[int]
    rate_hz: Mapped[int]
    seed: Mapped[int]
    attempt: Mapped[int]
    checks: Mapped[dict[str, Any]]
    fault: Mapped[str | None]
    created_at: Mapped[float]


class OutputRow(Base):
    """A file made for a book, and the digest of all that went into it."""

    __tablename__ = "outputs"

    book_id: Mapped[str] = _book_id()
    kind: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str]
    inputs: Mapped[str]
    size_bytes: Mapped[int]
    mtime_ns: Mapped[int]
    samples: Mapped[int]
    rate_hz: Mapped[int]
    marks: Mapped[list[list[int]]]
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)


class CoverRow(Base):
    """A picture for a book: the document's own, or the one that was given with `--cover`."""

    __tablename__ = "covers"

    book_id: Mapped[str] = _book_id()
    origin: Mapped[str] = mapped_column(primary_key=True)
    data: Mapped[bytes]


class NormsRow(Base):
    """How a voice speaks a language, by what its takes are compared with."""

    __tablename__ = "norms"

    key: Mapped[str] = mapped_column(primary_key=True)
    numbers: Mapped[dict[str, Any]]


class WorkerRow(Base):
    """A process at work on a book; worthless once `expires_at` has passed."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(primary_key=True)
    book_id: Mapped[str] = mapped_column(index=True)
    host: Mapped[str]
    machine: Mapped[str] = mapped_column(default="")
    pid: Mapped[int]
    started: Mapped[float]
    expires_at: Mapped[float]


def _worker_id() -> Mapped[str]:
    return mapped_column(ForeignKey("workers.id", ondelete="CASCADE"), index=True)


class LeaseRow(Base):
    """Which of the processes leads a book: it plans, stitches and delivers."""

    __tablename__ = "leases"

    book_id: Mapped[str] = mapped_column(primary_key=True)
    worker_id: Mapped[str] = _worker_id()


class ClaimRow(Base):
    """Which process speaks a take that is not stored yet."""

    __tablename__ = "claims"

    take_key: Mapped[str] = mapped_column(primary_key=True)
    worker_id: Mapped[str] = _worker_id()
