"""What is still open in a book, whoever speaks it, and the chapters that wait for it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from narrate.store import Line, Store

__all__ = ["Board", "Closed"]

LOOK_EVERY_S = 2.0
# Of the time, at most: a look at 32,000 chunks takes 0.25 s, in which a card runs dry.
LOOK_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Closed:
    """Chunks whose take is there for good, and how long it is."""

    lines: tuple[Line, ...]
    duration_s: float


class Board:
    """The open takes of some chapters; a take is open until it is stored and decided on.

    A take that is stored is still open while somebody holds the claim on it, and while it has a
    fault and its chunks may have another attempt. `abandoned` are bad ones that nobody is at. At
    `due`, by the monotonic clock, another look is worth its time.
    """

    def __init__(self, store: Store, book_id: str, chapters: Iterable[int], most: int) -> None:
        self.store, self.book_id, self.most = store, book_id, most
        self.waiting = set(chapters)
        self.open: dict[str, list[Line]] = {}
        self.abandoned: list[Line] = []
        self.left: Counter[int] = Counter()
        self.due = 0.0

    def look(self) -> list[Closed]:
        """Ask the store what is open now; returns what was closed since, by others."""
        began = time.monotonic()
        lines = self.store.outline(self.book_id, sorted(self.waiting))
        known = self.store.takes.known(line.take_key for line in lines)
        undecided = self.store.claims.among(known)
        before = {line.position for owned in self.open.values() for line in owned}
        closed: dict[str, list[Line]] = {}
        self.open, self.abandoned = {}, []
        for line in lines:
            key, take = line.take_key, known.get(line.take_key)
            again = take is not None and take.fault and line.attempt < self.most - 1
            if take is None or again or key in undecided:
                self.open.setdefault(key, []).append(line)
                if again and key not in undecided:
                    self.abandoned.append(line)
            elif line.position in before:
                closed.setdefault(key, []).append(line)
        self.left = Counter(line.chapter for owned in self.open.values() for line in owned)
        ended = time.monotonic()
        self.due = ended + max(LOOK_EVERY_S, (ended - began) / LOOK_SHARE)
        return [Closed(tuple(owned), known[key].duration_s) for key, owned in closed.items()]

    def first_half(self) -> list[int]:
        """The first chapters, as many as hold no more than half of what is open."""
        total, held = sum(self.left.values()), 0
        first = []
        for chapter in sorted(self.waiting):
            held += self.left[chapter]
            if 2 * held > total:
                break
            first.append(chapter)
        return first

    def close(self, key: str) -> None:
        """Count a take of our own as there for good."""
        self.left.subtract(line.chapter for line in self.open.pop(key, ()))

    def rename(self, key: str, new: str, attempt: int) -> None:
        """Let the chunks that waited for one take wait for another attempt's."""
        lines = [replace(line, take_key=new, attempt=attempt) for line in self.open.pop(key, ())]
        self.open.setdefault(new, []).extend(lines)

    def finished(self) -> Iterator[int]:
        """Yield the chapters in which nothing is open any more, each once."""
        for chapter in sorted(self.waiting):
            if not self.left[chapter]:
                self.waiting.remove(chapter)
                yield chapter
