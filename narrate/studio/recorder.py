"""Takes on their way to the disk: encoded by a few threads, stored by another."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from narrate.audio.checks import heard, worst
from narrate.audio.takes import encode_take
from narrate.core import Spoken, Take
from narrate.store import NewTake, Store
from narrate.studio.verify import OTHER_WORDS, Verifier

__all__ = ["MEASURES", "WORD_ERROR", "Recorder"]

MEASURES = "heard"
"""Under this name what was measured stands among a take's checks."""
WORD_ERROR = "word_error"
"""The same of what a recogniser made of it."""

COMMIT_TAKES = 256
COMMIT_S = 0.5
# A card gives its takes in bursts, faster than they are encoded: rows that began together, with
# texts of one length, end together. A take has some half a megabyte.
QUEUE_TAKES = 1024
ENCODERS = 4


class Recorder:
    """Encodes takes in a few threads and stores them in one more, many in one transaction.

    They are stored in the order in which they were spoken. The thread that speaks waits for the
    disk only when 1,024 takes do, and what was spoken when it is stopped is still stored:
    `__exit__` waits for the queue to drain.
    """

    def __init__(
        self, store: Store, verifier: Verifier | None = None, *, varies: bool = True
    ) -> None:
        self.store, self.verifier, self.varies = store, verifier, varies
        self.waiting: queue.Queue[Future[NewTake] | None] = queue.Queue(QUEUE_TAKES)
        self.stored: queue.SimpleQueue[list[Take]] = queue.SimpleQueue()
        self.failure: Exception | None = None
        self.waited_s = 0.0  # by the thread that speaks
        self.encoders = ThreadPoolExecutor(ENCODERS, "encoder")
        self.thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def __enter__(self) -> Recorder:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._finish()

    def record(self, spoken: Iterator[Spoken]) -> Iterator[Take]:
        """Store what is spoken; yields takes as they become safe, and the last at the end."""
        for one in spoken:
            self._put(self.encoders.submit(_encoded, one, self.verifier, self.varies))
            yield from self._safe()
        self._finish()
        yield from self._safe()

    def _safe(self) -> Iterator[Take]:
        if self.failure:
            raise self.failure
        while not self.stored.empty():
            yield from self.stored.get()

    def _put(self, one: Future[NewTake] | None) -> None:
        began = time.monotonic()
        while self.thread.is_alive():
            try:
                self.waiting.put(one, timeout=0.1)
                break
            except queue.Full:
                continue
        self.waited_s += time.monotonic() - began

    def _finish(self) -> None:
        self._put(None)
        self.thread.join()
        self.encoders.shutdown(cancel_futures=True)

    def _run(self) -> None:
        try:
            going = True
            while going:
                going = self._store_some()
        except Exception as error:  # noqa: BLE001 - handed to the thread that speaks
            self.failure = error

    def _store_some(self) -> bool:
        """Store one group: what comes within half a second, at most 256; False at the end."""
        takes: list[NewTake] = []
        until = time.monotonic() + COMMIT_S
        last = False
        while not last and len(takes) < COMMIT_TAKES:
            try:
                one = self.waiting.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if one is None:
                last = True
            else:
                takes.append(one.result())
        if takes:
            self.stored.put(self.store.takes.add(takes))
        return not last


def _encoded(spoken: Spoken, verifier: Verifier | None, varies: bool) -> NewTake:
    utterance = spoken.utterance
    found = heard(spoken, varies=varies)
    measures: dict[str, object] = {}
    fault = found.fault
    if found.measures:
        measures[MEASURES] = found.measures.as_values()
        if verifier:  # what is empty or silent needs no listener
            measures[WORD_ERROR], is_wrong = verifier(spoken)
            fault = worst(fault, OTHER_WORDS) if is_wrong else fault
    return NewTake(
        utterance.take_key,
        encode_take(spoken.samples, spoken.rate_hz),
        len(spoken.samples),
        spoken.rate_hz,
        utterance.seed,
        utterance.attempt,
        {**spoken.checks, **measures},
        fault,
    )
