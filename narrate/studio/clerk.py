"""Claims what comes next while the last is being spoken, so that no card waits for the store."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from narrate.store import Claimed, Lease, Store

__all__ = ["Clerk"]

# More than an engine's rows: those that began together end together, and all ask for new ones.
CLAIM_TAKES = 1024
FIRST_CLAIM_TAKES = 256
FIRST_CLAIM_TAKES_ALONE = 16
LEAST_CLAIM_TAKES = 4
LEAST_OF_A_CLAIM = 32
# What is claimed at a time should last so long: who comes later has the rest.
CLAIM_S = 5.0


class Clerk:
    """One process's claims: made, made ahead in a thread, ended, given back.

    `expected` processes will speak the book, though some may not be there yet; `company` do. With
    `longest_first`, chapters that are `early` come before that, in reading order.
    """

    def __init__(self, store: Store, lease: Lease, expected: int, longest_first: bool) -> None:
        self.store, self.lease = store, lease
        self.expected, self.longest_first = expected, longest_first
        self.company = 1
        self.waited_s = 0.0  # by the thread that speaks
        self._most = FIRST_CLAIM_TAKES_ALONE if expected == 1 else FIRST_CLAIM_TAKES
        self._begun_at: float | None = None
        self._decided: list[str] = []
        self._early: frozenset[int] = frozenset()
        self._thread = ThreadPoolExecutor(1, "clerk")
        self._ahead: Future[list[Claimed]] | None = None

    @property
    def sharing(self) -> int:
        """How many processes the book is to be divided among."""
        return max(self.expected, self.company)

    def begin(self, early: Iterable[int]) -> None:
        """Begin anew, with some chapters before all others: so they can be heard before the end.

        What is left for the longest first has to be enough for all rows to end together.
        """
        self._early = frozenset(early if self.longest_first else ())

    def stand_back(self) -> None:
        """Note who speaks while this process does not."""
        self.company = max(1, self.store.claims.others(self.lease))

    def begun(self) -> None:
        """Note that the first of the last claim is begun, and so how long the one before lasted."""
        before, self._begun_at = self._begun_at, time.monotonic()
        if before is None:
            return
        if self._begun_at - before < CLAIM_S:
            self._most = min(2 * self._most, CLAIM_TAKES)
        else:
            self._most = max(self._most // 2, LEAST_CLAIM_TAKES)

    def ask(self, chapters: Sequence[int], after: Claimed) -> None:
        """Begin to claim what comes after one, for the next `claim` to return."""
        self._ahead = self._begin(chapters, after, self._most // LEAST_OF_A_CLAIM)

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

    def _begin(
        self, chapters: Sequence[int], after: Claimed | None, least: int = 0
    ) -> Future[list[Claimed]]:
        decided, self._decided = self._decided, []
        return self._thread.submit(self._take, decided, list(chapters), after, least)

    def _take(
        self, decided: list[str], chapters: list[int], after: Claimed | None, least: int
    ) -> list[Claimed]:
        if decided:
            self.store.claims.end(decided)
        least = max(LEAST_CLAIM_TAKES, least)
        self.company = 1 + self.store.claims.others(self.lease)
        if self._early:
            early = [chapter for chapter in chapters if chapter in self._early]
            some = early and self.store.claims.take(
                self.lease, early, self._most, after, parts=self.sharing, least=least
            )
            if some:
                return some
            self._early, after = frozenset(), None
        # Fewer towards the end, where there are others, so that all end together; but not so few
        # that each of them waits for the store.
        parts = 1 if self.sharing == 1 else 3 * self.sharing
        return self.store.claims.take(
            self.lease,
            chapters,
            self._most,
            after,
            longest_first=self.longest_first,
            parts=parts,
            least=least,
        )
