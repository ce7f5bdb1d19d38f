"""Everything that can go wrong and be said in one line; each class knows its exit code.

    NarrateError                 1   something of ours failed
    ├── UsageError               2   the words of the command do not fit together
    ├── InputError               3   the document cannot be read or holds nothing to say
    ├── OutputError              4   a result cannot be written (permission, a foreign file)
    ├── StorageError             5   the disk is full, or the store is corrupt, locked, too new
    │   └── StoreAwayError           its database server does not answer just now
    ├── BusyError                6   another run holds the book
    ├── VoiceError               7   the voice, its transcript or its prompt is unusable
    ├── BackendError             8   the speaking part cannot start or failed for good
    └── IncompleteError          9   the run ended, but some chunks are marked as bad

130 is a stop by Ctrl-C and 143 by SIGTERM, as shells have it. A message has three parts: what
happened, where, and what to do now.
"""

from __future__ import annotations

__all__ = [
    "BackendError",
    "BusyError",
    "IncompleteError",
    "InputError",
    "NarrateError",
    "OutputError",
    "StorageError",
    "StoreAwayError",
    "UsageError",
    "VoiceError",
]


class NarrateError(Exception):
    """A failure that the user can read: what, where, and what to do now."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what, self.where, self.remedy = what, where, remedy
        place = f" ({where})" if where else ""
        advice = f". {remedy[0].upper()}{remedy[1:]}" if remedy else ""
        super().__init__(f"{what}{place}{advice}")

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the three parts when the error crosses a process."""
        return (_rebuild, (type(self), self.what, self.where, self.remedy))


def _rebuild(kind: type[NarrateError], what: str, where: str, remedy: str) -> NarrateError:
    return kind(what, where=where, remedy=remedy)


class UsageError(NarrateError):
    """The words of the command do not fit together."""

    exit_code = 2


class InputError(NarrateError):
    """The document cannot be read, or holds nothing to say."""

    exit_code = 3


class OutputError(NarrateError):
    """A result cannot be written where it should go."""

    exit_code = 4


class StorageError(NarrateError):
    """The disk is full, or the store is corrupt, locked, read-only or too new."""

    exit_code = 5


class StoreAwayError(StorageError):
    """The database server does not answer just now; another try may find it back."""


class BusyError(NarrateError):
    """Another run holds the book."""

    exit_code = 6


class VoiceError(NarrateError):
    """The voice, its transcript or its prompt is unusable."""

    exit_code = 7


class BackendError(NarrateError):
    """The speaking part cannot start, or failed for good."""

    exit_code = 8


class IncompleteError(NarrateError):
    """The run ended, but some chunks are marked as bad."""

    exit_code = 9
