"""Markdown by markdown-it (CommonMark and tables), every character traced to the source.

Headings, paragraphs, items, quotations and table rows are read; links and images by their text or
not at all; code blocks, HTML tags, front matter and marks are skipped, each with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from narrate.core import Block, BlockKind, Document, Skipped
from narrate.text.clean import clean
from narrate.text.decoding import decoded
from narrate.text.facts import front_matter_fields, year_of
from narrate.text.language import language_of
from narrate.text.matter import CODE, COPYRIGHT, FOOTNOTE, is_copyright, without_matter
from narrate.text.outline import chapters_by_level
from narrate.text.readers.inline import spoken_part
from narrate.text.readers.md_lines import lines_of, refuse_a_flood, shallow
from narrate.text.traced import Traced, Tracer, skipped_in

__all__ = ["read"]

_FRONT_MATTER = re.compile(
    r"(?:---[ \t]*(?:\r\n?|\n)(?:[^\r\n]*(?:\r\n?|\n))*?(?:---|\.\.\.)"
    r"|\+\+\+[ \t]*(?:\r\n?|\n)(?:[^\r\n]*(?:\r\n?|\n))*?\+\+\+)[ \t]*(?=[\r\n]|\Z)"
)
_NOTE = re.compile(r"\[\^[^\[\]\s]{1,100}\]:")
_ORDINAL = re.compile(r"\d{1,9}[.)]")
_LEAD = re.compile(r"(?:!!!|\?\?\?\+?|:::|:)[ \t]+|\[[ xX]\][ \t]+|\[!\w+\]")
_ATTRIBUTES = re.compile(r"\{[:.#][^{}]*\}")  # {: .class}, {#name}: for the printer
_TAG = re.compile(r"</?[A-Za-z!?][^<>]*>")
_FENCE = re.compile(r"`{3,}|~{3,}")
_MAX_NESTING = 200  # the parser drops what lies deeper than this without a word
_MOST_REST = 1000  # characters of marks in one line are enough to tell what they are
_PREFIXES = (
    (re.compile(r"(?:(?:[-*+]|\d{1,9}[.)])\s+)+(?:[-*+]|\d{1,9}[.)])$"), "list mark"),
    (re.compile(r"[-*+]$|\d+[.)]$"), "list mark"),
    (re.compile(r"#|[=-]+$"), "heading mark"),
    (re.compile(r">"), "quote mark"),
    (re.compile(r"[|:-]"), "table mark"),
    (re.compile(r"\[[^\]]+\]:"), "link target"),
)
_CONTAINERS = {
    "bullet_list": BlockKind.ITEM,
    "ordered_list": BlockKind.ITEM,
    "blockquote": BlockKind.QUOTE,
}


def read(data: bytes, path: Path) -> Document:
    """Read a Markdown document; `path` gives the title where neither heading nor field does."""
    found = decoded(data, str(path))
    source = found.text
    front = _FRONT_MATTER.match(source)
    start = 0 if front is None else front.end()
    fields = front_matter_fields(source[:start])
    refuse_a_flood(source, str(path))
    reading = _Reading(source, start)
    reading.run()
    blocks, skipped = reading.blocks, reading.skipped
    skipped += skipped_in(source, 0, start, "front matter")
    named = (block.text for block in blocks if block.level == 1)
    opening = blocks[0].text if blocks and blocks[0].level else ""
    title = fields.get("title") or next(named, opening) or path.stem
    spoken = " ".join(block.text for block in blocks if not block.aside)
    return Document(
        title=title,
        author=fields.get("author", ""),
        language=language_of(spoken, fields.get("language", "")),
        chapters=without_matter(chapters_by_level(blocks, title)),
        source=source,
        skipped=tuple(sorted(skipped, key=lambda skip: skip.span)),
        series=fields.get("series", ""),
        year=year_of(fields.get("year", "")),
        description=fields.get("description", ""),
        notes=found.notes,
    )


class _Reading:
    """One pass over the block tokens: blocks out, and every other character with its reason."""

    def __init__(self, source: str, start: int) -> None:
        # markdown-it turns zero bytes into visible signs; any other control character it keeps.
        self.source = source.replace("\0", "\x01")
        self.md = (
            MarkdownIt("commonmark", {"maxNesting": _MAX_NESTING})
            .enable("table")
            .disable(["inline", "text_join"])
        )
        self.lines = lines_of(source, start)
        self.blocks: list[Block] = []
        self.skipped: list[Skipped] = []
        self.claimed: list[tuple[int, int]] = []
        self.regions: dict[int, str] = {}
        self._containers: list[BlockKind] = []
        self.targets: dict[str, Any] = {}
        self._number: tuple[int, int] | None = None

    def run(self) -> None:
        """Fill `blocks` and `skipped`."""
        text = "\n".join(shallow(self.source[start:end]) for start, end in self.lines)
        tokens = self.md.parse(text, self.targets)
        links = self.targets.get("references", {})
        self.targets["references"] = {k: v for k, v in links.items() if not k.startswith("^")}
        index = 0
        while index < len(tokens):
            token = tokens[index]
            if token.type == "tr_open":
                end = next(i for i in range(index, len(tokens)) if tokens[i].type == "tr_close")
                self._row([part for part in tokens[index:end] if part.type == "inline"])
                index = end
            elif token.type == "inline":
                self._inline(token, tokens[index - 1])
            else:
                self._structure(token)
            index += 1
        self._skip_the_rest()

    def _structure(self, token: Token) -> None:
        name, _, edge = token.type.rpartition("_")
        if token.type in ("fence", "code_block") and token.map:
            self._code(token.map, fenced=token.type == "fence")
        elif token.type == "hr" and token.map:
            self.regions |= dict.fromkeys(range(*token.map), "scene break")
        elif token.type == "html_block" and token.map:
            self._html(token.map)
        elif name in _CONTAINERS and edge == "open":
            self._containers.append(_CONTAINERS[name])
        elif name in _CONTAINERS:
            self._containers.pop()
        elif token.type == "list_item_open" and token.info and token.map:
            start, end = self.lines[token.map[0]]
            found = _ORDINAL.search(self.source, start, end)
            self._number = None if found is None else found.span()

    def _inline(self, token: Token, parent: Token) -> None:
        assert token.map is not None
        content = self._traced(token.content, token.map)
        piece, skipped = spoken_part(self.source, content, self.targets)
        self.skipped += skipped
        if _ATTRIBUTES.fullmatch(piece.text):
            first, last = piece.origins[0], piece.origins[-1] + 1
            self.skipped += skipped_in(self.source, first, last, "block mark")
            return
        lead = _LEAD.match(piece.text)
        if lead is not None:
            first, last = piece.origins[0], piece.origins[lead.end() - 1] + 1
            self.skipped += skipped_in(self.source, first, last, "block mark")
            piece = piece.part(lead.end(), len(piece.text))
        if self._number is not None:
            tracer = Tracer(self.source)
            tracer.copy(*self._number)
            tracer.put(" ", self._number[1])
            tracer.keep(piece)
            self.claimed.append(self._number)
            piece, self._number = tracer.done(), None
        aside = FOOTNOTE if _NOTE.match(content.text) else ""
        if aside and piece.text.startswith(":"):
            self.skipped += skipped_in(self.source, piece.origins[0], piece.origins[0] + 1, aside)
            piece = piece.part(1, len(piece.text))
        heading = parent.type == "heading_open"
        inner = self._containers[-1] if self._containers else BlockKind.PARAGRAPH
        level = int(parent.tag[1:]) if heading else 0
        self._add(BlockKind.HEADING if heading else inner, piece, level, aside)

    def _add(self, kind: BlockKind, piece: Traced, level: int = 0, aside: str = "") -> None:
        cleaned, invisible = clean(piece)
        self.skipped += invisible
        if kind is BlockKind.PARAGRAPH and is_copyright(cleaned.text):
            aside = COPYRIGHT
        if cleaned.text:
            self.blocks.append(Block(kind, cleaned.text, cleaned.origins, level, aside))

    def _code(self, lines: Sequence[int], *, fenced: bool) -> None:
        """A code block line by line, the fences around it skipped."""
        self.regions |= dict.fromkeys(range(*lines), CODE)
        tracer = Tracer(self.source)
        for number in range(lines[0] + fenced, lines[1]):
            start, end = self.lines[number]
            bare = self.source[start:end].strip()
            if not bare or (fenced and number + 1 == lines[1] and _FENCE.fullmatch(bare)):
                continue
            start = self.source.index(bare, start, end)
            tracer.copy(start, start + len(bare))
            tracer.put("\n", start + len(bare))
            self.claimed.append((start, start + len(bare)))
        self._add(BlockKind.CODE, tracer.done(), aside=CODE)

    def _traced(self, content: str, lines: Sequence[int]) -> Traced:
        """The content of a block, each of whose lines is the end of a source line."""
        tracer = Tracer(self.source)
        first, count = lines[0], content.count("\n") + 1
        while first + count < lines[1] and self.source[slice(*self.lines[first])].isspace():
            first += 1  # a line of wide spaces, that markdown-it has stripped from the content
        for offset, text in enumerate(content.split("\n"), first):
            start, end = self.lines[offset]
            if offset > first:
                tracer.put("\n", self.lines[offset - 1][1])
            bare = text.rstrip()
            place = self.source.rfind(bare, start, end) if bare else end
            if place < 0:  # a tab that markdown-it wrote as spaces
                bare = bare.lstrip()
                place = max(start, self.source.rfind(bare, start, end))
                tracer.put(" " * (len(text) - len(text.lstrip())), max(start, place - 1))
            tracer.copy(place, place + len(bare))
            tracer.put(" " * (len(text) - len(text.rstrip())), min(place + len(bare), end))
            self.claimed.append((place, place + len(bare)))
        return tracer.done()

    def _row(self, cells: Sequence[Token]) -> None:
        """A table's row as one block, the bars between its cells kept: the voice pauses there."""
        tracer = Tracer(self.source)
        cursor, end = self.lines[cells[0].map[0]] if cells and cells[0].map else (0, 0)
        for cell in cells:
            if not cell.content:
                continue
            content = self._cell(cell.content, cursor, end)
            if content.origins:
                bar = self.source.find("|", cursor, content.origins[0])
                if cursor > self.lines[cells[0].map[0]][0] and bar >= 0:  # type: ignore[index]
                    tracer.put(" ", bar)
                    tracer.copy(bar, bar + 1)
                    tracer.put(" ", bar + 1)
                    self.claimed.append((bar, bar + 1))
                cursor = content.origins[-1] + 1
                self.claimed.append((content.origins[0], cursor))
                piece, skipped = spoken_part(self.source, content, self.targets)
                tracer.keep(piece)
                self.skipped += skipped
        self._add(BlockKind.TABLE, tracer.done())

    def _cell(self, content: str, start: int, end: int) -> Traced:
        """A cell's content in its row, where a bar inside it is written with a backslash."""
        tracer = Tracer(self.source)
        place = self.source.find(content[0], start, end)
        for char in content:
            if self.source[place : place + 2] == "\\|" and char == "|":
                self.skipped += skipped_in(self.source, place, place + 1, "escape mark")
                place += 1
            if place >= end:
                break
            tracer.copy(place, place + 1)
            place += 1
        return tracer.done()

    def _html(self, lines: Sequence[int]) -> None:
        """The text between the tags of an HTML block; scripts, styles and comments are none."""
        start, end = self.lines[lines[0]][0], self.lines[lines[1] - 1][1]
        tracer = Tracer(self.source)
        self.claimed.append((start, end))
        while start < end:
            stop, after = _next_markup(self.source, start, end)
            for number, line in enumerate(self.source[start:stop].splitlines(keepends=True)):
                if number:
                    tracer.put(" ", start)
                bare = line.rstrip("\r\n")
                tracer.copy(start, start + len(bare))
                start += len(line)
            tracer.put(" ", stop)
            self.skipped += skipped_in(self.source, stop, after, "HTML")
            start = after
        self._add(BlockKind.PARAGRAPH, tracer.done())

    def _skip_the_rest(self) -> None:
        """Give every character that no block claimed the reason of its place."""
        claims = iter([*sorted(self.claimed), (len(self.source), len(self.source))])
        claim = next(claims)
        for number, (start, end) in enumerate(self.lines):
            while start < end:
                while claim[1] <= start and claim[0] < len(self.source):
                    claim = next(claims)
                stop = min(end, max(start, claim[0]))
                rest = self.source[start:stop].strip()
                if rest:
                    reason = self.regions.get(number) or _reason(rest)
                    self.skipped += skipped_in(self.source, start, stop, reason)
                start = max(stop, min(end, claim[1]) if claim[0] < end else end)


def _reason(rest: str) -> str:
    if len(rest) > _MOST_REST:
        rest = rest[:_MOST_REST].rpartition(" ")[0]
    return next((reason for pattern, reason in _PREFIXES if pattern.match(rest)), "markup")


def _next_markup(source: str, start: int, end: int) -> tuple[int, int]:
    """The next tag or comment, with what a script or style holds; `(end, end)` if there is none."""
    place = source.find("<", start, end)
    while place >= 0:
        if source.startswith("<!--", place):
            close = source.find("-->", place, end)
            return place, end if close < 0 else close + 3
        tag = _TAG.match(source, place, end)
        if tag is not None:
            name = re.match(r"<(script|style)\b", tag.group(), re.IGNORECASE)
            if name is None:
                return place, tag.end()
            close = source.lower().find(f"</{name[1].lower()}", tag.end(), end)
            return place, end if close < 0 else close
        place = source.find("<", place + 1, end)
    return end, end
