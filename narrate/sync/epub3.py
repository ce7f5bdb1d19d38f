"""EPUB 3 with media overlays, its text made from the chunks: for documents that are no EPUB 3.

One page, one overlay and one sound a chapter. A sentence is a place that lights up while it is
heard; a pause of half a second or more between chunks begins a new paragraph.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from lxml import etree

from narrate.core import Cover, Metadata
from narrate.sync.overlays import (
    ACTIVE_CLASS,
    STYLE,
    Clip,
    Sound,
    clips_of,
    clock,
    duration_ms,
    smil,
)
from narrate.sync.timeline import TimedChapter, TimedChunk

__all__ = ["Labels", "audio_name", "write_epub", "write_part", "write_sound"]

PARAGRAPH_S = 0.5
_MOMENT = (1980, 1, 1, 0, 0, 0)  # the same content gives the same bytes
_OPF, _DC = "http://www.idpf.org/2007/opf", "http://purl.org/dc/elements/1.1/"
_NAMES: dict[str, str] = {None: _OPF, "dc": _DC}  # type: ignore[dict-item]
_RIGHT_TO_LEFT = frozenset({"ar", "fa", "he", "ur", "yi"})
_CONTAINER = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<container version="1.0" '
    'xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile '
    'full-path="EPUB/package.opf" media-type="application/oebps-package+xml"/></rootfiles>'
    "</container>\n"
)
_PAGE_STYLE = f"body {{ margin: 5%; line-height: 1.5; }}\n{STYLE}"


@dataclass(frozen=True, slots=True)
class Labels:
    """What the package says: `identifier` a URN, `modified` as `2026-01-31T12:00:00Z`."""

    metadata: Metadata
    identifier: str
    modified: str
    narrator: str
    cover: Cover | None = None


def audio_name(number: int, suffix: str) -> str:
    """The name of a chapter's sound."""
    return f"audio/{number:03}{suffix}"


def write_epub(
    out: Path,
    labels: Labels,
    chapters: Sequence[TimedChapter],
    sounds: Mapping[int, tuple[Path, str]],
) -> None:
    """Write the book; `sounds` has each chapter's file and media type."""
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        write_part(book, "mimetype", b"application/epub+zip", stored=True)
        write_part(book, "META-INF/container.xml", _CONTAINER.encode())
        overlays: dict[int, list[Clip]] = {}
        names: dict[int, Sound] = {}
        for chapter in chapters:
            path, kind = sounds[chapter.number]
            names[chapter.number] = Sound(audio_name(chapter.number, path.suffix), kind)
            page, places = _page(chapter, labels)
            clips = clips_of(chapter, places, names[chapter.number])
            overlays[chapter.number] = clips
            write_part(book, f"EPUB/{_page_name(chapter)}", page.encode("utf-8"))
            write_part(book, f"EPUB/{_smil_name(chapter)}", smil(clips, "../"))
            write_sound(book, f"EPUB/{names[chapter.number].name}", path)
        write_part(book, "EPUB/style.css", _PAGE_STYLE.encode())
        write_part(book, "EPUB/nav.xhtml", _nav(chapters, labels).encode("utf-8"))
        if labels.cover:
            write_part(book, f"EPUB/cover{labels.cover.suffix}", labels.cover.data, stored=True)
        write_part(book, "EPUB/package.opf", _package(chapters, labels, overlays, names))


def write_part(book: zipfile.ZipFile, name: str, data: bytes, *, stored: bool = False) -> None:
    """Write a part with a fixed date."""
    info = zipfile.ZipInfo(name, _MOMENT)
    info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    book.writestr(info, data)


def write_sound(book: zipfile.ZipFile, name: str, path: Path) -> None:
    """Write a file that is compressed already, block by block."""
    info = zipfile.ZipInfo(name, _MOMENT)
    info.file_size = path.stat().st_size
    with path.open("rb") as file, book.open(info, "w") as part:
        while block := file.read(1 << 20):
            part.write(block)


def _page_name(chapter: TimedChapter) -> str:
    return f"text/{chapter.number:03}.xhtml"


def _smil_name(chapter: TimedChapter) -> str:
    return f"smil/{chapter.number:03}.smil"


def _title(chapter: TimedChapter) -> str:
    return chapter.title or f"{chapter.number}"


def _page(chapter: TimedChapter, labels: Labels) -> tuple[str, list[tuple[int, str, str]]]:
    """A chapter's page, and each of its places: first sample, page, mark."""
    places: list[tuple[int, str, str]] = []
    written: list[str] = []
    for paragraph in _paragraphs(chapter):
        words = " ".join(_chunk(chapter, chunk, places) for chunk in paragraph)
        heading = not written and _same(paragraph, chapter.title)
        written.append(f"<h1>{words}</h1>" if heading else f"<p>{words}</p>")
    return _xhtml(_title(chapter), labels, "".join(f"{one}\n" for one in written), "../"), places


def _paragraphs(chapter: TimedChapter) -> Iterator[list[TimedChunk]]:
    paragraph: list[TimedChunk] = []
    for chunk in chapter.chunks:
        if paragraph and chunk.start - paragraph[-1].end >= PARAGRAPH_S * chapter.rate_hz:
            yield paragraph
            paragraph = []
        paragraph.append(chunk)
    yield paragraph


def _same(paragraph: Sequence[TimedChunk], title: str) -> bool:
    words = " ".join(chunk.text for chunk in paragraph)
    return "".join(words.split()).casefold() == "".join(title.split()).casefold()


def _chunk(chapter: TimedChapter, chunk: TimedChunk, places: list[tuple[int, str, str]]) -> str:
    """A chunk's text, each sentence with a mark and what stands between two of them."""
    made: list[str] = []
    cursor = 0
    for number, sentence in enumerate(chunk.sentences, 1):
        mark = f"c{chunk.position}s{number}"
        start = chunk.text.index(sentence.text, cursor)
        made.append(escape(_legal(chunk.text[cursor:start])))
        made.append(f'<span id="{mark}">{escape(_legal(sentence.text))}</span>')
        places.append((sentence.start, _page_name(chapter), mark))
        cursor = start + len(sentence.text)
    return "".join(made) + escape(_legal(chunk.text[cursor:]))


def _legal(text: str) -> str:
    """Text without the control characters that XML cannot hold."""
    return "".join(
        char if char >= " " and char not in "\ufffe\uffff" and not "\ud800" <= char <= "\udfff"
        else " "
        for char in text
    )  # fmt: skip


def _xhtml(title: str, labels: Labels, body: str, up: str) -> str:
    language = escape(labels.metadata.language or "und")
    way = ' dir="rtl"' if language.split("-")[0] in _RIGHT_TO_LEFT else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html>\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" '
        'xmlns:epub="http://www.idpf.org/2007/ops" '
        f'lang="{language}" xml:lang="{language}"{way}>\n<head>\n<meta charset="utf-8"/>\n'
        f"<title>{escape(_legal(title))}</title>\n"
        f'<link rel="stylesheet" type="text/css" href="{up}style.css"/>\n</head>\n'
        f"<body>\n{body}</body>\n</html>\n"
    )


def _nav(chapters: Sequence[TimedChapter], labels: Labels) -> str:
    entries = "".join(
        f'<li><a href="{_page_name(one)}">{escape(_legal(_title(one)))}</a></li>\n'
        for one in chapters
    )
    title = labels.metadata.title
    body = (
        f'<nav epub:type="toc" id="toc"><h1>{escape(_legal(title))}</h1>\n'
        f"<ol>\n{entries}</ol></nav>\n"
    )
    return _xhtml(title, labels, body, "")


def _package(
    chapters: Sequence[TimedChapter],
    labels: Labels,
    overlays: Mapping[int, Sequence[Clip]],
    sounds: Mapping[int, Sound],
) -> bytes:
    opf, dc = _OPF, _DC
    root = etree.Element(
        f"{{{opf}}}package", {"version": "3.0", "unique-identifier": "id"}, nsmap=_NAMES
    )
    about = etree.SubElement(root, f"{{{opf}}}metadata")
    said = labels.metadata
    facts = {"title": said.title, "language": said.language or "und", "creator": said.author,
             "description": said.description, "date": str(said.year or "")}  # fmt: skip
    etree.SubElement(about, f"{{{dc}}}identifier", id="id").text = labels.identifier
    for name, value in facts.items():
        if value:
            etree.SubElement(about, f"{{{dc}}}{name}").text = _legal(value)
    metas = [
        ("dcterms:modified", labels.modified),
        ("media:duration", clock(sum(map(duration_ms, overlays.values())))),
        ("media:narrator", _legal(labels.narrator)),
        ("media:active-class", ACTIVE_CLASS),
        ("schema:accessMode", "textual"),
        ("schema:accessMode", "auditory"),
        ("schema:accessModeSufficient", "textual,auditory"),
        ("schema:accessibilityFeature", "synchronizedAudioText"),
        ("schema:accessibilityHazard", "none"),
    ]
    for name, value in metas:
        etree.SubElement(about, f"{{{opf}}}meta", property=name).text = value
    for number, clips in overlays.items():
        length = etree.SubElement(
            about, f"{{{opf}}}meta", property="media:duration", refines=f"#smil{number}"
        )
        length.text = clock(duration_ms(clips))
    manifest = etree.SubElement(root, f"{{{opf}}}manifest")
    spine = etree.SubElement(root, f"{{{opf}}}spine")

    def item(name: str, href: str, kind: str, **more: str) -> None:
        named = {key.replace("_", "-"): value for key, value in more.items()}
        etree.SubElement(
            manifest, f"{{{opf}}}item", {"id": name, "href": href, "media-type": kind, **named}
        )

    item("nav", "nav.xhtml", "application/xhtml+xml", properties="nav")
    item("style", "style.css", "text/css")
    if labels.cover:
        cover = labels.cover
        item("cover", f"cover{cover.suffix}", cover.media_type, properties="cover-image")
    for one in chapters:
        number, sound = one.number, sounds[one.number]
        kind = "application/xhtml+xml"
        item(f"page{number}", _page_name(one), kind, media_overlay=f"smil{number}")
        item(f"smil{number}", _smil_name(one), "application/smil+xml")
        item(f"sound{number}", sound.name, sound.media_type)
        etree.SubElement(spine, f"{{{opf}}}itemref", idref=f"page{number}")
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
