"""Takes: recordings kept under their key, written so that a row never speaks of a missing file.

The order of writes: audio to a temporary file, fsync, rename, fsync of the folder, then the row.
A crash between any two of them costs the take, never the truth.
"""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from sqlalchemy import Double, Row, cast, delete, select, update
from sqlalchemy.orm import Session

from narrate.core import Take
from narrate.files import size_before, sync_folder
from narrate.store.database import Database
from narrate.store.records import Known
from narrate.store.schema import ChunkRow, NormsRow, TakeRow, WorkerRow

__all__ = ["NewTake", "Takes", "Unused", "in_batches"]

_IN_QUERY = 500
_OF_CONTENT = 12
_SYNCS = 8
_TEMPORARY = ".part"
_ABANDONED_AFTER_S = 3600


_TAKE = select(TakeRow.__table__)
_Item = TypeVar("_Item")


def in_batches(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    """Yield items in lists that one statement can name, so that its size stays bounded."""
    rest = iter(items)
    while some := list(islice(rest, _IN_QUERY)):
        yield some


@dataclass(frozen=True, slots=True)
class NewTake:
    """A recording that is to be stored: encoded audio and what it is."""

    take_key: str
    audio: bytes
    samples: int
    rate_hz: int
    seed: int
    attempt: int
    checks: Mapping[str, object]
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Unused:
    """What no book uses: keys with rows, and files that no row speaks of."""

    keys: tuple[str, ...]
    files: tuple[Path, ...]
    size_bytes: int


class Takes:
    """The folder of takes and the table that describes it."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.disk = ThreadPoolExecutor(_SYNCS, "disk")

    def close(self) -> None:
        """End the threads that write."""
        self.disk.shutdown()

    def add(self, takes: Sequence[NewTake]) -> list[Take]:
        """Store recordings, all of them or none of the rows; returns them as they lie on disk.

        What is there already stays as it is: two processes may come to have spoken the same take,
        and what was made of the first one must stay true.
        """
        if not takes:
            return []
        with self.database.failures():
            rows = {str(row["key"]): row for row in self._files(takes)}
        insert = self.database.insert(TakeRow).on_conflict_do_nothing(index_elements=["key"])
        in_order = [rows[key] for key in sorted(rows)]  # two that store the same cannot deadlock
        with self.database.session() as session:
            ours = set(session.scalars(insert.returning(TakeRow.key), in_order))
            theirs = _TAKE.where(TakeRow.key.in_(rows.keys() - ours))
            stored = {key: self._take(rows[key]) for key in ours}
            stored |= {row.key: self._take(row._asdict()) for row in session.execute(theirs)}
        with self.database.failures():
            for key in stored.keys() - ours:  # another process was first
                if self._path(rows[key]) != stored[key].audio_path:
                    self._path(rows[key]).unlink(missing_ok=True)
        return [stored[take.take_key] for take in takes if take.take_key in stored]

    def _files(self, takes: Sequence[NewTake]) -> list[dict[str, Any]]:
        """Write the files of takes; returns their rows when all of them are safe.

        A disk syncs many files together in little more than the time of one.
        """
        rows = list(self.disk.map(self._file, takes))
        list(self.disk.map(sync_folder, {self._path(row).parent for row in rows}))
        return rows

    def _file(self, take: NewTake) -> dict[str, Any]:
        """Write a take's file; returns its row.

        The name holds what was said and what came of it: two processes that speak the same take
        at the same time never write to one file. Two letters of the key spread the folders.
        """
        sha256 = hashlib.sha256(take.audio).hexdigest()
        name = f"{take.take_key[:2]}/{take.take_key}-{sha256[:_OF_CONTENT]}.flac"
        stat = self._write(self.folder / name, take.audio)
        return {
            "key": take.take_key,
            "path": name,
            "sha256": sha256,
            "size_bytes": stat.st_size,
            "mtime_ns": stat.st_mtime_ns,
            "samples": take.samples,
            "rate_hz": take.rate_hz,
            "seed": take.seed,
            "attempt": take.attempt,
            "checks": dict(take.checks),
            "fault": take.fault,
            "created_at": time.time(),
        }

    def _path(self, row: Mapping[str, Any]) -> Path:
        return self.folder / str(row["path"])

    def _write(self, path: Path, audio: bytes) -> os.stat_result:
        temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}{_TEMPORARY}")
        try:
            with self._opened(temporary) as file:
                file.write(audio)
                file.flush()
                os.fsync(file.fileno())
                stat = os.fstat(file.fileno())
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        return stat

    def _opened(self, temporary: Path) -> BinaryIO:
        try:
            return temporary.open("xb")
        except FileNotFoundError:
            temporary.parent.mkdir(parents=True, exist_ok=True)
            sync_folder(temporary.parent.parent)
            return temporary.open("xb")

    def get(self, keys: Iterable[str]) -> dict[str, Take]:
        """Return the takes that have a row, by key; whether their files are sound is not asked."""
        found: dict[str, Take] = {}
        with self.database.reading() as session:
            for some in in_batches(dict.fromkeys(keys)):
                rows = session.execute(_TAKE.where(TakeRow.key.in_(some)))
                found.update((row.key, self._take(row._asdict())) for row in rows)
        return found

    def sha256s(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the SHA-256 of each take that has a row."""
        found: dict[str, str] = {}
        with self.database.reading() as session:
            for some in in_batches(dict.fromkeys(keys)):
                query = select(TakeRow.key, TakeRow.sha256).where(TakeRow.key.in_(some))
                found.update((key, sha256) for key, sha256 in session.execute(query))
        return found

    def known(self, keys: Iterable[str]) -> dict[str, Known]:
        """Return what is known of each take that has a row."""
        found: dict[str, Known] = {}
        length_s = cast(TakeRow.samples, Double) / TakeRow.rate_hz
        with self.database.reading() as session:
            for some in in_batches(dict.fromkeys(keys)):
                query = select(TakeRow.key, length_s, TakeRow.fault, TakeRow.created_at)
                rows = session.execute(query.where(TakeRow.key.in_(some)))
                found.update((key, Known(*rest)) for key, *rest in rows)
        return found

    def faults(self, keys: Iterable[str]) -> dict[str, str]:
        """Return what was wrong with each take that was stored as a bad one."""
        found: dict[str, str] = {}
        with self.database.reading() as session:
            for some in in_batches(dict.fromkeys(keys)):
                query = select(TakeRow.key, TakeRow.fault).where(TakeRow.fault.is_not(None))
                rows = session.execute(query.where(TakeRow.key.in_(some)))
                found.update((key, fault) for key, fault in rows if fault)
        return found

    def mark(self, key: str, fault: str) -> None:
        """Say of a stored take that it is a bad one."""
        with self.database.session() as session:
            session.execute(update(TakeRow).where(TakeRow.key == key).values(fault=fault))

    def norms(self, key: str) -> dict[str, Any] | None:
        """Return how a voice speaks, as it was first kept under this key."""
        with self.database.reading() as session:
            row = session.get(NormsRow, key)
            return row.numbers if row else None

    def put_norms(self, key: str, numbers: Mapping[str, Any]) -> dict[str, Any]:
        """Keep how a voice speaks unless it is known; returns what is kept."""
        insert = self.database.insert(NormsRow)
        with self.database.session() as session:
            session.execute(insert.values(key=key, numbers=numbers).on_conflict_do_nothing())
            return session.get_one(NormsRow, key).numbers

    def damaged(self, keys: Iterable[str], *, thorough: bool) -> dict[str, str]:
        """Return the keys whose file is not the one that was stored, each with what is wrong.

        The quick check compares size and time of change, and reads a file only when they differ;
        the thorough one reads every file and compares its SHA-256.
        """
        wrong: dict[str, str] = {}
        with self.database.reading() as session:
            for some in in_batches(dict.fromkeys(keys)):
                query = select(
                    TakeRow.key, TakeRow.path, TakeRow.size_bytes, TakeRow.mtime_ns, TakeRow.sha256
                )
                for row in session.execute(query.where(TakeRow.key.in_(some))):
                    if fault := _fault(row, self.folder / row.path, thorough):
                        wrong[row.key] = fault
        return wrong

    def drop(self, keys: Iterable[str]) -> None:
        """Forget takes and remove their files; a file that is already gone is no error.

        The files go first: once the rows are gone, another process may store the takes anew.
        """
        with self.database.session() as session:
            self.drop_in(session, keys)

    def drop_in(self, session: Session, keys: Iterable[str]) -> None:
        """Do it in a transaction of the caller's."""
        for some in in_batches(dict.fromkeys(keys)):
            self._drop(session, some)

    def _drop(self, session: Session, keys: Iterable[str]) -> None:
        these = TakeRow.key.in_(list(keys))
        for path in session.scalars(select(TakeRow.path).where(these)):
            (self.folder / path).unlink(missing_ok=True)
        session.execute(delete(TakeRow).where(these))

    def unused(self) -> Unused:
        """Return what no book uses; what is young is left out while any book is being spoken.

        A young file may be on its way to a row, and a young take one of several tries at words.
        """
        with self.database.reading() as session:
            used = set(session.scalars(select(ChunkRow.take_key).distinct()))
            columns = select(TakeRow.key, TakeRow.path, TakeRow.size_bytes, TakeRow.created_at)
            rows = {row.key: row for row in session.execute(columns)}
            oldest = _oldest(session)
        keys = [key for key in sorted(rows.keys() - used) if rows[key].created_at < oldest]
        known = {self.folder / row.path for row in rows.values()}
        strays = {
            path: size
            for path in sorted(self.folder.glob("??/*"))
            if path not in known and (size := size_before(path, oldest)) is not None
        }
        size = sum(rows[key].size_bytes for key in keys) + sum(strays.values())
        return Unused(tuple(keys), tuple(strays), size)

    def remove(self, unused: Unused) -> None:
        """Delete what `unused` listed, as far as nobody has come to use it since."""
        with self.database.session() as session:
            for some in in_batches(unused.keys):
                used = select(ChunkRow.take_key).where(ChunkRow.take_key.in_(some))
                self._drop(session, set(some) - set(session.scalars(used)))
            oldest = _oldest(session)
            for paths in in_batches(unused.files):
                names = [path.relative_to(self.folder).as_posix() for path in paths]
                known = select(TakeRow.path).where(TakeRow.path.in_(names))
                for path in set(paths) - {self.folder / name for name in session.scalars(known)}:
                    if size_before(path, oldest) is not None:
                        path.unlink(missing_ok=True)

    def _take(self, row: Mapping[str, Any]) -> Take:
        told = ("sha256", "samples", "rate_hz", "seed", "attempt", "checks", "fault")
        return Take(row["key"], self._path(row), *(row[name] for name in told))


def _oldest(session: Session) -> float:
    """The time before which something unused was made by nobody who is still at work."""
    busy = session.scalars(select(WorkerRow.id).limit(1)).first()
    return time.time() - _ABANDONED_AFTER_S if busy else float("inf")


def _fault(row: Row[Any], path: Path, thorough: bool) -> str | None:
    try:
        stat = path.stat()
        if stat.st_size != row.size_bytes:
            return "has another length than was stored"
        if not thorough and stat.st_mtime_ns == row.mtime_ns:
            return None
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None if digest == row.sha256 else "has another content than was stored"
