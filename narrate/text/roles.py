"""What markup says a part of a document is for: which parts and which marks are not read aloud."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from lxml import html

from narrate.text.headings import NOTE_TITLE

__all__ = [
    "ASIDES",
    "HIDDEN",
    "NOTE_MARK",
    "TRANSCRIBER",
    "aside_of",
    "aside_of_text",
    "aside_of_title",
    "href_fragment",
    "mark_of",
]

_ROLES: Mapping[str, str] = MappingProxyType(
    {
        "contents": "toc lot loi loa landmarks page-list doc-toc doc-pagelist toc-rw",
        "index": "index doc-index",
        "copyright page": "copyright-page imprint imprimatur colophon doc-colophon",
        "footnote": (
            "footnote footnotes rearnote rearnotes endnote endnotes doc-footnote doc-endnotes "
            "doc-endnote"
        ),
    }
)
TRANSCRIBER = "transcriber's note"
_CLASSES: Mapping[str, str] = MappingProxyType(
    {
        "contents": "toc contents tableofcontents",
        "copyright page": "copyright-page copyright legalnotice colophon",
        "footnote": "footnote footnotes endnotes rearnotes",
        "navigation": "docnav navheader navfooter navigation",
        "Project Gutenberg licence": "pgheader pg-boilerplate pgfooter",
        TRANSCRIBER: "tnote tnotes transnote transnotes transcribers-note",
    }
)
_BY_ROLE = {role: reason for reason, roles in _ROLES.items() for role in roles.split()}
_BY_CLASS = {name: reason for reason, names in _CLASSES.items() for name in names.split()}
_TITLES = tuple(
    (re.compile(pattern, re.IGNORECASE), reason)
    for reason, pattern in {
        "contents": "(?:table of )?contents|inhalt(?:sverzeichnis)?|table des mati[eè]res|[ií]ndice"
        "|sommaire|sommario|sumário|оглавление|содержание|目次|目录|目錄|차례"
        "|list of (?:the )?(?:plates|illustrations|figures|tables|maps)",
        "index": "(?:general |subject )?index|register|sachregister|索引",
        "copyright page": "copyright(?: page| notice)?|legal notice|impressum|imprint|colophon"
        "|奥付|版权",
        "licence": "(?:the full project gutenberg(?:™|-tm)? )?licen[cs]e",
        "footnote": "(?:foot|end)?notes|fußnoten|anmerkungen|注释|注釈",
        TRANSCRIBER: NOTE_TITLE,
    }.items()
)
_TRANSCRIBER = re.compile(r"[\[(]?transcriber['’]?s?['’]? notes?:", re.IGNORECASE)
_MARK_CLASSES = {
    "pagenum": "page number", "pageno": "page number", "x-ebookmaker-pageno": "page number",
    "page-number": "page number", "pagebreak": "page number", "lnum": "line number",
    "linenum": "line number", "noteref": "footnote mark", "fnanchor": "footnote mark",
    "footnote-ref": "footnote mark",
}  # fmt: skip
_MARK_ROLES = {
    "noteref": "footnote mark", "doc-noteref": "footnote mark", "pagebreak": "page number",
    "doc-pagebreak": "page number", "backlink": "footnote mark", "doc-backlink": "footnote mark",
}  # fmt: skip
_MARK_TAGS = {"rt": "ruby reading", "rp": "ruby reading", "rtc": "ruby reading"} | dict.fromkeys(
    ("button", "select", "option", "textarea"), "form control"
)
NOTE_MARK = "footnote mark"
_NOTE_MARK = re.compile(r"[\[(]?(?:\d{1,4}|[*†‡§¶#]{1,3}|[a-z]|[ivx]{1,5})[\])]?")

HIDDEN = "hidden"
_NOT_SHOWN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)

ASIDES = tuple(sorted({*_ROLES, *_CLASSES, HIDDEN, "code block"}))
"""The reasons for which whole blocks are set aside, and that can be asked for."""


def _words(element: html.HtmlElement, name: str) -> list[str]:
    return (element.get(name) or "")[:1000].lower().split()


def aside_of(element: html.HtmlElement) -> str:
    """Why all of an element is not read unless asked for, empty where it is."""
    if is_hidden(element):
        return HIDDEN
    if element.tag == "nav":
        return "contents" if "toc" in _words(element, "epub:type") else "navigation"
    if element.tag not in ("div", "section", "aside", "ol", "ul", "dl", "table", "p", "article",
                           "li", "body"):  # fmt: skip
        return ""
    for role in [*_words(element, "epub:type"), *_words(element, "role")]:
        if role in _BY_ROLE:
            return _BY_ROLE[role]
    return next((_BY_CLASS[c] for c in _words(element, "class") if c in _BY_CLASS), "")


def href_fragment(element: html.HtmlElement) -> list[str]:
    """The id that a mark, or the link inside it, leads to; none where there is no link."""
    link = element if element.tag == "a" else next(iter(element.iterfind(".//a")), None)
    fragment = "" if link is None else (link.get("href") or "").partition("#")[2]
    return [fragment] if fragment else []


def is_hidden(element: html.HtmlElement) -> bool:
    """Whether an element says that it is not to be shown."""
    style = (element.get("style") or "")[:1000]
    return element.get("hidden") is not None or _NOT_SHOWN.search(style) is not None


def aside_of_text(text: str) -> str:
    """Why a paragraph that says so itself is not read unless asked for, empty where it is."""
    return TRANSCRIBER if _TRANSCRIBER.match(text) else ""


def aside_of_title(title: str) -> str:
    """Why a chapter of this title is not read unless asked for, empty where it is."""
    bare = title.strip(" .:_*")
    return next((reason for pattern, reason in _TITLES if pattern.fullmatch(bare)), "")


def mark_of(element: html.HtmlElement) -> str:
    """Why a piece inside a paragraph is not read, empty where it is."""
    if element.tag in _MARK_TAGS:
        return _MARK_TAGS[element.tag]
    if element.tag not in ("a", "span", "sup", "small", "b", "i"):
        return ""
    if is_hidden(element):
        return HIDDEN
    for role in [*_words(element, "epub:type"), *_words(element, "role")]:
        if role in _MARK_ROLES:
            return _MARK_ROLES[role]
    for name in _words(element, "class"):
        if name in _MARK_CLASSES:
            return _MARK_CLASSES[name]
    if element.tag in ("a", "sup"):
        text = "".join(element.itertext())[:12].strip()
        raised = element.tag == "sup" or any(child.tag == "sup" for child in element)
        link = element if element.tag == "a" else next(iter(element.iterfind(".//a")), None)
        inside = link is not None and "#" in (link.get("href") or "")
        if inside and (raised or text[:1] == "[") and _NOTE_MARK.fullmatch(text):
            return NOTE_MARK
    return ""
