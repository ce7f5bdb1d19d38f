"""Word documents: headings by their styles, lists, tables row by row, notes set aside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from narrate.core import BlockKind, Document
from narrate.errors import InputError
from narrate.text.archive import Archive
from narrate.text.extraction import Extraction, Run
from narrate.text.language import language_of
from narrate.text.matter import without_matter
from narrate.text.outline import chapters_by_level, joined_opening, promoted
from narrate.text.roles import HIDDEN

__all__ = ["read"]

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_MAIN = "word/document.xml"
# Deleted text, field codes, and the second version of what is written twice for old programs.
_UNREAD = frozenset({"del", "moveFrom", "instrText", "delText", "Fallback", "pict"})
_SIGNS = {"tab": " ", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "softHyphen": "\xad"}
_MAX_LEVEL = 6
_COMPOUND_FILE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # .doc, and what encrypted .docx is packed in


def read(data: bytes, path: Path) -> Document:
    """Read a document; `path` gives the title where neither its properties nor its text do."""
    if data.startswith(_COMPOUND_FILE):
        raise InputError(
            "the document is protected by a password, or is an old Word file",
            where=str(path),
            remedy="open it in a word processor and save it as .docx without a password",
        )
    archive = Archive(data, str(path), "Word document")
    root = archive.xml(_MAIN)
    body = None if root is None else root.find(f"{_W}body")
    if body is None:
        raise archive.refusal("this is no Word document, or it is damaged")
    extraction = Extraction(str(path))
    reading = _Reading(extraction, _levels(archive))
    reading.blocks_of(body, "")
    notes = [archive.xml(name) for name in ("word/footnotes.xml", "word/endnotes.xml")]
    for note in (note for part in notes if part is not None for note in part):
        reading.blocks_of(note, "footnote")
    blocks = promoted(extraction.blocks)
    core = archive.xml("docProps/core.xml")
    heading = next((block.text for block in blocks if block.level == 1), "")
    title = _property(core, "title") or heading or path.stem
    spoken = " ".join(block.text for block in blocks[:2000] if not block.aside)
    return Document(
        title=title,
        author=_property(core, "creator"),
        language=language_of(spoken, _property(core, "language")),
        chapters=without_matter(joined_opening(chapters_by_level(blocks, title))),
        source=extraction.source,
        skipped=tuple(sorted(extraction.skipped, key=lambda skip: skip.span)),
        description=_property(core, "description"),
    )


def _property(core: etree._Element | None, name: str) -> str:
    return " ".join((core.findtext(f"{_DC}{name}") or "").split()) if core is not None else ""


def _levels(archive: Archive) -> dict[str, int]:
    """The heading level of each style that is a heading; 0 marks a style of the contents list."""
    root = archive.xml("word/styles.xml")
    levels: dict[str, int] = {}
    bases: dict[str, str] = {}
    for style in [] if root is None else root.iterfind(f"{_W}style"):
        key = style.get(f"{_W}styleId") or ""
        name = _value(style.find(f"{_W}name")).lower()
        bases[key] = _value(style.find(f"{_W}basedOn"))
        outline = _value(style.find(f"{_W}pPr/{_W}outlineLvl"))
        if name.startswith("toc "):
            levels[key] = 0
        elif name == "title":
            levels[key] = 1
        elif name.startswith("heading ") and name[8:].isdigit():
            levels[key] = min(int(name[8:]), _MAX_LEVEL)
        elif outline.isdigit() and int(outline) < _MAX_LEVEL:
            levels[key] = int(outline) + 1
    for key, base in bases.items():
        if key not in levels and base in levels:
            levels[key] = levels[base]
    return levels


def _value(element: etree._Element | None) -> str:
    return "" if element is None else element.get(f"{_W}val") or ""


class _Reading:
    def __init__(self, extraction: Extraction, levels: dict[str, int]) -> None:
        self.extraction = extraction
        self.levels = levels

    def blocks_of(self, body: etree._Element, aside: str) -> None:
        """Paragraphs and tables in order, out of the boxes that content controls are."""
        open_parts = [iter(body)]
        while open_parts:
            child = next(open_parts[-1], None)
            if child is None:
                open_parts.pop()
            elif child.tag == f"{_W}p":
                self._paragraph(child, aside)
            elif child.tag == f"{_W}tbl":
                self._table(child, aside)
            elif child.tag in (f"{_W}sdt", f"{_W}sdtContent", f"{_W}customXml", f"{_W}ins"):
                open_parts.append(iter(child))

    def _paragraph(self, paragraph: etree._Element, aside: str) -> None:
        style = _value(paragraph.find(f"{_W}pPr/{_W}pStyle"))
        runs = list(_runs(paragraph))
        kind, level = BlockKind.PARAGRAPH, self.levels.get(style, 0)
        if level:
            kind = BlockKind.HEADING
        elif paragraph.find(f"{_W}pPr/{_W}numPr") is not None or "List" in style:
            kind = BlockKind.ITEM
        elif any("\n" in run.text.strip() for run in runs):
            kind = BlockKind.VERSE
        listed = style in self.levels and not level
        self.extraction.add(kind, runs, level=level, aside=aside or ("contents" if listed else ""))

    def _table(self, table: etree._Element, aside: str) -> None:
        for row in table.iterfind(f"{_W}tr"):
            runs: list[Run] = []
            for cell in row.iterfind(f"{_W}tc"):
                texts = [run for p in cell.iter(f"{_W}p") for run in [*_runs(p), Run(" ")]]
                if any(run.text.strip() for run in texts):
                    runs += [Run(" | "), *texts] if runs else texts
            self.extraction.add(BlockKind.TABLE, runs, aside=aside)


def _runs(paragraph: etree._Element) -> Iterator[Run]:
    """The text of a paragraph in order, without recursion."""
    stack = [(paragraph, "", "")]
    while stack:
        element, reason, inside = stack.pop()
        name = str(element.tag).rpartition("}")[2]
        if name in _UNREAD:
            continue
        if name == "t":
            yield Run("".join(map(str, element.itertext())), reason)
        elif name in _SIGNS and inside == "r":
            yield Run(_SIGNS[name], reason)
        inner = "ruby reading" if name == "rt" else reason
        if name == "r" and element.find(f"{_W}rPr/{_W}vanish") is not None:
            inner = HIDDEN
        stack += [(child, inner, name) for child in reversed(element)]
