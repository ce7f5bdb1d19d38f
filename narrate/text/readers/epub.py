"""EPUB 2 and 3: the spine's pages in order, chapters by headings, else by the contents.

The contents (nav or NCX) give titles only where a book has no headings: they often list half of
its chapters. A manifest may name files that are not there; those are passed over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree, html

from narrate.core import Block, BlockKind, Chapter, Document
from narrate.text.archive import Archive
from narrate.text.extraction import Extraction, boilerplate_aside
from narrate.text.facts import year_of
from narrate.text.language import language_of
from narrate.text.markup import Page, parsed, walk
from narrate.text.matter import without_matter
from narrate.text.outline import chapters_at, chapters_by_level, joined_opening, promoted

__all__ = ["package_of", "read"]

_CONTAINER = "META-INF/container.xml"
_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")
_GUIDE = {"toc": "contents", "copyright-page": "copyright page", "index": "index"}
_MAX_PAGES = 10_000
_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")


@dataclass(frozen=True, slots=True)
class _Item:
    name: str
    kind: str
    properties: str


@dataclass(slots=True)
class _Package:
    name: str
    title: str = ""
    author: str = ""
    language: str = ""
    items: dict[str, _Item] = field(default_factory=dict)
    spine: list[str] = field(default_factory=list)
    asides: dict[str, str] = field(default_factory=dict)
    cover: str = ""
    ncx: str = ""
    series: str = ""
    year: int | None = None
    description: str = ""


def read(data: bytes, path: Path) -> Document:
    """Read a book; `path` gives the title where its metadata gives none."""
    archive = Archive(data, str(path), "EPUB")
    _refuse_protected(archive)
    package = package_of(archive)
    archive.demand(package.spine[:_MAX_PAGES])
    extraction = Extraction(str(path))
    anchors: dict[str, int] = {}
    pages: list[int] = []
    for name in package.spine[:_MAX_PAGES]:
        page = parsed(archive.part(name), name) if archive.part_size(name) else None
        if page is None:
            continue
        anchors.setdefault(name, len(extraction.blocks))
        pages.append(len(extraction.blocks))

        def anchored(mark: str, name: str = name) -> None:
            anchors.setdefault(f"{name}#{mark}", len(extraction.blocks))

        walk(page, extraction, anchored=anchored, aside=package.asides.get(name, ""))
    blocks = promoted(boilerplate_aside(extraction.blocks))
    title = package.title or path.stem
    toc = [(anchors[target], name) for target, name in _toc(archive, package) if target in anchors]
    spoken = " ".join(block.text for block in blocks[:2000] if not block.aside)
    return Document(
        title=title,
        author=package.author,
        language=language_of(spoken, package.language),
        chapters=without_matter(_chapters(blocks, toc, pages, title)),
        source=extraction.source,
        skipped=tuple(sorted(extraction.skipped, key=lambda skip: skip.span)),
        cover=archive.part(package.cover) or None if package.cover else None,
        series=package.series,
        year=package.year,
        description=package.description,
    )


def _chapters(
    blocks: list[Block], toc: list[tuple[int, str]], pages: list[int], title: str
) -> tuple[Chapter, ...]:
    headings = [block for block in blocks if block.kind is BlockKind.HEADING and not block.aside]
    if len(headings) > 1 or (headings and len(toc) < 2):
        return joined_opening(chapters_by_level(blocks, title))
    if len(toc) > 1:
        return chapters_at(blocks, toc[::-1], title)
    return chapters_at(blocks, [(index, "") for index in pages], title)


def _refuse_protected(archive: Archive) -> None:
    root = archive.xml("META-INF/encryption.xml")
    if root is None:
        return
    methods = [m.get("Algorithm") or "" for m in root.iterfind(".//{*}EncryptionMethod")]
    if any(not method.startswith(_FONTS) for method in methods):
        raise archive.refusal("the book is protected against copying and cannot be read")


def package_of(archive: Archive) -> _Package:
    """The package file: metadata, parts and reading order; InputError where there is none."""
    container = archive.xml(_CONTAINER)
    rootfile = None if container is None else container.find(".//{*}rootfile")
    name = "" if rootfile is None else rootfile.get("full-path") or ""
    name = name if name in archive else archive.first_ending(".opf")
    root = archive.xml(name) if name else None
    if root is None:
        raise archive.refusal("the EPUB has no package file that lists its contents")
    package = _Package(name)
    package.title, package.language = _text(root, "title"), _text(root, "language")
    package.author = ", ".join(filter(None, map(_joined, root.iterfind(".//{*}creator"))))
    package.series, package.year = _series(root), year_of(_text(root, "date"))
    package.description = _plain(_text(root, "description"))
    for item in root.iterfind(".//{*}manifest/{*}item"):
        target = archive.resolved(name, item.get("href") or "")
        kind, properties = item.get("media-type") or "", item.get("properties") or ""
        package.items[item.get("id") or target] = _Item(target, kind, properties)
    _spine(root, package)
    for reference in root.iterfind(".//{*}guide/{*}reference"):
        reason = _GUIDE.get((reference.get("type") or "").lower())
        if reason and "#" not in (reference.get("href") or ""):
            package.asides[archive.resolved(name, reference.get("href") or "")] = reason
    package.cover = _cover(root, package)
    return package


def _spine(root: etree._Element, package: _Package) -> None:
    """The pages in reading order, each once; without a spine, the manifest's."""
    spine = root.find(".//{*}spine")
    wanted = (
        [] if spine is None else [ref.get("idref") or "" for ref in spine.iterfind("{*}itemref")]
    )
    items = [package.items[ref] for ref in wanted if ref in package.items]
    items = items or [item for item in package.items.values() if item.kind in _PAGES]
    package.spine = list(dict.fromkeys(item.name for item in items))
    for item in package.items.values():
        if "nav" in item.properties.split():
            package.asides[item.name] = "contents"
    ncx = package.items.get("" if spine is None else spine.get("toc") or "")
    found = (item.name for item in package.items.values() if item.kind.endswith("dtbncx+xml"))
    package.ncx = next(found, "") if ncx is None else ncx.name


def _cover(root: etree._Element, package: _Package) -> str:
    for item in package.items.values():
        if "cover-image" in item.properties.split():
            return item.name
    for meta in root.iterfind(".//{*}meta"):
        item_id = meta.get("content") or ""
        if meta.get("name") == "cover" and item_id in package.items:
            return package.items[item_id].name
    return ""


def _series(root: etree._Element) -> str:
    """The series and the book's number in it, as EPUB 3 says it or, before that, calibre."""
    metas = list(root.iterfind(".//{*}metadata//{*}meta"))
    named = {meta.get("name") or "": meta.get("content") or "" for meta in metas}
    name, number = named.get("calibre:series", ""), named.get("calibre:series_index", "")
    refined = {(meta.get("refines") or "", meta.get("property") or ""): meta for meta in metas}
    for meta in metas:
        if meta.get("property") == "belongs-to-collection" and not meta.get("refines"):
            name = _joined(meta)
            position = refined.get((f"#{meta.get('id')}", "group-position"))
            number = "" if position is None else _joined(position)
            break
    number = number.removesuffix(".0")
    return f"{name} #{number}" if name and number else name


def _plain(description: str) -> str:
    """The words of a description, which is often HTML."""
    if "<" not in description:
        return description
    page = html.fragment_fromstring(description, create_parent="div")
    return " ".join(" ".join(map(str, page.itertext())).split())


def _toc(archive: Archive, package: _Package) -> list[tuple[str, str]]:
    """The targets and titles of the book's contents, from nav or, without one, from the NCX."""
    nav = next((i.name for i in package.items.values() if "nav" in i.properties.split()), "")
    page: Page | None = parsed(archive.part(nav), nav) if nav and archive.part_size(nav) else None
    if page is not None:
        lists = [n for n in page.root.iter("nav") if "toc" in (n.get("epub:type") or "")]
        links = [a for n in lists[:1] for a in n.iter("a")]
        return [(_target(archive, nav, a.get("href") or ""), _joined(a)) for a in links]
    root = archive.xml(package.ncx) if package.ncx else None
    points = [] if root is None else list(root.iterfind(".//{*}navPoint"))
    entries: list[tuple[str, str]] = []
    for point in points:
        content, label = point.find("{*}content"), point.find("{*}navLabel")
        if content is not None and label is not None:
            target = _target(archive, package.ncx, content.get("src") or "")
            entries.append((target, _joined(label)))
    return entries


def _target(archive: Archive, base: str, href: str) -> str:
    _, mark, fragment = href.partition("#")
    return archive.resolved(base, href) + mark + fragment


def _text(root: etree._Element, name: str) -> str:
    found = root.find(f".//{{*}}metadata//{{http://purl.org/dc/elements/1.1/}}{name}")
    return "" if found is None else _joined(found)


def _joined(element: etree._Element) -> str:
    return " ".join("".join(map(str, element.itertext())).split())
