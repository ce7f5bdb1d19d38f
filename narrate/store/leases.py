"""Who works on a book: each process has a row that a heartbeat keeps alive, and one of them leads.

The leader plans, stitches and delivers; the others speak beside it. A process that died loses its
row, and with it the lead and all it had claimed, once the row has expired; on the same machine at
once, so that a run after `kill -9` need not wait. Time is the database's: hosts may disagree.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from sqlalchemy import Row, Select, delete, func, select
from sqlalchemy.orm import Session

from narrate.errors import BusyError, NarrateError, StorageError
from narrate.store.database import Database
from narrate.store.processes import has_ended, machine, start_of
from narrate.store.records import Worker
from narrate.store.schema import ChunkRow, ClaimRow, LeaseRow, WorkerRow

__all__ = ["Lease", "Leases"]

LEASE_S = 60.0
HEARTBEAT_S = 10.0


class Lease:
    """This process's place at one book; `stop` is set when its work there should end."""

    def __init__(self, book_id: str) -> None:
        self.book_id = book_id
        self.worker_id = uuid.uuid4().hex
        self.leads = False
        self.lost = False  # the lead, to another
        self.renewed = time.time()
        self.stop = threading.Event()
        self.blocks = 0
        self.lock = threading.Lock()

    def taken_over(self) -> BusyError:
        """Return what to say when another run leads the book now."""
        return BusyError(
            "this run stood still for so long that another has taken its place",
            where=self.book_id,
            remedy="let that one finish; `narrate status` shows it",
        )


class Leases:
    """Takes, keeps and gives back leases; within a process the same book may be taken again."""

    _held: dict[tuple[str, str], Lease] = {}  # noqa: RUF012 - shared by all stores of a process
    _lock = threading.Lock()

    def __init__(self, database: Database) -> None:
        self.database = database

    @contextlib.contextmanager
    def hold(self, book_id: str) -> Iterator[Lease]:
        """Lead the book while the block runs; BusyError if another run leads it."""
        with self.lead(book_id) as lease:
            if lease is None:
                raise BusyError(
                    f"another run is narrating this book: {self.holder(book_id) or 'just ended'}",
                    where=book_id,
                    remedy="wait for it or stop it, then run the same command again",
                )
            yield lease

    @contextlib.contextmanager
    def lead(self, book_id: str) -> Iterator[Lease | None]:
        """Lead the book while the block runs; yields None if another process leads it.

        BusyError, too, where the block fails because another process has taken the lead over.
        """
        with self.join(book_id) as lease:
            if lease.leads:
                yield lease
                return
            with self.database.session() as session:
                self._bury(session)
                lease.leads = self._take_lead(session, lease)
            try:
                yield lease if lease.leads else None
            except NarrateError as error:
                if lease.lost and not isinstance(error, BusyError):
                    raise lease.taken_over() from error
                raise
            finally:
                if lease.leads:
                    self._give_up(lease)

    @contextlib.contextmanager
    def join(self, book_id: str) -> Iterator[Lease]:
        """Be at work on the book while the block runs, beside whoever else is."""
        key = (str(self.database.url), book_id)
        with self._lock:
            lease = self._held.get(key)
            if lease is None:
                lease = Lease(book_id)
                with self.database.session() as session:
                    self.register(session, lease)
                self._held[key] = lease
            lease.blocks += 1
        if lease.blocks > 1:
            try:
                yield lease
            finally:
                lease.blocks -= 1
            return
        done = threading.Event()
        beat = threading.Thread(target=self._keep, args=(lease, done), daemon=True)
        beat.start()
        try:
            yield lease
        except BaseException:
            lease.stop.set()
            raise
        finally:
            done.set()
            beat.join()
            with self._lock:
                del self._held[key]
            with contextlib.suppress(StorageError), self.database.session() as session:
                session.execute(delete(WorkerRow).where(WorkerRow.id == lease.worker_id))

    def stop_of(self, book_id: str) -> Callable[[], bool] | None:
        """Return what work at a book asks whether to end; None without a place there."""
        lease = self._held.get((str(self.database.url), book_id))
        return partial(self.is_over, lease) if lease else None

    def holder(self, book_id: str) -> str | None:
        """Return who leads the book now, as `process N on HOST`, or None."""
        return next((worker.name for worker in self.workers(book_id) if worker.leads), None)

    def workers(self, book_id: str) -> list[Worker]:
        """Return who is at work on a book, its leader first, each with what it has claimed."""
        at_work = (
            select(*_COLUMNS, LeaseRow.book_id.label("leads"))
            .outerjoin(LeaseRow, LeaseRow.worker_id == WorkerRow.id)
            .where(WorkerRow.book_id == book_id)
        )
        claimed = (
            select(ClaimRow.worker_id, func.count(), func.min(ChunkRow.chapter))
            .join(ChunkRow, ChunkRow.take_key == ClaimRow.take_key)
            .where(ChunkRow.book_id == book_id)
            .group_by(ClaimRow.worker_id)
        )
        with self.database.reading() as session:
            alive = [row for row in session.execute(self._with_age(at_work)) if not _is_gone(row)]
            claims = {worker: (chunks, first) for worker, chunks, first in session.execute(claimed)}
        found = [
            Worker(f"process {row.pid} on {row.host}", bool(row.leads), *claims.get(row.id, (0, 0)))
            for row in alive
        ]
        return sorted(found, key=lambda worker: (not worker.leads, worker.name))

    def register(self, session: Session, lease: Lease) -> None:
        """Write or renew this process's row, in the caller's transaction."""
        values = {
            "id": lease.worker_id,
            "book_id": lease.book_id,
            "host": socket.gethostname(),
            "machine": machine(),
            "pid": os.getpid(),
            "started": start_of(os.getpid()),
            "expires_at": self.database.now + LEASE_S,
        }
        insert = self.database.insert(WorkerRow).values(values)
        renewed = {"expires_at": insert.excluded.expires_at}
        session.execute(insert.on_conflict_do_update(index_elements=["id"], set_=renewed))

    def bury(self) -> None:
        """Remove whoever died, so that what it had claimed is free."""
        with self.database.reading() as session:
            gone = self._gone(session)
        if gone:
            with self.database.session() as session:
                self._remove(session, gone)

    def _bury(self, session: Session) -> None:
        self._remove(session, self._gone(session))

    def _gone(self, session: Session) -> list[Row[Any]]:
        rows = session.execute(self._with_age(select(*_COLUMNS).order_by(WorkerRow.id)))
        return [row for row in rows if _is_gone(row)]

    def _with_age(self, query: Select[Any]) -> Select[Any]:
        return query.add_columns((WorkerRow.expires_at < self.database.now).label("expired"))

    def _remove(self, session: Session, gone: Iterable[Row[Any]]) -> None:
        for row in gone:  # unless it came back to life in between
            same = (WorkerRow.id == row.id) & (WorkerRow.expires_at == row.expires_at)
            session.execute(delete(WorkerRow).where(same))

    def _take_lead(self, session: Session, lease: Lease) -> bool:
        """Take the lead, or find it taken; who comes second waits for the first to commit."""
        insert = self.database.insert(LeaseRow).values(
            book_id=lease.book_id, worker_id=lease.worker_id
        )
        session.execute(insert.on_conflict_do_nothing(index_elements=["book_id"]))
        leader = select(LeaseRow.worker_id).where(LeaseRow.book_id == lease.book_id)
        return bool(session.scalar(leader) == lease.worker_id)

    def is_over(self, lease: Lease) -> bool:
        """Whether the work at a place should end.

        Whoever stood still for so long that it may have expired, as on a machine that slept, asks
        the store first, and not only with the next heartbeat.
        """
        if not lease.stop.is_set() and abs(time.time() - lease.renewed) > LEASE_S:
            self._renew(lease)
        return lease.stop.is_set()

    def _keep(self, lease: Lease, done: threading.Event) -> None:
        while not done.wait(HEARTBEAT_S):
            self._renew(lease)

    def _renew(self, lease: Lease) -> None:
        # A heartbeat that fails is no harm: the next one or the expiry decides.
        with (
            contextlib.suppress(StorageError),
            lease.lock,
            self.database.session() as session,
        ):
            self.register(session, lease)
            if lease.leads and not self._take_lead(session, lease):
                lease.lost = True  # another run took over while this one was suspended
                lease.stop.set()
            lease.renewed = time.time()

    def _give_up(self, lease: Lease) -> None:
        with lease.lock:
            lease.leads = False
            with contextlib.suppress(StorageError), self.database.session() as session:
                session.execute(delete(LeaseRow).where(LeaseRow.worker_id == lease.worker_id))


_COLUMNS = (
    WorkerRow.id,
    WorkerRow.host,
    WorkerRow.machine,
    WorkerRow.pid,
    WorkerRow.started,
    WorkerRow.expires_at,
)


def _is_gone(row: Row[Any]) -> bool:
    return bool(row.expired) or has_ended(row.machine, row.pid, row.started)
