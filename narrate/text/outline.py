"""Blocks to chapters: what stands before the first chapter opens it, a lone "Part I" the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from narrate.core import Block, BlockKind, Chapter
from narrate.text.headings import Heading

__all__ = ["Entry", "chapters_by_level", "chapters_of", "opening_title"]

_OPENING_CHARS = 600  # a title page is shorter; more than this before chapter 1 is a chapter
_TITLE_CHARS = 80


@dataclass(frozen=True, slots=True)
class Entry:
    """A block, and the heading it is where it begins a chapter."""

    block: Block
    heading: Heading | None = None


@dataclass(slots=True)
class _Draft:
    title: str
    word: str
    blocks: list[Block] = field(default_factory=list)

    @property
    def bare(self) -> bool:
        return all(block.kind is BlockKind.HEADING for block in self.blocks)


def chapters_of(entries: Sequence[Entry], title: str) -> tuple[Chapter, ...]:
    """The chapters; a document without headings is one, with the document's title."""
    first = next((i for i, entry in enumerate(entries) if entry.heading), len(entries))
    opening = _Draft(title, "", [entry.block for entry in entries[:first]])
    drafts: list[_Draft] = []
    if opening.blocks and (first == len(entries) or not _is_title_page(opening.blocks)):
        drafts.append(opening)
        opening = _Draft(title, "")
    for entry in entries[first:]:
        if entry.heading is None:
            drafts[-1].blocks.append(entry.block)
            continue
        name, word = title_of(entry.block), entry.heading.word
        if drafts and drafts[-1].bare and drafts[-1].word not in ("", word):
            drafts[-1].title, drafts[-1].word = name, word  # "Part I", and at once "Chapter 1"
            drafts[-1].blocks.append(entry.block)
        else:
            drafts.append(_Draft(name, word, [*opening.blocks, entry.block]))
            opening = _Draft(title, "")
    return tuple(Chapter(draft.title, tuple(draft.blocks)) for draft in drafts)


def chapters_by_level(blocks: Sequence[Block], title: str) -> tuple[Chapter, ...]:
    """The chapters of a document whose headings have levels.

    One heading of level 1 is the title, and chapters begin at level 2; else they begin at the
    highest level there is. A title with text under it is a chapter, a title alone opens the next.
    """
    levels = [block.level for block in blocks if block.kind is BlockKind.HEADING]
    top = min(levels, default=0)
    titled = levels.count(1) == 1 and len(levels) > 1
    below = min((level for level in levels if level > 1), default=1)
    starts = {1, below} if titled else {top}
    drafts: list[_Draft] = []
    for block in blocks:
        starting = block.kind is BlockKind.HEADING and block.level in starts
        if drafts and starting and drafts[-1].bare and drafts[-1].word == "title":
            drafts[-1].title, drafts[-1].word = title_of(block), ""
        elif starting or not drafts:
            name = title_of(block) if starting else title
            word = "title" if titled and starting and block.level == 1 else ""
            drafts.append(_Draft(name, word))
        drafts[-1].blocks.append(block)
    return tuple(Chapter(draft.title, tuple(draft.blocks)) for draft in drafts)


def opening_title(entries: Sequence[Entry]) -> str:
    """The title page's first line, empty where the text begins at once."""
    if not entries or entries[0].heading is not None:
        return ""
    text = entries[0].block.text.partition("\n")[0]
    if len(text) > _TITLE_CHARS or not text[-1].isalnum():
        return ""
    return text


def title_of(block: Block) -> str:
    """A heading on one line: its number and its title parted by a stop."""
    lines = block.text.split("\n")
    for index, line in enumerate(lines[:-1]):
        lines[index] = line if line[-1:] in ".:!?—–" else f"{line}."
    return " ".join(lines)


def _is_title_page(blocks: Sequence[Block]) -> bool:
    return sum(len(block.text) for block in blocks) <= _OPENING_CHARS
