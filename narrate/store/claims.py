"""Who speaks which chunk: claims on takes, so that no two processes ever speak the same words.

A claim is on a take's key, not on a place in a book: two books that say the same words share the
take, and so the claim. It ends when the take is stored and judged, or with the process that made
it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, delete, exists, func, or_, select
from sqlalchemy.orm import Session

from narrate.store.database import Database
from narrate.store.leases import Lease, Leases
from narrate.store.records import Claimed
from narrate.store.schema import ChunkRow, ClaimRow, LeaseRow, TakeRow, WorkerRow
from narrate.store.takes import in_batches

__all__ = ["Claims"]

_LENGTH = func.length(ChunkRow.spoken)


class Claims:
    """Claims on takes that are to be spoken, made in batches: one transaction each."""

    def __init__(self, database: Database, leases: Leases) -> None:
        self.database = database
        self.leases = leases

    def take(
        self,
        lease: Lease,
        chapters: Sequence[int],
        most: int,
        after: Claimed | None = None,
        *,
        longest_first: bool = False,
        parts: int = 1,
        least: int = 1,
    ) -> list[Claimed]:
        """Claim up to `most` takes that are missing: in reading order, or the longest first.

        `after` is the last one of an earlier call: only what comes behind it is looked at. With
        `parts`, no more than that part of what is left, but `least`. An empty list means that
        nothing there is both missing and free; what a process that died had claimed is free.
        Renews the lease.
        """
        order = [-_LENGTH, ChunkRow.position] if longest_first else [ChunkRow.position]
        behind = _behind(after, longest_first)
        self.leases.bury()
        while True:
            with self.database.session() as session:
                self.leases.register(session, lease)
                query = (
                    select(ChunkRow.position, ChunkRow.take_key, ChunkRow.attempt, ChunkRow.spoken)
                    .where(ChunkRow.book_id == lease.book_id, *behind)
                    .where(ChunkRow.chapter.in_(list(chapters)))
                    .where(~exists().where(TakeRow.key == ChunkRow.take_key))
                    .where(~exists().where(ClaimRow.take_key == ChunkRow.take_key))
                    .order_by(*order)
                )
                if parts > 1:
                    some = query.limit(parts * most).subquery()
                    left = session.scalar(select(func.count()).select_from(some)) or 0
                    most = min(most, max(least, left // parts))
                query = query.limit(most)
                if not self.database.is_sqlite:  # others look further on, instead of waiting
                    query = query.with_for_update(of=ChunkRow, skip_locked=True)
                free: dict[str, Claimed] = {}
                for row in session.execute(query):
                    free.setdefault(row.take_key, Claimed(*row))
                if not free:
                    return []
                claimed = self._claim(session, lease, free)
            if claimed:
                return claimed

    def _claim(self, session: Session, lease: Lease, free: dict[str, Claimed]) -> list[Claimed]:
        """Claim what was seen to be free; returns what still was."""
        claim = self.database.insert(ClaimRow).returning(ClaimRow.take_key)
        claim = claim.on_conflict_do_nothing(index_elements=["take_key"])
        claims = [{"take_key": key, "worker_id": lease.worker_id} for key in sorted(free)]
        won = set(session.scalars(claim, claims))
        # Between our look and our claim another may have claimed, spoken and stored it.
        done = set(session.scalars(select(TakeRow.key).where(TakeRow.key.in_(won))))
        session.execute(delete(ClaimRow).where(ClaimRow.take_key.in_(done)))
        return [one for key, one in free.items() if key in won - done]

    def end(self, keys: Sequence[str]) -> None:
        """End the claims on takes that are stored, and of which it is decided what they are."""
        with self.database.session() as session:
            for some in in_batches(keys):
                session.execute(delete(ClaimRow).where(ClaimRow.take_key.in_(some)))

    def release(self, lease: Lease) -> None:
        """Give back all that a process has claimed: what it did not store is free for others."""
        with self.database.session() as session:
            session.execute(delete(ClaimRow).where(ClaimRow.worker_id == lease.worker_id))

    def among(self, keys: Iterable[str]) -> set[str]:
        """Return which of these takes somebody has claimed."""
        with self.database.reading() as session:
            return set(keys) & set(session.scalars(select(ClaimRow.take_key)))

    def others(self, lease: Lease) -> int:
        """Return how many other processes speak a book, by their rows alone.

        One that leads and has claimed nothing waits for the others.
        """
        leads = exists().where(LeaseRow.worker_id == WorkerRow.id)
        has_claims = exists().where(ClaimRow.worker_id == WorkerRow.id)
        query = (
            select(func.count(WorkerRow.id))
            .where(WorkerRow.book_id == lease.book_id, WorkerRow.id != lease.worker_id)
            .where(~leads | has_claims)
        )
        with self.database.reading() as session:
            return session.scalar(query) or 0


def _behind(after: Claimed | None, longest_first: bool) -> list[ColumnElement[bool]]:
    """What comes after one in the order of claims."""
    if after is None:
        return []
    later = ChunkRow.position > after.position
    if not longest_first:
        return [later]
    # NOTE: the first is contained in the second, but only the first lets SQLite begin there in the
    # index, instead of passing all that is spoken already.
    place = -len(after.spoken)
    return [place <= -_LENGTH, or_(place < -_LENGTH, later)]
