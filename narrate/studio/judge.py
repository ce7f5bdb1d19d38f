"""Takes against the norms of their voice: which of them do not sound like the others.

The norms are made once, from the first takes of a voice and a language that are stored, and kept:
who comes later, or at the same time in another process, judges by the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from narrate.audio.checks import outlier
from narrate.audio.measures import Measures
from narrate.audio.norms import NORMS_FROM, NORMS_VERSION, Norms, norms_of
from narrate.core import Take
from narrate.store import Book, Line, Store
from narrate.studio.recorder import MEASURES

__all__ = ["Judge"]


class Judge:
    """Holds takes back until there are norms, then gives them on, judged.

    A take that is found bad is marked in the store first. Where a book has fewer than `NORMS_FROM`
    takes, nothing is compared and nothing held back.
    """

    def __init__(self, store: Store, book: Book) -> None:
        self.store, self.book = store, book
        self.key = f"{book.speech_digest}:{book.language}:{NORMS_VERSION}"
        known = store.takes.norms(self.key)
        self.norms = Norms.from_values(known) if known else None
        self._waits = True
        self._known: list[Take] = []
        self._held: list[Take] = []
        self._measured: list[Measures] = []

    def begin(self, lines: Sequence[Line]) -> None:
        """Judge what is stored already, now or once there are norms.

        A run may have ended between storing and judging, or before there was enough to compare.
        """
        self._waits = len({line.take_key for line in lines}) >= NORMS_FROM
        takes = self.store.takes.get(line.take_key for line in lines).values()
        self._known = [take for take in takes if not take.fault and _measures(take)]
        self._measured = [one for take in self._known if (one := _measures(take))]
        if self.norms is None:
            self._find_norms()
        else:
            self._judge_known()

    @property
    def decided(self) -> bool:
        """Whether what is stored has been judged as far as it will be."""
        return self.norms is not None or not self._waits

    @property
    def can_decide(self) -> bool:
        """Whether another process has made the norms that this one waits for."""
        return not self.decided and self.store.takes.norms(self.key) is not None

    def heard(self, takes: Iterable[Take]) -> Iterator[Take]:
        """Yield takes in the order they came in, each with its fault if it has one."""
        for take in takes:
            self._held.append(take)
            if self.norms is None and not take.fault and (measures := _measures(take)):
                self._measured.append(measures)
                self._find_norms()
            if self.decided:
                yield from self._released()
        if self.norms is None and (known := self.store.takes.norms(self.key)):
            self.norms = Norms.from_values(known)  # another process had enough to compare
            self._judge_known()
        yield from self._released()

    def _released(self) -> Iterator[Take]:
        held, self._held = self._held, []
        yield from self._judged(held)

    def _find_norms(self) -> None:
        if self.norms is None and len(self._measured) >= NORMS_FROM:
            made = norms_of(self._measured)
            self.norms = Norms.from_values(self.store.takes.put_norms(self.key, made.as_values()))
            self._measured = []
            self._judge_known()

    def _judge_known(self) -> None:
        known, self._known = self._known, []
        for _ in self._judged(known):
            pass

    def _judged(self, takes: Iterable[Take]) -> Iterator[Take]:
        for take in takes:
            measures = _measures(take)
            if take.fault or self.norms is None or measures is None:
                yield take
                continue
            weight = measures.speech_s / measures.pace if measures.pace else 0.0
            fault = outlier(measures, weight, self.norms)
            if fault:
                self.store.takes.mark(take.take_key, fault)
            yield replace(take, fault=fault)


def _measures(take: Take) -> Measures | None:
    values = take.checks.get(MEASURES)
    return Measures.from_values(values) if isinstance(values, dict) else None
