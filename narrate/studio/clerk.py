"""Claims what comes next while the last is being spoken, so that no card waits for the store."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from narrate.store import LEAST_CLAIM_TAKES, Claimed, Lease, Store

__all__ = ["Clerk"]

CLAIM_TAKES_ALONE = 1024
CLAIM_TAKES = 256
FIRST_CLAIM_TAKES = 16
# What one who is alone claims should last so long: who comes later has the rest.
CLAIM_S = 5.0


class Clerk:
    """One process's claims: made, made ahead in a thread, ended, given back.

    `expected` processes will speak the book, though some may not be there yet; `company` are.
    """

    def __init__(self, store: Store, lease: Lease, expected: int, longest_first: bool) -> None:
        self.store, self.lease = store, lease
        self.expected, self.longest_first = expected, longest_first
        self.company = 1
        self.waited_s = 0.0  # by the thread that speaks
        self._alone, self._claimed_at = FIRST_CLAIM_TAKES, time.monotonic()
        self._decided: list[str] = []
        self._thread = ThreadPoolExecutor(1, "clerk")
        self._ahead: Future[list[Claimed]] | None = None

    @property
    def sharing(self) -> int:
        """How many processes the book is to be divided among."""
        return max(self.expected, self.company)

    def ask(self, chapters: Sequence[int], after: Claimed) -> None:
        """Begin to claim what comes after one, for the next `claim` to return."""
        self._ahead = self._begin(chapters, after)

    def claim(self, chapters: Sequence[int], after: Claimed | None = None) -> list[Claimed]:
        """Return what was asked for, or claim now; empty when nothing is missing and free."""
        ahead, self._ahead = self._ahead, None
        began = time.monotonic()
        some = (ahead or self._begin(chapters, after)).result()
        self.waited_s += time.monotonic() - began
        return some

    def decided(self, key: str) -> None:
        """Have the claim end on a take of which it is decided what it is."""
        self._decided.append(key)

    def settle(self) -> None:
        """End those claims now."""
        if self._ahead:
            self._ahead.exception()  # whoever claims next is told
        if self._decided:
            self.store.claims.end(self._decided)
        self._decided = []

    def release(self) -> None:
        """Give back all that is claimed, what was asked for too."""
        ahead, self._ahead = self._ahead, None
        if ahead:
            ahead.exception()
        self.store.claims.release(self.lease)

    def close(self) -> None:
        """Wait for what is being claimed; the end of the lease gives it back."""
        self._thread.shutdown()

    def _begin(self, chapters: Sequence[int], after: Claimed | None) -> Future[list[Claimed]]:
        decided, self._decided = self._decided, []
        return self._thread.submit(self._take, decided, list(chapters), after)

    def _take(
        self, decided: list[str], chapters: list[int], after: Claimed | None
    ) -> list[Claimed]:
        if decided:
            self.store.claims.end(decided)
        self.company = max(1, self.store.claims.workers(self.lease.book_id))
        alone = self.sharing == 1
        most = self._while_alone() if alone else CLAIM_TAKES
        parts = 1 if alone else 2 * self.sharing  # fewer towards the end: all end together
        return self.store.claims.take(
            self.lease, chapters, most, after, longest_first=self.longest_first, parts=parts
        )

    def _while_alone(self) -> int:
        """How many to claim alone, by how long the last ones lasted."""
        before, self._claimed_at = self._claimed_at, time.monotonic()
        if self._claimed_at - before < CLAIM_S:
            self._alone = min(2 * self._alone, CLAIM_TAKES_ALONE)
        else:
            self._alone = max(self._alone // 2, LEAST_CLAIM_TAKES)
        return self._alone
