"""HTML to blocks: one walk over the tree, without recursion, for HTML and EPUB alike.

The HTML parser of lxml is used for XHTML too: an XML parser that recovers from errors deletes
`&mdash;` and `&eacute;` without a word. What its rules would misread is mended before.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from lxml import etree, html

from narrate.core import BlockKind
from narrate.errors import InputError
from narrate.text.archive import MAX_TAGS
from narrate.text.decoding import decode
from narrate.text.extraction import Extraction, Run
from narrate.text.flattening import flattened
from narrate.text.matter import CODE, FOOTNOTE
from narrate.text.preformatted import is_code_by_markup, looks_like_code, paragraphs_of
from narrate.text.roles import NOTE_MARK, aside_of, aside_of_text, href_fragment, mark_of

__all__ = ["UNREAD", "Page", "parsed", "walk"]

_DECLARED = re.compile(
    rb"<\?xml[^>]*?encoding=[\"']([\w.-]+)|<meta[^>]+charset=[\"']?([\w.-]+)", re.I
)
_PROLOGUE = re.compile(r"\A\s*<\?xml[^>]*\?>")
# Entities that a page declares for itself: the parser would read the end of it as text.
_SUBSET = re.compile(r"\A\s*<!DOCTYPE[^<>\[]*\[.*?\]\s*>", re.DOTALL | re.IGNORECASE)
# `<script/>` and `<a id="x"/>` close themselves in XHTML; in HTML they would swallow what follows.
_SELF_CLOSED = re.compile(r"<([A-Za-z][\w:-]*)((?:\s[^<>]{0,4000})?)/>")
# A picture inside a tag, or attributes by the thousand: the parser compares each with each.
_HUGE_TAG = re.compile(r"<(?P<name>[A-Za-z][\w:-]*)(?P<rest>\s[^<>]{2000,})>")
_ATTRIBUTE = re.compile(r"(?<![\w:-])([\w:-]++)\s*+=\s*+[\"']?([^\"']*)")
_READ_ATTRIBUTES = frozenset(
    ["class", "epub:type", "hidden", "href", "id", "lang", "name", "role", "style", "type"]
)
_MOST_VALUE = 1_000
# One that is never shut ends where the next begins, so that each is looked through once.
_CDATA = re.compile(r"<!\[CDATA\[((?:(?!<!\[CDATA\[).)*?)\]\]>", re.DOTALL)
_VOID_NAMES = "area base br col embed hr img input link meta param source track wbr"
_VOID = frozenset(_VOID_NAMES.split())
_SPACE = re.compile(r"\s+")
_EAST = "\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uff00-\uff60"
_EAST_BREAK = re.compile(rf"(?<=[{_EAST}])\s*\n\s*(?=[{_EAST}])")
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCK_NAMES = (
    "address article aside blockquote body caption center dd details dialog dir div dl dt fieldset "
    "figcaption figure footer form h1 h2 h3 h4 h5 h6 header hr html legend li main menu nav ol p "
    "pre section summary table tbody tfoot thead tr ul"
)
_BLOCKS = frozenset(_BLOCK_NAMES.split())
_UNREAD_NAMES = "head script style template object audio video iframe svg canvas map"
UNREAD = frozenset(_UNREAD_NAMES.split())
_KINDS = {
    "blockquote": BlockKind.QUOTE,
    "li": BlockKind.ITEM,
    "dd": BlockKind.ITEM,
    "dt": BlockKind.ITEM,
    "tr": BlockKind.TABLE,
} | dict.fromkeys(_HEADINGS, BlockKind.HEADING)
_CELLS = frozenset({"td", "th"})
_NOTE_TAGS = frozenset({"p", "li", "dd", "td", "aside"})
_STANZAS = frozenset({"linegroup", "stanza", "lg"})
_LINES = frozenset({"div", "p"})  # in a stanza
_DROP_CAP = re.compile("[“\"‘'«„]*[^\\W\\d_]")
_INITIAL = re.compile("fig|drop|initial")


@dataclass(slots=True)
class Page:
    """One parsed page: its tree, its title, and the language that it declares."""

    root: html.HtmlElement
    title: str
    language: str
    author: str
    description: str


def parsed(data: bytes, where: str) -> Page | None:
    """Parse a page; nothing where there is no markup in it. Links are never followed."""
    text = _PROLOGUE.sub("", _text_of(data, where)).replace("\0", "")
    text = _SUBSET.sub("", text)
    text = _CDATA.sub(lambda found: found[1].replace("&", "&amp;").replace("<", "&lt;"), text)
    text = _SELF_CLOSED.sub(_closed, _HUGE_TAG.sub(_slim, text))
    if text.count("<") > MAX_TAGS:
        raise InputError(
            "the page has more tags than a page has",
            where=where,
            remedy="save it as plain text, and name that",
        )
    root, too_deep = _tree(text)
    if too_deep:
        root, too_deep = _tree(flattened(text))
    if root is None:
        return None
    if too_deep:
        raise InputError(
            "the page is nested deeper than any page is",
            where=where,
            remedy="save it as plain text, and name that",
        )
    title = root.findtext(".//title") or ""
    said: dict[str, str] = {}
    for meta in root.iter("meta"):
        said.setdefault((meta.get("name") or "").lower(), " ".join(meta.get("content", "").split()))
    language = root.get("lang") or root.get("xml:lang") or ""
    author, description = said.get("author", ""), said.get("description", "")
    return Page(root, " ".join(title.split()), language, author, description)


def _tree(text: str) -> tuple[html.HtmlElement | None, bool]:
    """The parsed page, and whether its parser stopped because it is nested too deep."""
    parser = html.HTMLParser(
        encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True, huge_tree=True
    )
    try:
        root = html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        root = None
    return root, any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log)


def _slim(found: re.Match[str]) -> str:
    """A huge tag with no more than the attributes that are looked at, cut to a sane length."""
    kept = {
        name.lower(): value[:_MOST_VALUE].replace('"', "")
        for name, value in _ATTRIBUTE.findall(found["rest"])
        if name.lower() in _READ_ATTRIBUTES
    }
    attributes = "".join(f' {name}="{value}"' for name, value in kept.items())
    return f"<{found['name']}{attributes}{'/' if found['rest'].endswith('/') else ''}>"


def _closed(found: re.Match[str]) -> str:
    name = found[1].lower()
    return found[0] if name in _VOID else f"<{found[1]}{found[2]}></{found[1]}>"


def _text_of(data: bytes, where: str) -> str:
    """The page's text in the encoding it declares, if that fits, else as any text is decoded."""
    declared = _DECLARED.search(data[:4096])
    if declared is not None and not data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        name = (declared[1] or declared[2]).decode("ascii", "replace").lower()
        if name not in ("utf-16", "utf-8"):
            try:
                return data.decode("cp1252" if name in ("iso-8859-1", "latin-1") else name)
            except (UnicodeDecodeError, LookupError):
                pass
    return decode(data, where)


@dataclass(slots=True)
class _Open:
    """What an open element changes for the text inside it."""

    tag: str
    kind: BlockKind | None = None
    reason: str = ""
    aside: str = ""
    initial: bool = False


@dataclass(slots=True)
class _Walker:
    extraction: Extraction
    anchored: Callable[[str], None] | None
    aside: str
    stack: list[_Open] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    initial: list[Run] = field(default_factory=list)
    notes: set[str] = field(default_factory=set)
    unread: int = 0
    rows: int = 0
    literal: int = 0
    stanzas: int = 0

    def start(self, element: html.HtmlElement) -> None:
        """Enter an element."""
        tag = element.tag
        if self.unread or tag in UNREAD:
            self.unread += 1
            return
        if tag == "br":
            self.text("\n", literal=True)
        elif tag in _CELLS and any(run.text.strip() for run in self.runs):
            self.text(" | ", literal=True)
        elif tag in _BLOCKS:
            self._break(tag)
        name = element.get("id") or (element.get("name") if tag == "a" else None)
        if name and self.anchored is not None:
            self.anchored(name)
        outer = self.stack[-1] if self.stack else _Open("", aside=self.aside)
        opened = _Open(
            tag,
            _kind_of(element, outer.kind),
            outer.reason or mark_of(element),
            outer.aside or aside_of(element),
            outer.initial or _INITIAL.search(element.get("class") or "") is not None,
        )
        self.stack.append(opened)
        self._note(element, name, opened)
        self.rows += tag == "tr"
        self.stanzas += _is_stanza(element)
        self.literal += tag in ("pre", "textarea")
        self.text(element.text or "")

    def _note(self, element: html.HtmlElement, name: str | None, opened: _Open) -> None:
        """Remember where the marks of notes lead, and set aside the paragraphs that begin there."""
        block = next((o for o in reversed(self.stack) if o.tag in _BLOCKS), opened)
        if name in self.notes and not any(run.text.strip() for run in self.runs):
            if block.tag in _NOTE_TAGS and not block.aside:
                block.aside = FOOTNOTE
        elif opened.reason == NOTE_MARK and block.aside != FOOTNOTE:
            self.notes.update(href_fragment(element))

    def end(self, element: html.HtmlElement) -> None:
        """Leave an element; its tail belongs to the one around it."""
        if self.unread:
            self.unread -= 1
        else:
            tag = element.tag
            self.stanzas -= _is_stanza(element)
            if tag in _BLOCKS:
                self._break(tag)
            self.rows -= tag == "tr"
            self.literal -= tag in ("pre", "textarea")
            self.stack.pop()
        if not self.unread:
            self.text(element.tail or "")

    def text(self, text: str, *, literal: bool = False) -> None:
        """Take text in, its white space folded where that means nothing."""
        if not text:
            return
        if not literal and not self.literal:
            text = _SPACE.sub(" ", _EAST_BREAK.sub("", text))
            if text == " " and (not self.runs or self.runs[-1].text[-1:].isspace()):
                return
        self.runs.append(Run(text, self.stack[-1].reason if self.stack else ""))

    def _break(self, tag: str) -> None:
        if self.rows and tag not in _HEADINGS and tag not in ("tr", "table", "li"):
            self.text(" ")
        elif self.stanzas and tag in _LINES:
            self.text("\n", literal=True)
        else:
            self.flush()

    def flush(self) -> None:
        """End the block that is being collected."""
        runs, self.runs = self.runs, []
        top = self.stack[-1] if self.stack else _Open("")
        spoken = "".join(run.text for run in runs if not run.reason).strip()
        if top.initial and _DROP_CAP.fullmatch(spoken) and spoken.isupper():
            self.initial = [Run(spoken)]  # a drop cap: the first letter of the next block's word
            return
        if self.initial and spoken:
            runs, self.initial = [*self.initial, Run(runs[0].text.lstrip(), runs[0].reason),
                                  *runs[1:]], []  # fmt: skip
        if self.literal and top.kind is not BlockKind.CODE:
            if not looks_like_code(spoken):
                for prose, part in paragraphs_of(runs):
                    self.extraction.add(prose, part, aside=top.aside or self.aside)
                return
            top = replace(top, kind=BlockKind.CODE)
        kind = top.kind or BlockKind.PARAGRAPH
        level = next((_HEADINGS[o.tag] for o in reversed(self.stack) if o.tag in _HEADINGS), 0)
        if kind is not BlockKind.HEADING:
            level = 0
            if "\n" in spoken and kind is not BlockKind.CODE:
                kind = BlockKind.VERSE
        aside = top.aside or self.aside or aside_of_text(spoken)
        aside = aside or (CODE if kind is BlockKind.CODE else "")
        self.extraction.add(kind, runs, level=level, aside=aside)


def _is_stanza(element: html.HtmlElement) -> bool:
    """Whether the blocks in an element are the lines of a poem."""
    names = (element.get("class") or "")[:_MOST_VALUE].split()
    return element.tag in ("div", "section", "p", "blockquote") and not _STANZAS.isdisjoint(names)


def _kind_of(element: html.HtmlElement, outer: BlockKind | None) -> BlockKind | None:
    if element.tag == "pre":
        return BlockKind.CODE if is_code_by_markup(element) else None
    return _KINDS.get(element.tag, outer)


def walk(
    page: Page,
    extraction: Extraction,
    *,
    anchored: Callable[[str], None] | None = None,
    aside: str = "",
) -> None:
    """Append a page's blocks; `anchored` is told each id, before the text that it stands at."""
    walker = _Walker(extraction, anchored, aside)
    for event, element in etree.iterwalk(page.root, events=("start", "end")):
        if not isinstance(element.tag, str):
            continue
        if event == "start":
            walker.start(element)
        else:
            walker.end(element)
    walker.flush()
