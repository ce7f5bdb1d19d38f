"""What stands before and behind a book's text: contents, copyright, licence, index.

All of it stays part of the document as blocks that are set aside, each with its reason, so that
`--include` can bring it back. Nothing is set aside where that would leave nothing to speak.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from narrate.core import Block, Chapter
from narrate.text.roles import aside_of_title

__all__ = [
    "CODE",
    "COPYRIGHT",
    "FOOTNOTE",
    "is_copyright",
    "is_imprint",
    "is_index_entry",
    "without_matter",
]

CODE = "code block"
COPYRIGHT = "copyright page"
FOOTNOTE = "footnote"
_YEAR = r"(?:1[5-9]|20)\d\d\b"
_COPYRIGHT = re.compile(
    rf"copyright[ ,:]*(?:©|\(c\)|{_YEAR}|by\s.*?{_YEAR})|(?:©|\(c\))\s.*?{_YEAR}"
    r"|.{0,200}\ball rights reserved\b|no part of this (?:book|publication|work) may be\b"
    r"|(?:e-?)?isbn(?:-1[03])?[: ]*[\d(]|library of congress catalog"
    r"|alle rechte vorbehalten|tous droits réservés|todos los derechos reservados"
    r"|tutti i diritti riservati|todos os direitos reservados|все права защищены",
    re.IGNORECASE,
)
_IMPRINT = re.compile(
    r"(?:first |originally |re)?(?:published|printed|issued|edition|typeset)\b"
    r"|(?:this |first |second |third |paperback |e-?book )edition\b"
    r"|cover (?:design|art|illustr|photo)|the moral rights? of|a (?:cip )?catalogue record"
    r"|british library|library of congress|this is a work of fiction"
    r"|(?:https?://|www\.)\S+$|\d+(?: \d+){4,}$|printing:?\s",
    re.IGNORECASE,
)
_MOST_CHARS = 1_200
# "whale, 12, 30-34": what is looked up, and the pages that it stands on.
_PAGES = r"\d{1,4}(?:\s?[–-]\s?\d{1,4})?"
_INDEX_ENTRY = re.compile(rf".{{1,80}}?[,.\s]\s*{_PAGES}(?:,\s*{_PAGES})*\.?")


def is_copyright(text: str) -> bool:
    """Whether a paragraph states rights, an edition or a book's number."""
    return len(text) <= _MOST_CHARS and _COPYRIGHT.match(text) is not None


def is_imprint(text: str) -> bool:
    """Whether a paragraph next to a copyright tells of the edition: who printed it, and when."""
    return len(text) <= _MOST_CHARS and _IMPRINT.match(text) is not None


def is_index_entry(line: str) -> bool:
    """Whether a line of plain text is an entry of an index: words, and pages at the end."""
    return _INDEX_ENTRY.fullmatch(line) is not None


def without_matter(chapters: Sequence[Chapter]) -> tuple[Chapter, ...]:
    """The chapters; those whose title says that they are contents or the like are set aside.

    A book's title that stood above such a chapter opens the next one.
    """
    changed: list[Chapter] = []
    carried: tuple[Block, ...] = ()
    for chapter in chapters:
        before, blocks = _parted(chapter)
        if any(not block.aside for block in before):
            carried += before + blocks
        else:
            changed.append(Chapter(chapter.title, carried + before + blocks))
            carried = ()
    if carried:
        changed.append(Chapter(chapters[-1].title, carried))
    spoken = any(not block.aside for chapter in changed for block in chapter.blocks)
    return tuple(changed) if spoken else tuple(chapters)


def _parted(chapter: Chapter) -> tuple[tuple[Block, ...], tuple[Block, ...]]:
    """What stands before a heading such as "Contents", and it with the rest set aside."""
    reason = aside_of_title(chapter.title)
    if not reason:
        return (), chapter.blocks
    titles = (i for i, block in enumerate(chapter.blocks) if aside_of_title(block.text) == reason)
    start = next(titles, 0)
    rest = (block if block.aside else replace(block, aside=reason) for block in chapter.blocks)
    return chapter.blocks[:start], tuple(rest)[start:]
