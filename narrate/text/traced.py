"""Text that remembers where it was written: a string and the source offset of each character."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from narrate.core import Skipped, Span

__all__ = ["Traced", "Tracer", "skipped_in"]


@dataclass(frozen=True, slots=True)
class Traced:
    """`origins[i]` is the source offset of `text[i]`; origins never decrease."""

    text: str
    origins: Sequence[int]

    def part(self, start: int, end: int) -> Traced:
        """The characters `[start, end)` with their origins."""
        return Traced(self.text[start:end], self.origins[start:end])


class Tracer:
    """Collects text from a source, piece by piece, and what is left out on the way."""

    def __init__(self, source: str) -> None:
        """Begin with nothing of `source` taken."""
        self.source = source
        self.skipped: list[Skipped] = []
        self._parts: list[str] = []
        self._origins = array("I")

    def copy(self, start: int, end: int) -> None:
        """Append the source's characters `[start, end)`."""
        self._parts.append(self.source[start:end])
        self._origins.extend(range(start, end))

    def put(self, text: str, origin: int) -> None:
        """Append text that stands for the source at `origin`, a space for a line end say."""
        self._parts.append(text)
        self._origins.extend([origin] * len(text))

    def keep(self, piece: Traced) -> None:
        """Append a piece that is traced already."""
        self._parts.append(piece.text)
        self._origins.extend(piece.origins)

    def skip(self, start: int, end: int, reason: str) -> None:
        """Leave the source's characters `[start, end)` out, for a reason."""
        self.skipped.extend(skipped_in(self.source, start, end, reason))

    def done(self) -> Traced:
        """What was collected; a run that is the source's own needs no array of offsets."""
        text, origins = "".join(self._parts), self._origins
        if origins and origins[-1] - origins[0] == len(origins) - 1:
            run = range(origins[0], origins[-1] + 1)
            if text == self.source[run.start : run.stop]:
                return Traced(text, run)
        return Traced(text, origins)


def skipped_in(source: str, start: int, end: int, reason: str) -> list[Skipped]:
    """The stretch as a skipped span without the white space around it; none if all is space."""
    piece = source[start:end]
    if not piece.strip():
        return []
    start += len(piece) - len(piece.lstrip())
    return [Skipped(Span(start, start + len(piece.strip())), reason)]
