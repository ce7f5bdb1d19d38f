"""Files made to break a reader: each is refused with advice, or read within bounds of time."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping

import pytest

from narrate.core import Document
from narrate.errors import InputError
from tests.text.conftest import planned
from tests.text.test_reading_office import docx, p

CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="{}"/></rootfiles></container>'
)
TEN_OF_EACH = "".join(
    f'<!ENTITY {name} "{f"&{before};" * 10}">'
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
LAUGHS = f'<!DOCTYPE html [<!ENTITY a "lol ">{TEN_OF_EACH}]>'
DEEP = 5_000


def page(body: str) -> str:
    return f"<html><head><title>t</title></head><body>{body}</body></html>"


def epub(
    pages: Mapping[str, str],
    *,
    spine: list[str] | None = None,
    parts: Mapping[str, str | bytes] | None = None,
    package: str = "c.opf",
) -> bytes:
    """An EPUB of pages by name, with further parts."""
    items = "".join(
        f'<item id="{name}" href="{name}" media-type="application/xhtml+xml"/>' for name in pages
    )
    listed = "".join(
        f'<itemref idref="{name}"/>' for name in (list(pages) if spine is None else spine)
    )
    opf = (
        '<package xmlns="http://www.idpf.org/2007/opf"><metadata/>'
        f'<manifest>{items}</manifest><spine toc="ncx">{listed}</spine></package>'
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", CONTAINER.format(package))
        for name, content in {package: opf, **pages, **(parts or {})}.items():
            archive.writestr(name, content)
    return out.getvalue()


def zipped(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


ENCRYPTED = (
    '<encryption xmlns:enc="e"><enc:EncryptedData><enc:EncryptionMethod '
    'Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/></enc:EncryptedData></encryption>'
)
LOCKED_PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>"
    b"endobj\n3 0 obj<</Filter/Standard/V 1/R 2/P -4/O<" + b"41" * 32 + b">/U<" + b"42" * 32
    + b">>>endobj\ntrailer<</Root 1 0 R/Encrypt 3 0 R/ID[<00><00>]>>\n%%EOF"
)  # fmt: skip
EMPTY_PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]"
    b"/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\n"
    b"trailer<</Root 1 0 R>>\n%%EOF"
)

REFUSED: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "a page of half a gigabyte": (
        "a.epub", lambda: epub({"a.xhtml": "<p>" + "a " * (40 * 2**20)}), "unpack"),
    "many large pages": (
        "a.epub", lambda: epub({f"{i}.xhtml": "a" * (20 * 2**20) for i in range(4)}), "unpack"),
    "parts by the ten thousand": (
        "a.epub",
        lambda: epub({"a.xhtml": page("A word.")}, parts={f"{i}": "" for i in range(20_001)}),
        "parts"),
    "tags by the million": (
        "a.epub", lambda: epub({"a.xhtml": "<b>" * 1_600_000}), "more tags"),
    "no pages": ("a.epub", lambda: epub({}), "no words"),
    "copy protection": (
        "a.epub",
        lambda: epub({"a.xhtml": page("A word.")}, parts={"META-INF/encryption.xml": ENCRYPTED}),
        "protected"),
    "half an archive": ("a.epub", lambda: epub({"a.xhtml": page("A word." * 99)})[:300], "damaged"),
    "tags by the million in Word": (
        "a.docx", lambda: docx("<w:p/>" * 1_600_000), "more tags"),
    "a password in Word": (
        "a.docx", lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 4000, "password"),
    "a password in PDF": ("a.pdf", lambda: LOCKED_PDF, "password"),
    "pages without text in PDF": ("a.pdf", lambda: EMPTY_PDF, "pictures"),
    "items by the hundred thousand in Markdown": (
        "a.md", lambda: b"- a\n" * 150_001, "more lines, items"),
    "marks by the million in Markdown": ("a.md", lambda: b"**a** " * 260_000, "more lines, items"),
    "pictures that never end, by the hundred thousand": (
        "a.md", lambda: b"![a" * 250_001, "more lines, items"),
    "lines by the hundred thousand in Markdown": (
        "a.md", lambda: b"a\n\n" * 200_001, "more lines, items"),
    "entities in Word": (
        "a.docx",
        lambda: zipped("word/document.xml", LAUGHS.encode() + b"<html>&i;</html>"),
        "Word|nested"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_no_reader_can_bear_is_refused_with_advice(
    kind: str, document: Callable[..., Document]
) -> None:
    name, make, word = REFUSED[kind]
    with pytest.raises(InputError, match=word) as caught:
        document(make(), name)
    assert caught.value.remedy


READ: dict[str, tuple[str, Callable[[], bytes | str]]] = {
    "an archive in the archive": (
        "a.epub",
        lambda: epub({"a.xhtml": page("A word.")}, parts={"b.zip": zipped("b", b"0" * 10**7)})),
    "names outside the archive": (
        "a.epub",
        lambda: epub(
            {"../../../etc/passwd": page(""), "a.xhtml": page("A word.")}, package="../../c.opf",
            parts={"a.xhtml": page("A word."), "../../a.xhtml": page("A word.")})),
    "a page in the spine again and again": (
        "a.epub", lambda: epub({"a.xhtml": page("A word.")}, spine=["a.xhtml"] * 5000)),
    "contents that point at themselves": (
        "a.epub",
        lambda: epub({
            "nav.xhtml": page('<nav epub:type="toc"><a href="nav.xhtml">n</a></nav>'),
            "a.xhtml": page('<p id="x">A <a href="a.xhtml#x">word</a>.'),
        })),
    "attributes by the hundred thousand": (
        "a.epub",
        lambda: epub({"a.xhtml": page(
            "<p " + " ".join(f'a{i}="x"' for i in range(100_000)) + ">A word.")})),
    "a megabyte in an attribute": (
        "a.html", lambda: page(f'<p class="{"c " * 2**19}" title="{"x" * 2**20}">A word.')),
    "sections of characters that nobody shuts": (
        "a.html", lambda: page("<p>A word.</p>" + "<![CDATA[" * 30_000)),
    "scripts that nobody shuts, deep down": (
        "a.html", lambda: page("<p>A word.</p>" + "<div>" * DEEP + "<script>" * 30_000)),
    "elements in elements": (
        "a.html", lambda: page("<div>" * DEEP + "<p>A word." + "</div>" * DEEP)),
    "elements in elements in an EPUB": (
        "a.epub",
        lambda: epub({"a.xhtml": page("<div>" * DEEP + "<p>A word.</p>" + "</div>" * DEEP)})),
    "quotations in quotations": ("a.md", lambda: "> " * DEEP + "A word.\n"),
    "tight quotations": ("a.md", lambda: ">" * DEEP + " A word.\n"),
    "brackets that nobody shuts": ("a.md", lambda: "[" * 20_000 + "\n\nA word.\n"),
    "pictures that never end": ("a.md", lambda: "![a" * 5_000 + "\n\nA word.\n"),
    "numbers in numbers": ("a.md", lambda: "1. " * 50_000 + "A word.\n"),
    "items in items": ("a.md", lambda: "- " * DEEP + "A word.\n"),
    "boxes in boxes in Word": (
        "a.docx", lambda: docx("<w:ins>" * 200 + p("A word.") + "</w:ins>" * 200)),
}  # fmt: skip


@pytest.mark.parametrize("kind", READ)
def test_what_is_only_strange_is_read_without_loss(
    kind: str, document: Callable[..., Document]
) -> None:
    name, make = READ[kind]
    made = planned(document(make(), name))
    assert any(chunk.text.removeprefix("1. ") == "A word." for chunk in made.chunks)


@pytest.mark.parametrize(
    "outside", ['SYSTEM "file:///etc/passwd"', 'SYSTEM "http://127.0.0.1:9/x"', '"lol"']
)
def test_entities_of_a_document_are_never_resolved(
    outside: str, document: Callable[..., Document]
) -> None:
    text = f"<!DOCTYPE html [<!ENTITY x {outside}>]>" + page("<p>A &x; word.</p>")
    for name, data in (("a.epub", epub({"a.xhtml": text})), ("a.html", text)):
        assert [c.text for c in planned(document(data, name)).chunks] == ["A &x; word."]


def test_a_bomb_of_entities_stays_small(document: Callable[..., Document]) -> None:
    made = planned(document(epub({"a.xhtml": LAUGHS + page("<p>A &i; word.</p>")}), "a.epub"))
    assert [chunk.text for chunk in made.chunks] == ["A &i; word."]


def test_items_nested_by_their_indent_are_all_spoken(document: Callable[..., Document]) -> None:
    text = "\n".join("  " * depth + f"- item {depth}" for depth in range(300))
    assert len(planned(document(text, "a.md")).chunks) == 300


@pytest.mark.slow
def test_more_paragraphs_than_memory_holds_are_refused(document: Callable[..., Document]) -> None:
    with pytest.raises(InputError, match="fifty novels"):
        document("<p>a" * 300_001, "a.html")
