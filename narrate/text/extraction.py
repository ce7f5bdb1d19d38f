"""Text taken out of a document that is not text itself: the source is what was extracted.

A reader hands over blocks in reading order, each in pieces that are spoken or are left out for a
reason. Both go into the source, so the spans of a plan can point at either.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from narrate.core import Block, BlockKind, Skipped
from narrate.errors import InputError
from narrate.text.clean import clean
from narrate.text.traced import Tracer

__all__ = ["Extraction", "Run", "boilerplate_aside"]

# What is packed or tagged can be small and yet hold more than the memory: some 1 KB a block.
_MAX_BLOCKS = 300_000
_MAX_CHARS = 32 * 2**20
_START = re.compile(r"\*\*\* ?START OF (?:THE|THIS) PROJECT GUTENBERG", re.IGNORECASE)
_END = re.compile(
    r"\*\*\* ?END OF (?:THE|THIS) PROJECT GUTENBERG|^End of (?:the )?Project Gutenberg['’]s ",
    re.IGNORECASE,
)
HEADER = "Project Gutenberg header"
LICENCE = "Project Gutenberg licence"


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of a block's text, and why it is not spoken, if it is not."""

    text: str
    reason: str = ""


class Extraction:
    """The source and the blocks of a document, growing block by block."""

    def __init__(self, where: str) -> None:
        """Begin with nothing extracted; `where` names the document in errors."""
        self.where = where
        self.blocks: list[Block] = []
        self.skipped: list[Skipped] = []
        self._parts: list[str] = []
        self._length = 0

    @property
    def source(self) -> str:
        """All that was extracted so far."""
        return "".join(self._parts)

    def add(
        self, kind: BlockKind, runs: Sequence[Run], *, level: int = 0, aside: str = ""
    ) -> Block | None:
        """Append a block; returns it, or nothing where there was nothing to speak in it."""
        text = "".join(run.text for run in runs)
        if not text.strip():
            return None
        if len(self.blocks) >= _MAX_BLOCKS or self._length > _MAX_CHARS:
            raise InputError(
                "the document is longer than fifty novels",
                where=self.where,
                remedy="split it into parts and narrate them one by one",
            )
        tracer = Tracer(text)
        place = 0
        for run in runs:
            end = place + len(run.text)
            if run.reason:
                tracer.skip(place, end, run.reason)
            else:
                tracer.copy(place, end)
            place = end
        cleaned, invisible = clean(tracer.done())
        offset = self._length
        self._parts += [text, "\n\n"]
        self._length += len(text) + 2
        for skip in [*tracer.skipped, *invisible]:
            span = replace(skip.span, start=skip.span.start + offset, end=skip.span.end + offset)
            self.skipped.append(Skipped(span, skip.reason))
        if not cleaned.text:
            return None
        if isinstance(cleaned.origins, range):
            first = cleaned.origins.start + offset
            origins: Sequence[int] = range(first, first + len(cleaned.text))
        else:
            origins = [origin + offset for origin in cleaned.origins]
        block = Block(kind, cleaned.text, origins, level, aside)
        self.blocks.append(block)
        return block


def boilerplate_aside(blocks: Sequence[Block]) -> list[Block]:
    """The blocks with Project Gutenberg's header and licence set aside where they are found."""
    start = next((i for i, block in enumerate(blocks[:400]) if _START.search(block.text)), -1)
    ends = (i for i, block in enumerate(blocks) if i > start and _END.search(block.text))
    end = next(ends, len(blocks))
    result = list(blocks)
    for index, block in enumerate(blocks):
        if index <= start or index >= end:
            result[index] = replace(block, aside=HEADER if index <= start else LICENCE)
    return result
