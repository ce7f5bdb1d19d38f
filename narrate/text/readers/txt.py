"""Plain text: paragraphs from lines, chapters from headings, frame and lists of contents cut."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from narrate.core import Block, BlockKind, Document, Skipped
from narrate.text import gutenberg
from narrate.text.clean import clean
from narrate.text.decoding import decoded
from narrate.text.headings import Heading, heading_of
from narrate.text.language import language_of, named
from narrate.text.matter import FOOTNOTE, without_matter
from narrate.text.outline import Entry, chapters_of, opening_title
from narrate.text.paragraphs import (
    Group,
    Words,
    bullet_end,
    groups_of,
    is_item,
    is_verse,
    joined,
    parted,
    wrap_width,
)
from narrate.text.sections import listed, note_label, split_headings, titles_in
from narrate.text.traced import Traced, Tracer, skipped_in

__all__ = ["read", "read_text"]

RUNNING_HEAD = "running head or page number"

_MARKS = re.compile(
    r"(?P<illustration>\[Illustration[^\[\]]*\])|(?P<page_number>\[(?:Pg|Page)\.? ?\d+\])"
    r"|(?P<footnote_mark>\[(?P<label>[\w*†‡]{1,4})\])"
    r"|(?P<emphasis_mark>(?<![^\W_])_+|_+(?![^\W_]))"
)
_BREAK = re.compile(r"[\s*\-–—_=~#•·.+⁂❦☙◇◆○●§]+")
_BY = re.compile(r"(?:by|von|par|por|di|de)\s+(\S.*)", re.IGNORECASE)
_BY_ALONE = re.compile(r"(?:by|von|par|por|di|de)", re.IGNORECASE)
_SUBTITLE_CHARS = 60


def read(data: bytes, path: Path) -> Document:
    """Read a plain text; `path` gives the title where the text gives none."""
    found = decoded(data, str(path))
    return read_text(found.text, path, len(found.text), {}, found.notes)


def read_text(
    source: str,
    path: Path,
    end: int,
    facts: Mapping[str, str],
    notes: tuple[str, ...] = (),
    *,
    noted: int = 0,
) -> Document:
    """Read text that was decoded already; behind `end` stand notes up to `noted`, and then heads.

    `facts` may hold the title, the author and the subject that a file states.
    """
    frame = gutenberg.frame_of(source[:end])
    groups = groups_of(source, frame.start, frame.end)
    width = wrap_width(groups)
    if not width:
        groups = [Group((line,), group.gap) for group in groups for line in group.lines]
    groups = [part for group in groups for part in parted(group, source, width)]
    aside = listed(source, groups)
    parts = [
        *((group, None, gutenberg.HEADER) for group in groups_of(source, 0, frame.start)),
        *((groups[index], None, reason) for index, reason in aside.items()),
        *((group, None, gutenberg.LICENCE) for group in groups_of(source, frame.end, end)),
        *((group, None, FOOTNOTE) for group in groups_of(source, end, max(end, noted))),
        *(
            (group, heading, "")
            for group, heading in split_headings(
                source,
                [group for index, group in enumerate(groups) if index not in aside],
                titles_in(source, groups, aside),
            )
        ),
    ]
    parts.sort(key=lambda part: part[0].lines[0].start)
    notes_of_text = frozenset(filter(None, (note_label(group.text(source)) for group in groups)))
    every: list[Entry] = []
    skipped: list[Skipped] = []
    words = Words(source)
    for group, heading, reason in parts:
        block, dropped = _block(source, group, width, heading, notes_of_text, words)
        skipped += dropped
        if block is not None:
            every.append(Entry(replace(block, aside=reason) if reason else block, heading))
    skipped += skipped_in(source, max(end, noted), len(source), RUNNING_HEAD)
    entries = [entry for entry in every if not entry.block.aside]
    title = frame.title or facts.get("title") or opening_title(entries) or path.stem
    return Document(
        title=title,
        author=frame.author or _author(entries) or facts.get("author", ""),
        language=language_of(source[frame.start : frame.end], named(frame.language)),
        chapters=without_matter(chapters_of(every, title)),
        source=source,
        skipped=tuple(sorted(skipped, key=lambda skip: skip.span)),
        description=facts.get("subject", ""),
        notes=notes,
    )


def _block(
    source: str,
    group: Group,
    width: int,
    heading: Heading | None,
    notes: frozenset[str],
    words: Words,
) -> tuple[Block | None, list[Skipped]]:
    """A group as the block it is, or nothing where it is a mark and not text."""
    start, end = group.lines[0].start, group.lines[-1].end
    text = source[start:end]
    if not any(map(str.isalnum, text)) or _BREAK.fullmatch(text):
        reason = "scene break" if _BREAK.fullmatch(text) else "nothing to pronounce"
        return None, skipped_in(source, start, end, reason)
    kind = _kind(source, group, width, heading)
    piece, skipped = joined(group, source, _line_feeds(source, group, kind, heading), words)
    bullet = bullet_end(group, source) if kind is BlockKind.ITEM else start
    if bullet > start:
        skipped += skipped_in(source, start, bullet, "list mark")
        piece = piece.part(bullet - start, len(piece.text))
    piece, dropped = _without_marks(source, piece, notes)
    cleaned, invisible = clean(piece)
    skipped += dropped + invisible
    if not cleaned.text:
        return None, skipped
    return Block(kind, cleaned.text, cleaned.origins, int(kind is BlockKind.HEADING)), skipped


def _line_feeds(source: str, group: Group, kind: BlockKind, heading: Heading | None) -> int:
    """How many line ends part units: all in verse, the one behind the number in a heading."""
    if kind not in (BlockKind.VERSE, BlockKind.HEADING):
        return 0
    if heading is None:
        return len(group.lines)
    number = heading_of(source[group.lines[0].start : group.lines[0].end])
    return int(number is not None and not number.title)


def _kind(source: str, group: Group, width: int, heading: Heading | None) -> BlockKind:
    if heading is not None or _is_subtitle(group, source):
        return BlockKind.HEADING
    if is_item(group, source):
        return BlockKind.ITEM
    return BlockKind.VERSE if is_verse(group, width) else BlockKind.PARAGRAPH


def _is_subtitle(group: Group, source: str) -> bool:
    """A short paragraph all in capitals, such as a title page's lines: spoken with a pause."""
    text = source[group.lines[0].start : group.lines[-1].end]
    return (
        len(group.lines) <= 3
        and len(text) <= _SUBTITLE_CHARS
        and text.isupper()
        and text[0].isalpha()
        and sum(map(str.isalpha, text)) > 3
        and text[-1] not in "!?,:"
    )


def _without_marks(
    source: str, piece: Traced, notes: frozenset[str]
) -> tuple[Traced, list[Skipped]]:
    """The text without underscores that stand for italics, page numbers, pictures and marks.

    `notes` are the labels of the text's own notes: no other bracket is taken for a mark.
    """
    if "_" not in piece.text and "[" not in piece.text:
        return piece, []
    tracer = Tracer(source)
    done = 0
    for found in _MARKS.finditer(piece.text):
        if found.lastgroup == "emphasis_mark" and _in_address(piece.text, found.start()):
            continue
        if found.lastgroup == "footnote_mark" and found["label"] not in notes:
            continue
        tracer.keep(piece.part(done, found.start()))
        reason = (found.lastgroup or "").replace("_", " ")
        first, last = piece.origins[found.start()], piece.origins[found.end() - 1] + 1
        tracer.skip(first, last, reason)
        done = found.end()
    tracer.keep(piece.part(done, len(piece.text)))
    return tracer.done(), tracer.skipped


def _in_address(text: str, place: int) -> bool:
    """Whether a place lies in a web address, in which an underscore is a sign like any other."""
    start = max(text.rfind(" ", 0, place), text.rfind("\n", 0, place)) + 1
    return "://" in text[start:place]


def _author(entries: Sequence[Entry]) -> str:
    """The name after "by" on a title page without a header, in its line or in the next."""
    for index, entry in enumerate(entries[:4]):
        text = entry.block.text
        if _BY_ALONE.fullmatch(text) and index + 1 < len(entries):
            text = f"{text} {entries[index + 1].block.text}"
        found = _BY.fullmatch(text)
        if found is not None and len(found[1]) <= _SUBTITLE_CHARS and entry.heading is None:
            return found[1].strip(" .").title() if found[1].isupper() else found[1].strip(" .")
    return ""
