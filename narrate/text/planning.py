"""The plan: every block of every chapter as chunks, with the pause that its structure asks for."""

from __future__ import annotations

import html
import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from narrate.core import Block, BlockKind, Chunk, Document, Pauses, Plan, Skipped, Span
from narrate.errors import InputError, UsageError
from narrate.text.accounting import ENTITY, check
from narrate.text.chunks import Cut, Limits, Piece, pieces
from narrate.text.clean import LIGATURE, joins
from narrate.text.gutenberg import HEADER, LICENCE
from narrate.text.lexicon import Entry
from narrate.text.matter import CODE
from narrate.text.roles import ASIDES
from narrate.text.sections import CONTENTS
from narrate.text.spoken import Reading, spoken
from narrate.text.traced import skipped_in

__all__ = ["MIN_MAX_CHARS", "PLAN_VERSION", "PlanOptions", "included", "plan"]

PLAN_VERSION = 26
"""Raised by hand when the same document would give other chunks than before."""

MIN_MAX_CHARS = 40
_MOST_CHARS = {"zh": 120, "ja": 120}  # a Han sign takes two or three times a letter's time
SKIP, SPEAK, ANNOUNCE = CODE_WAYS = ("skip", "speak", "announce")
_ANNOUNCED = {
    "en": "Code example.", "de": "Codebeispiel.", "fr": "Exemple de code.",
    "es": "Ejemplo de código.", "it": "Esempio di codice.", "pt": "Exemplo de código.",
    "ru": "Пример кода.", "zh": "代码示例。", "ja": "コードの例。", "ko": "코드 예제.",
}  # fmt: skip
_ASIDES = (*ASIDES, HEADER, LICENCE, CONTENTS)
NOTHING = "nothing to pronounce"
SCENE_BREAK = "scene break"
_MOST_SPOKEN = 1.5
"""How many times the limit the words of a chunk may take when numbers are said in full."""
_MOST_A_DIGIT = 12
"""Characters that a digit may take in words, at most: "seventy-" and the scale after it."""
_WORDS_IN_LINE = re.compile(r"[^\n]*[^\W_][^\n]*")
_RUNNING = frozenset({BlockKind.ITEM, BlockKind.TABLE})


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """How to plan: the hard limit of a chunk, another language than the document's, pauses.

    `include` names what is spoken although it is set aside: reasons, words of them, or "all".
    `code` says what becomes of code blocks: skip, speak, or announce, which says that one is there.
    `lexicon` holds the reader's own words; `as_written` leaves numbers and the like to the voice.
    """

    max_chars: int = 300
    language: str | None = None
    pauses: Pauses = field(default_factory=Pauses)
    include: tuple[str, ...] = ()
    lexicon: tuple[Entry, ...] = ()
    as_written: bool = False
    code: str = SKIP

    def __post_init__(self) -> None:
        """Refuse a limit under which words could not stay whole, and an unknown way with code."""
        if self.code not in CODE_WAYS:
            raise UsageError(
                f"--code does not understand {self.code!r}", remedy=f"use {', '.join(CODE_WAYS)}"
            )
        if self.max_chars < MIN_MAX_CHARS:
            raise UsageError(
                f"a chunk of at most {self.max_chars} characters is too short",
                remedy=f"use {MIN_MAX_CHARS} or more; 300 is the default",
            )


def plan(document: Document, options: PlanOptions = PlanOptions()) -> Plan:
    """Divide a document into chunks.

    Raises `InputError` where nothing is to be spoken, and `CoverageError` should a character be
    unaccounted.
    """
    planner = _Planner(document, options)
    chunks = tuple(planner.chunks())
    if not chunks:
        raise _silent(document)
    result = Plan(
        title=document.title,
        author=document.author,
        language=planner.language,
        chapter_titles=tuple(planner.titles),
        chunks=chunks,
        skipped=tuple(sorted([*document.skipped, *planner.skipped], key=lambda skip: skip.span)),
        notes=document.notes,
    )
    check(document, result)
    return result


def _silent(document: Document) -> InputError:
    """The error where all that has words in it is left out."""
    asides = {b.aside for chapter in document.chapters for b in chapter.blocks if b.aside}
    parts = ", ".join(sorted(asides)) or "signs"
    return InputError(
        f"the document holds no words to speak but what is left out: {parts}",
        where=document.title,
        remedy="bring it back with --include all, or code with --code speak",
    )


class _Planner:
    def __init__(self, document: Document, options: PlanOptions) -> None:
        self.document = document
        self.pauses = options.pauses
        # A ligature becomes up to three letters that must stay together: room for two of them.
        room = 2 if LIGATURE.search(document.source) else 0
        self.language = options.language or document.language
        self.reading = Reading(self.language, options.lexicon, options.as_written)
        most = _MOST_CHARS.get(self.language.split("-")[0], options.max_chars)
        self.limits = Limits(min(options.max_chars, most) - room)
        self.skipped: list[Skipped] = []
        self.titles: list[str] = []
        self.include = options.include
        self.code = options.code
        self._breaks = [skip.span.start for skip in document.skipped if skip.reason == SCENE_BREAK]

    def chunks(self) -> Iterator[Chunk]:
        """All chunks in order; `self.skipped` is complete when the last one is out."""
        position = 0
        for chapter in self.document.chapters:
            blocks = self._wanted(chapter.blocks)
            if chapter.blocks and not blocks:
                continue
            self.titles.append(chapter.title)
            number = len(self.titles)
            held: Chunk | None = None
            for index, block in enumerate(blocks):
                after = blocks[index + 1] if index + 1 < len(blocks) else None
                for piece, pause_s in self._paced(block, after):
                    made = self._chunk(block, piece, number, position + 1, pause_s)
                    if made is None:
                        continue
                    if held is not None:
                        yield held
                    held, position = made, position + 1
            if held is not None:
                yield self._with_pause(held, self.pauses.chapter_s)

    def _wanted(self, blocks: Sequence[Block]) -> list[Block]:
        """The blocks that are spoken; the others are skipped for what they are."""
        wanted: list[Block] = []
        for block in blocks:
            if block.aside == CODE and self.code != SKIP and not _included(CODE, self.include):
                wanted.append(block if self.code == SPEAK else self._announced(block))
            elif block.aside and not _included(block.aside, self.include):
                end = _end_of(self.document.source, block.origins[-1], block.text[-1])
                self._skip(Span(block.origins[0], end), block.aside)
            else:
                wanted.append(block)
        return wanted

    def _announced(self, block: Block) -> Block:
        """A code block of which one line is there to be announced; the others are skipped."""
        found = _WORDS_IN_LINE.search(block.text)
        start, end = (0, 0) if found is None else found.span()
        end = min(end, start + self.limits.high)
        last = _end_of(self.document.source, block.origins[-1], block.text[-1])
        if start:
            self._skip(Span(block.origins[0], block.origins[start]), CODE)
        if end < len(block.text):
            self._skip(Span(block.origins[end], last), CODE)
        text = block.text[start:end].rstrip()
        return replace(block, text=text, origins=block.origins[start : start + len(text)])

    def _paced(self, block: Block, after: Block | None) -> Iterator[tuple[Piece, float]]:
        if not block.text:
            return
        within = {
            Cut.SENTENCE: self.pauses.sentence_s,
            Cut.CLAUSE: self.pauses.sentence_s / 2,
            Cut.COMMA: self.pauses.sentence_s / 2,
            Cut.SPACE: 0.0,
            Cut.ANYWHERE: 0.0,
        }
        parts = [
            short
            for piece in pieces(block.text, self.language, self.limits)
            for short in self._sayable(block, piece)
        ]
        parts = _apart(block, parts)
        for piece in parts[:-1]:
            yield piece, within[piece.cut]
        yield parts[-1], self._pause_between(block, after)

    def _spoken(self, block: Block, piece: Piece) -> str:
        if block.aside == CODE and self.code == ANNOUNCE:
            return _ANNOUNCED.get(self.language.split("-")[0], _ANNOUNCED["en"])
        heading = block.kind is BlockKind.HEADING and piece.start == 0
        return spoken(block.text[piece.start : piece.end], self.reading, heading=heading)

    def _sayable(self, block: Block, piece: Piece) -> list[Piece]:
        """A piece, divided once more where its words are far longer than what is written.

        A row of long numbers grows tenfold when it is said, and a voice loses its way in that.
        """
        written, most = piece.end - piece.start, _MOST_SPOKEN * self.limits.max_chars
        digits = sum(map(str.isdigit, block.text[piece.start : piece.end]))
        if written + digits * _MOST_A_DIGIT <= most and not self.reading.lexicon:
            return [piece]
        said = len(self._spoken(block, piece))
        if said <= most or written <= MIN_MAX_CHARS:
            return [piece]
        limit = max(MIN_MAX_CHARS, min(written * self.limits.max_chars // said, written - 1))
        parts = pieces(block.text[piece.start : piece.end], self.language, Limits(limit))
        if len(parts) < 2:
            return [piece]
        moved = [Piece(piece.start + p.start, piece.start + p.end, p.cut) for p in parts[:-1]]
        return [*moved, Piece(piece.start + parts[-1].start, piece.end, piece.cut)]

    def _pause_between(self, block: Block, after: Block | None) -> float:
        if block.kind is BlockKind.HEADING or (after and after.kind is BlockKind.HEADING):
            return self.pauses.heading_s
        if after is not None and self._broken(block.origins[-1], after.origins[0]):
            return self.pauses.heading_s
        if after is not None and block.kind is after.kind and block.kind in _RUNNING:
            return self.pauses.sentence_s
        return self.pauses.paragraph_s

    def _broken(self, start: int, end: int) -> bool:
        """Whether a scene break stands between two offsets."""
        index = bisect_left(self._breaks, start)
        return index < len(self._breaks) and self._breaks[index] < end

    def _chunk(
        self, block: Block, piece: Piece, chapter: int, position: int, pause_s: float
    ) -> Chunk | None:
        """The chunk of a piece, or nothing where there is no letter or digit in it."""
        raw = block.text[piece.start : piece.end]
        last = block.origins[piece.end - 1]
        if piece.end < len(block.text):
            upto = self.document.source[last : block.origins[piece.end]]
            end = last + max(1, len(upto.rstrip()))
        else:
            end = _end_of(self.document.source, last, raw[-1])
        span = Span(block.origins[piece.start], end)
        if not any(map(str.isalnum, raw)):
            self._skip(span)
            return None
        text = raw.replace("\n", " ")
        return Chunk(chapter, position, text, self._spoken(block, piece), span, pause_s)

    def _skip(self, span: Span, reason: str = NOTHING) -> None:
        """Skip a span, but not a second time what is skipped inside it."""
        cursor = span.start
        known = self.document.skipped
        index = bisect_left(known, cursor, key=lambda skip: skip.span.start)
        while index < len(known) and known[index].span.start < span.end:
            start = known[index].span.start
            self.skipped += skipped_in(self.document.source, cursor, start, reason)
            cursor = known[index].span.end
            index += 1
        self.skipped += skipped_in(self.document.source, cursor, span.end, reason)

    def _with_pause(self, chunk: Chunk, pause_s: float) -> Chunk:
        return Chunk(chunk.chapter, chunk.position, chunk.text, chunk.spoken, chunk.span, pause_s)


def included(words: str | None) -> tuple[str, ...]:
    """Understand `--include`: the parts that are asked for, parted by commas.

    A UsageError names what no document has parts of.
    """
    parts = sorted(filter(None, (word.strip().casefold() for word in (words or "").split(","))))
    for part in parts:
        if not any(_included(aside, [part]) for aside in _ASIDES):
            raise UsageError(
                f"--include does not know {part!r}",
                remedy="name one or several of footnotes, contents, index, copyright, licence, "
                "code, navigation, transcriber, header, hidden, parted by commas, or all",
            )
    return tuple(parts)


def _included(aside: str, include: Sequence[str]) -> bool:
    """Whether a part was asked for: "notes" brings the footnotes, "all" everything."""
    return any(word == "all" or word.rstrip("s") in aside.casefold() for word in include)


def _apart(block: Block, parts: list[Piece]) -> list[Piece]:
    """The pieces, none of which begins inside what was one character in the source."""
    for index in range(1, len(parts)):
        before, piece = parts[index - 1], parts[index]
        start = piece.start
        while _inside(block, start):
            start -= 1
        if start != piece.start:
            parts[index - 1] = Piece(before.start, start, before.cut)
            parts[index] = Piece(start, piece.end, piece.cut)
    return parts


def _inside(block: Block, place: int) -> bool:
    return 0 < place < len(block.text) and block.origins[place] == block.origins[place - 1]


def _end_of(source: str, last: int, char: str) -> int:
    """The end of what is written at a chunk's last origin: an entity, a letter with its marks."""
    if (source[last] == "&" and char != "&") or source.startswith("&amp;", last):
        entity = ENTITY.match(source, last)
        return last + 1 if entity is None else entity.end()
    end = last + 1
    while end < len(source):
        entity = ENTITY.match(source, end)
        written = source[end : end + 1] if entity is None else html.unescape(entity.group())
        if not joins(written[:1]):
            break
        end = end + 1 if entity is None else entity.end()
    return end
