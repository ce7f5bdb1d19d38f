"""Blocks to chapters: what stands before the first chapter opens it, a lone "Part I" the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from narrate.core import Block, BlockKind, Chapter
from narrate.text.headings import Heading, HeadingKind, heading_of, is_title

__all__ = [
    "Entry",
    "chapters_at",
    "chapters_by_level",
    "chapters_of",
    "joined_opening",
    "opening_title",
    "promoted",
]

_OPENING_CHARS = 600  # a title page is shorter; more than this before chapter 1 is a chapter
_TITLE_CHARS = 80
_LEAST_PROMOTED = 2


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
        return all(block.kind is BlockKind.HEADING or block.aside for block in self.blocks)


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
    levels = [
        block.level for block in blocks if block.kind is BlockKind.HEADING and not block.aside
    ]
    top = min(levels, default=0)
    titled = levels.count(top) == 1 and len(levels) > 1
    below = min((level for level in levels if level > top), default=top)
    starts = {top, below} if titled else {top}
    drafts: list[_Draft] = []
    for index, block in enumerate(blocks):
        starting = block.kind is BlockKind.HEADING and block.level in starts and not block.aside
        if drafts and starting and drafts[-1].bare and drafts[-1].word == "title":
            drafts[-1].title, drafts[-1].word = _title_at(blocks, index), ""
        elif starting or not drafts:
            name = _title_at(blocks, index) if starting else title
            word = "title" if titled and starting and block.level == top else ""
            drafts.append(_Draft(name, word))
        drafts[-1].blocks.append(block)
    return tuple(Chapter(draft.title, tuple(draft.blocks)) for draft in drafts)


def chapters_at(
    blocks: Sequence[Block], starts: Sequence[tuple[int, str]], title: str
) -> tuple[Chapter, ...]:
    """The chapters that begin at given blocks, each with its title; what is before has its own."""
    cuts = [(index, name) for index, name in sorted(dict(starts).items()) if index < len(blocks)]
    if not cuts or cuts[0][0] > 0:
        cuts.insert(0, (0, title))
    ends = [index for index, _ in cuts[1:]] + [len(blocks)]
    return tuple(
        Chapter(name, tuple(blocks[start:end]))
        for (start, name), end in zip(cuts, ends, strict=True)
    )


def joined_opening(chapters: Sequence[Chapter]) -> tuple[Chapter, ...]:
    """The chapters; what stands before the first heading opens the first one if it is short."""
    if len(chapters) < 2 or chapters[0].blocks[0].kind is BlockKind.HEADING:
        return tuple(chapters)
    first, second, *rest = chapters
    if not _is_title_page([block for block in first.blocks if not block.aside]):
        return tuple(chapters)
    return (Chapter(second.title, first.blocks + second.blocks), *rest)


def promoted(blocks: Sequence[Block]) -> list[Block]:
    """The blocks, with "CHAPTER III" as a heading where only its looks said so."""
    marked = any(_numbered(block) for block in blocks if block.kind is BlockKind.HEADING)
    plain = [i for i, block in enumerate(blocks) if block.kind is not BlockKind.HEADING]
    found = [i for i in plain if not blocks[i].aside and _numbered(blocks[i])]
    result = list(blocks)
    if marked or len(found) < _LEAST_PROMOTED:
        return result
    for index in found:
        result[index] = replace(blocks[index], kind=BlockKind.HEADING, level=2)
    return result


def _numbered(block: Block) -> bool:
    if len(block.text) > _TITLE_CHARS:
        return False
    heading = heading_of(block.text)
    return heading is not None and heading.kind is HeadingKind.NUMBERED


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
        if line[-1:] not in ".:!?—–" and heading_of(line) is not None:
            lines[index] = f"{line}."
    return " ".join(lines)


def _title_at(blocks: Sequence[Block], index: int) -> str:
    """The title of the chapter that begins at a block, with the next where this is a number."""
    title = title_of(blocks[index])
    heading = heading_of(blocks[index].text)
    after = blocks[index + 1] if index + 1 < len(blocks) else None
    if heading is None or heading.title or heading.kind is HeadingKind.NAMED or after is None:
        return title
    short = after.text[0].isupper() and after.text[-1].isalnum()
    told = short or after.kind is BlockKind.HEADING or is_title([after.text], centred=False)
    if after.aside or not told or len(after.text) > _TITLE_CHARS or heading_of(after.text):
        return title
    return f"{title}{'' if title[-1:] in '.:' else '.'} {title_of(after)}"


def _is_title_page(blocks: Sequence[Block]) -> bool:
    return sum(len(block.text) for block in blocks if not block.aside) <= _OPENING_CHARS
