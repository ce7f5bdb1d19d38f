"""Another try for a take with a fault: the next seed, and in the end the best of all tries."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from narrate.audio.checks import severity
from narrate.config import Job, Selection
from narrate.core import Voice
from narrate.errors import BackendError
from narrate.speech.backend import Backend
from narrate.store import Book, Claimed, Line, Store
from narrate.studio.casting import open_speech
from narrate.studio.identity import keys_of
from narrate.studio.plan import require_book
from narrate.studio.recorder import WORD_ERROR

__all__ = ["Attempts", "redo"]


def redo(store: Store, book_id: str, chosen: Selection, attempt: int | None = None) -> Job:
    """Give chosen chunks, by position, another attempt: the next one or the one that is named.

    Returns the job that speaks them: their chapters, whatever the last run was asked for.
    BackendError where the voice says the same words the same way each time. The caller holds the
    book's lease.
    """
    book = require_book(store, book_id)
    job = Job(**(book.job or {}))
    lines = store.outline(book_id)
    positions = set(chosen.of(len(lines), "chunk"))
    wanted = [line for line in lines if line.position in positions]
    backend, voice = open_speech(job)
    with closing(backend):
        if not backend.varies:
            raise BackendError(
                f"the {backend.name} voice says the same words the same way each time",
                where=book_id,
                remedy="change the text, or speak with another voice",
            )
        attempts = Attempts(store, book, backend, voice, job.attempts)
        if attempt is None:
            attempts.give({line.position: line.attempt + 1 for line in wanted})
        else:
            attempts.choose(wanted, attempt)
    chapters = sorted({line.chapter for line in wanted})
    return replace(job, chapters=",".join(map(str, chapters)), force=False)


@dataclass(frozen=True, slots=True)
class Attempts:
    """How a book's bad takes are tried again: at most `most` attempts, one where none differs."""

    store: Store
    book: Book
    backend: Backend
    voice: Voice
    most: int

    def again(self, claimed: Claimed) -> str:
        """Give the chunks of a bad take the next attempt; returns the key of its take."""
        attempt = claimed.attempt + 1
        [key] = self._keys([claimed.spoken], [attempt])
        self.store.rename_take(self.book.id, claimed, key, attempt)
        return key

    def settle(self, claimed: Claimed) -> None:
        """Keep the best of all attempts at words for which none was good."""
        attempts = range(claimed.attempt + 1)
        keys = self._keys([claimed.spoken] * len(attempts), attempts)
        known = self.store.takes.get(keys)

        def badness(key: str) -> tuple[int, float]:
            misheard = known[key].checks.get(WORD_ERROR, 0.0)
            return severity(known[key].fault), misheard if isinstance(misheard, float) else 0.0

        # Of equals the newest: who asked for another take is not to be given the old one.
        best = min((key for key in reversed(keys) if key in known), key=badness)
        self.store.rename_take(self.book.id, claimed, best, claimed.attempt)

    def give(self, attempts: dict[int, int]) -> None:
        """Let the chunks at these positions be spoken at these attempts."""
        keys = self._keys_at(attempts)
        self.store.put_keys(self.book, {at: (keys[at], attempts[at]) for at in keys})

    def choose(self, lines: Sequence[Line], attempt: int) -> None:
        """Let chunks have the take of an attempt, as it is where it was spoken already.

        Such a take counts as the last of all attempts, so that a fault in it brings no other.
        """
        keys = self._keys_at({line.position: attempt for line in lines})
        known = self.store.takes.known(keys.values())
        tried = {line.position: max(attempt, line.attempt, self.most - 1) for line in lines}
        self.store.put_keys(
            self.book,
            {at: (key, tried[at] if key in known else attempt) for at, key in keys.items()},
        )

    def _keys_at(self, attempts: dict[int, int]) -> dict[int, str]:
        words = self.store.spoken_at(self.book.id, attempts)
        keys = self._keys(list(words.values()), [attempts[position] for position in words])
        return dict(zip(words, keys, strict=True))

    def _keys(self, words: Sequence[str], attempts: Sequence[int]) -> list[str]:
        return keys_of(words, attempts, self.book.language, self.backend, self.voice)
