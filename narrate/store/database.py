"""The connection: open, migrate, and turn a database's failures into words.

SQLite runs in WAL mode with foreign keys, a busy timeout and full synchronous writes, so that a
row that was committed is there after a power cut. PostgreSQL is there for several hosts; it runs
as its administrator has set it up.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    Engine,
    cast,
    create_engine,
    event,
    func,
    inspect,
    select,
    text,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.orm import DeclarativeBase, Session

from narrate.errors import NarrateError, StorageError, StoreAwayError
from narrate.files import is_full
from narrate.stop import deferred

__all__ = ["HEAD", "Database"]

HEAD = "0008"
"""The newest migration; a test holds it equal to the last file under `migrations/versions`."""

BUSY_TIMEOUT_S = 60
CONNECT_TIMEOUT_S = 10
_MIGRATION_LOCK = 0x6E617272617465
"""The number under which processes take turns on PostgreSQL to bring a schema up to date."""

_JULIAN_1970 = 2_440_587.5

_REMEDIES = {
    "disk is full": ("the disk is full", "free some space, then run the same command again"),
    "no space left": (
        "the database server's disk is full",
        "free some space there, then run the same command again",
    ),
    "locked": (
        "the database is locked by another program",
        "close what holds it, then run the same command again",
    ),
    "readonly": ("the database is read-only", "make the file and its folder writable"),
    "unable to open": (
        "the database cannot be opened",
        "check that its folder exists and is writable, or set NARRATE_HOME",
    ),
    "not a database": (
        "the database is damaged",
        "move it aside; takes are kept as files, the book is planned anew",
    ),
    "malformed": (
        "the database is damaged",
        "move it aside, or repair it with `sqlite3 FILE .recover`",
    ),
    "disk i/o error": (
        "the disk failed under the database",
        "check the disk and its free space, then run the same command again",
    ),
}

_AWAY = {
    "connection to server": (
        "the database server cannot be reached",
        "start it, or check NARRATE_DATABASE_URL; what was spoken is kept",
    ),
    "server closed the connection": (
        "the database server went away",
        "when it is back, run the same command again; what was spoken is kept",
    ),
    "terminating connection": (
        "the database server is being stopped",
        "when it is back, run the same command again; what was spoken is kept",
    ),
}


class Database:
    """An engine whose sessions raise `StorageError` and whose schema is the newest."""

    def __init__(self, url: str) -> None:
        try:
            self.url = _with_driver(make_url(url))
            self._require_a_known_one()
            self.engine = self._engine()
        except ModuleNotFoundError as error:
            raise StorageError(
                f"the driver for this database is not installed: {error.name}",
                where="NARRATE_DATABASE_URL",
                remedy="install it: pip install 'narrate[postgres]'",
            ) from error
        except (ArgumentError, NoSuchModuleError) as error:
            raise StorageError(
                f"NARRATE_DATABASE_URL is not usable: {error}",
                remedy="write sqlite:///FILE or postgresql://USER@HOST/NAME, or unset it",
            ) from error
        with deferred(), self.failures():
            self._migrate()

    def _require_a_known_one(self) -> None:
        if not (self.is_sqlite or self.is_postgresql):
            raise StorageError(
                f"no store can be kept in {self.url.get_backend_name()}",
                where="NARRATE_DATABASE_URL",
                remedy="write sqlite:///FILE or postgresql://USER@HOST/NAME, or unset it",
            )

    @property
    def where(self) -> str:
        """The file or server, without a password."""
        return self.url.database or self.url.render_as_string() if self.is_sqlite else str(self.url)

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a file of our own."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def is_postgresql(self) -> bool:
        """Whether the database is a PostgreSQL server's."""
        return self.url.get_backend_name() == "postgresql"

    @property
    def now(self) -> ColumnElement[float]:
        """The database's own clock, as seconds since 1970, for an SQL statement."""
        if self.is_sqlite:
            return (func.julianday("now", type_=Double) - _JULIAN_1970) * 86_400.0
        return cast(func.extract("epoch", func.clock_timestamp()), Double)

    def insert(self, table: type[DeclarativeBase]) -> Any:
        """Begin an INSERT that can say what to do on a conflict."""
        if self.is_sqlite:
            return sqlite.insert(table)
        from sqlalchemy.dialects import postgresql  # 20 ms that no other store is to pay for

        return postgresql.insert(table)

    def _engine(self) -> Engine:
        if not self.is_sqlite:
            return create_engine(
                self.url, pool_pre_ping=True, connect_args={"connect_timeout": CONNECT_TIMEOUT_S}
            )
        engine = create_engine(self.url, connect_args={"timeout": BUSY_TIMEOUT_S})
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        event.listen(engine, "invalidate", _roll_back_sqlite)
        return engine

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """Yield a session whose transaction commits at the end, or rolls back on any error."""
        with (
            deferred(),
            self.failures(),
            Session(self.engine) as session,
            session.begin(),
        ):
            yield session

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """Yield a session that only reads: it waits for no writer and needs no write access."""
        engine = self.engine.execution_options(writes=False)
        with (
            deferred(),
            self.failures(),
            Session(engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    def analyze(self, table: type[DeclarativeBase]) -> None:
        """Have a server learn how much a table holds now: by itself it looks a minute later.

        Until then it passes all chunks of a new book for each claim.
        """
        if self.is_postgresql:
            with self.session() as session:
                session.execute(text(f"ANALYZE {table.__tablename__}"))

    @contextlib.contextmanager
    def failures(self) -> Iterator[None]:
        """Turn what a database can fail with into a StorageError that says what to do."""
        try:
            yield
        except DBAPIError as error:
            said = str(error.orig).lower()
            for kind, signs in ((StoreAwayError, _AWAY), (StorageError, _REMEDIES)):
                for sign, (what, remedy) in signs.items():
                    if sign in said:
                        raise kind(what, where=self.where, remedy=remedy) from error
            raise StorageError(f"the database failed: {error.orig}", where=self.where) from error
        except OSError as error:
            full = is_full(error)
            what, remedy = _REMEDIES["disk is full" if full else "unable to open"]
            raise StorageError(
                what if full else f"the store cannot be used: {error.strerror}",
                where=str(error.filename or self.where),
                remedy=remedy,
            ) from error

    def _migrate(self) -> None:
        if self.is_sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        with self.engine.connect().execution_options(writes=False) as connection:
            version = _version_of(connection)
            if version is None and inspect(connection).get_table_names():
                raise StorageError(
                    "the database was not made by narrate",
                    where=self.where,
                    remedy="point NARRATE_DATABASE_URL or NARRATE_HOME elsewhere",
                )
        if version == HEAD:
            return
        if version is not None and version > HEAD:
            raise self._too_new(version)
        from narrate.store.migrations import upgrade  # alembic costs 0.3 s: only when needed

        with self.engine.begin() as connection:
            if self.is_postgresql:  # SQLite's own write lock is held from BEGIN on
                connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            upgrade(connection)

    def _too_new(self, version: str) -> NarrateError:
        return StorageError(
            f"the database was made by a newer narrate (schema {version}, this one knows {HEAD})",
            where=self.where,
            remedy="update narrate, or set NARRATE_HOME to another folder",
        )

    def close(self) -> None:
        """Close every connection."""
        with deferred():
            self.engine.dispose()


def _with_driver(url: URL) -> URL:
    """Name the driver that we bring where the URL, as administrators write it, names none."""
    if url.drivername in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    return url


def _version_of(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _configure_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # NOTE: SQLAlchemy must send BEGIN itself; pysqlite's own late BEGIN breaks lock upgrades.
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_S * 1000}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that reads first cannot wait for a writer when it then writes:
    # SQLite answers "locked" at once. Taking the write lock at the start makes it wait its turn.
    writes = connection.get_execution_options().get("writes", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _roll_back_sqlite(connection: sqlite3.Connection, *_: Any) -> None:
    # What a Ctrl-C in a statement leaves is closed, but to SQLite only once its last cursor is
    # gone, and the exception's frames keep that: until then all who wait would wait for its lock.
    with contextlib.suppress(sqlite3.Error):
        connection.rollback()
