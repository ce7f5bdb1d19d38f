"""One book, one run: a row that says who works on a book, kept alive by a heartbeat.

A lease whose holder died expires by itself; on the same host a holder whose process is gone
loses it at once, so that a run after `kill -9` need not wait.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator

import psutil

from narrate.errors import BusyError, StorageError
from narrate.store.database import Database
from narrate.store.schema import LeaseRow

__all__ = ["Lease", "Leases"]

LEASE_S = 60.0
HEARTBEAT_S = 10.0


class Lease:
    """The right to work on one book; `stop` is set when work on it should end."""

    def __init__(self, book_id: str) -> None:
        self.book_id = book_id
        self.owner = uuid.uuid4().hex
        self.stop = threading.Event()


class Leases:
    """Takes, keeps and gives back leases; within a process the same book may be taken again."""

    _held: dict[tuple[str, str], Lease] = {}  # noqa: RUF012 - shared by all stores of a process
    _lock = threading.Lock()

    def __init__(self, database: Database) -> None:
        self.database = database

    @contextlib.contextmanager
    def hold(self, book_id: str) -> Iterator[Lease]:
        """Hold the book while the block runs; BusyError if another run holds it."""
        key = (str(self.database.url), book_id)
        with self._lock:
            lease = self._held.get(key)
            outermost = lease is None
            if lease is None:
                lease = self._held[key] = self._take(book_id)
        if not outermost:
            yield lease
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
            self._give_back(lease)

    def current(self, book_id: str) -> Lease | None:
        """Return the lease that this process holds on the book."""
        return self._held.get((str(self.database.url), book_id))

    def holder_of(self, row: LeaseRow) -> str | None:
        """Return who holds a lease, or None when it has expired or its process is gone."""
        if row.expires_at < time.time() or _is_gone(row):
            return None
        return f"process {row.pid} on {row.host}"

    def _take(self, book_id: str) -> Lease:
        lease = Lease(book_id)
        with self.database.session() as session:
            row = session.get(LeaseRow, book_id, with_for_update=True)
            if row is not None and (holder := self.holder_of(row)):
                raise BusyError(
                    f"another run is narrating this book: {holder}",
                    where=book_id,
                    remedy="wait for it or stop it, then run the same command again",
                )
            session.merge(
                LeaseRow(
                    book_id=book_id,
                    owner=lease.owner,
                    host=socket.gethostname(),
                    pid=os.getpid(),
                    started=psutil.Process().create_time(),
                    expires_at=time.time() + LEASE_S,
                )
            )
        return lease

    def _keep(self, lease: Lease, done: threading.Event) -> None:
        while not done.wait(HEARTBEAT_S):
            # A heartbeat that fails is no harm: the next one or the expiry decides.
            with contextlib.suppress(StorageError), self.database.session() as session:
                row = session.get(LeaseRow, lease.book_id, with_for_update=True)
                if row is None or row.owner != lease.owner:
                    lease.stop.set()  # another run took over while this one was suspended
                    return
                row.expires_at = time.time() + LEASE_S

    def _give_back(self, lease: Lease) -> None:
        with contextlib.suppress(StorageError), self.database.session() as session:
            row = session.get(LeaseRow, lease.book_id)
            if row is not None and row.owner == lease.owner:
                session.delete(row)


def _is_gone(row: LeaseRow) -> bool:
    if row.host != socket.gethostname():
        return False
    try:
        # A process number comes back after a restart: the start time tells them apart.
        return abs(psutil.Process(row.pid).create_time() - row.started) > 1.0
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
