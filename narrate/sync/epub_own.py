"""EPUB 3 with media overlays, from an EPUB 3 of its own: its parts as they are, marks in its pages.

Copied are all parts but the package, the pages that got marks, and overlays that were there before.
What is added lies in a folder of its own beside the package: an overlay a page, a sound a chapter.
"""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from lxml import etree

from narrate.core import Cover
from narrate.sync.epub3 import Labels, audio_name, write_part, write_sound
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
from narrate.sync.timeline import TimedChapter, shared_out

__all__ = ["OwnPages", "write_own_epub"]

FOLDER = "narrate-overlays"
_OPF = "{http://www.idpf.org/2007/opf}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_XHTML = "{http://www.w3.org/1999/xhtml}"
_SMIL_TYPE = "application/smil+xml"


@dataclass(frozen=True, slots=True)
class OwnPages:
    """The package's name, the pages with marks in them, and by position each chunk's places.

    A place is a page, the mark in it, and how many characters it holds. `said` is what the package
    is to say otherwise than it does, by the names of Dublin Core; `cover` the picture likewise.
    """

    package: str
    pages: Mapping[str, bytes]
    places: Mapping[int, Sequence[tuple[str, str, int]]]
    said: Mapping[str, str]
    cover: Cover | None = None


def write_own_epub(
    out: Path,
    source: Path,
    own: OwnPages,
    labels: Labels,
    chapters: Sequence[TimedChapter],
    sounds: Mapping[int, tuple[Path, str]],
) -> None:
    """Write the book; `sounds` has each chapter's file and media type."""
    added = posixpath.join(posixpath.dirname(own.package), FOLDER)
    names = {
        number: Sound(audio_name(number, path.suffix), kind)
        for number, (path, kind) in sounds.items()
    }
    overlays: dict[str, list[Clip]] = {}
    for chapter in chapters:
        for clip in clips_of(chapter, _places(chapter, own), names[chapter.number]):
            overlays.setdefault(clip.page, []).append(clip)
    with (
        zipfile.ZipFile(source) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book,
    ):
        write_part(book, "mimetype", b"application/epub+zip", stored=True)
        package = etree.fromstring(old.read(own.package), etree.XMLParser(resolve_entities=False))
        dropped = _drop_overlays(package, posixpath.dirname(own.package))
        for info in old.infolist():
            name = posixpath.normpath(info.filename)
            kept = name not in dropped and name not in ("mimetype", own.package)
            if kept and not info.is_dir() and name not in own.pages:
                write_part(book, info.filename, old.read(info))
        for name, page in own.pages.items():
            write_part(book, name, _styled(page, posixpath.relpath(added, posixpath.dirname(name))))
        for number, (page_name, clips) in enumerate(overlays.items(), 1):
            shown = quote(posixpath.relpath(page_name, added))
            led = [Clip(shown, one.mark, one.sound, one.start_ms, one.end_ms) for one in clips]
            write_part(book, f"{added}/{number}.smil", smil(led, ""))
        for number, sound in names.items():
            write_sound(book, f"{added}/{sound.name}", sounds[number][0])
        write_part(book, f"{added}/overlay.css", STYLE.encode())
        _say(package, own.said)
        if own.cover:
            name = f"cover{own.cover.suffix}"
            write_part(book, f"{added}/{name}", own.cover.data, stored=True)
            _show(package, f"{FOLDER}/{name}", own.cover)
        _add_overlays(package, own, labels, overlays, names.values())
        write_part(
            book, own.package, etree.tostring(package, xml_declaration=True, encoding="UTF-8")
        )


def _places(chapter: TimedChapter, own: OwnPages) -> list[tuple[int, str, str]]:
    """Where each place begins to be heard: a chunk's time is shared out by characters."""
    found: list[tuple[int, str, str]] = []
    for chunk in chapter.chunks:
        places = own.places.get(chunk.position, ())
        texts = ["x" * characters for _, _, characters in places]
        for heard, (page, mark, _) in zip(
            shared_out(chunk.start, chunk.end, texts), places, strict=True
        ):
            found.append((heard.start, page, mark))
    return found


def _styled(page: bytes, folder: str) -> bytes:
    """The page with a link to the style of what is being heard."""
    tree = etree.ElementTree(etree.fromstring(page, etree.XMLParser(resolve_entities=False)))
    head = tree.getroot().find(f"{_XHTML}head")
    if head is not None:
        where = f"{folder}/overlay.css"
        etree.SubElement(head, f"{_XHTML}link", rel="stylesheet", type="text/css", href=where)
    return etree.tostring(tree, xml_declaration=True, encoding="UTF-8")


def _drop_overlays(package: Any, base: str) -> set[str]:
    """Take overlays that are there out of a package; returns the names of their files."""
    dropped: set[str] = set()
    for item in list(package.iterfind(f"{_OPF}manifest/{_OPF}item")):
        item.attrib.pop("media-overlay", None)
        if item.get("media-type") == _SMIL_TYPE:
            dropped.add(posixpath.normpath(posixpath.join(base, unquote(item.get("href")))))
            item.getparent().remove(item)
    for meta in list(package.iterfind(f"{_OPF}metadata/{_OPF}meta")):
        name = meta.get("property") or ""
        # what refines another thing's date stays
        if name.startswith("media:") or (name == "dcterms:modified" and not meta.get("refines")):
            meta.getparent().remove(meta)
    return dropped


def _say(package: Any, said: Mapping[str, str]) -> None:
    """Replace what the package says of the book; what refined the old words goes with them."""
    about = package.find(f"{_OPF}metadata")
    for name, value in said.items():
        found = list(about.iterfind(f"{_DC}{name}"))
        # a subtitle is a title, too; two authors are replaced by the one line that was asked for
        old = found[:1] if name == "title" else found
        gone = {f"#{one.get('id')}" for one in old if one.get("id")}
        for meta in list(about.iterfind(f"{_OPF}meta")):
            if meta.get("refines") in gone:
                about.remove(meta)
        for one in old[1 if value else 0 :]:
            about.remove(one)
        if value:
            new = old[0] if old else etree.SubElement(about, f"{_DC}{name}")
            del new[:]
            new.text = value


def _show(package: Any, href: str, cover: Cover) -> None:
    """Make a picture the book's; the old one stays, a page may show it."""
    for item in package.iterfind(f"{_OPF}manifest/{_OPF}item"):
        kept = [one for one in (item.get("properties") or "").split() if one != "cover-image"]
        if item.attrib.pop("properties", None) and kept:
            item.set("properties", " ".join(kept))
    values = {"id": "narrate-cover", "href": href, "media-type": cover.media_type}
    manifest = package.find(f"{_OPF}manifest")
    etree.SubElement(manifest, f"{_OPF}item", values | {"properties": "cover-image"})
    for meta in package.iterfind(f"{_OPF}metadata/{_OPF}meta[@name='cover']"):
        meta.set("content", "narrate-cover")


def _add_overlays(
    package: Any,
    own: OwnPages,
    labels: Labels,
    overlays: Mapping[str, Sequence[Clip]],
    sounds: Iterable[Sound],
) -> None:
    about, manifest = package.find(f"{_OPF}metadata"), package.find(f"{_OPF}manifest")
    base = posixpath.dirname(own.package)
    items = {
        posixpath.normpath(posixpath.join(base, unquote(item.get("href") or ""))): item
        for item in manifest.iterfind(f"{_OPF}item")
    }
    facts = {
        "dcterms:modified": labels.modified,
        "media:duration": clock(sum(map(duration_ms, overlays.values()))),
        "media:narrator": labels.narrator,
        "media:active-class": ACTIVE_CLASS,
    }
    for name, value in facts.items():
        etree.SubElement(about, f"{_OPF}meta", property=name).text = value

    def item(name: str, href: str, kind: str) -> None:
        values = {"id": name, "href": f"{FOLDER}/{href}", "media-type": kind}
        etree.SubElement(manifest, f"{_OPF}item", values)

    for number, (page, clips) in enumerate(overlays.items(), 1):
        name = f"narrate-overlay-{number}"
        items[page].set("media-overlay", name)
        item(name, f"{number}.smil", _SMIL_TYPE)
        length = etree.SubElement(
            about, f"{_OPF}meta", property="media:duration", refines=f"#{name}"
        )
        length.text = clock(duration_ms(clips))
    for number, sound in enumerate(sounds, 1):
        item(f"narrate-sound-{number}", sound.name, sound.media_type)
    item("narrate-style", "overlay.css", "text/css")
