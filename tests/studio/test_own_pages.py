"""A read-along book from an EPUB 3 is that book: every page as it was, but for the marks."""

from __future__ import annotations

import logging
import os
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from narrate.config import Job
from narrate.store import Store
from narrate.studio.companions import read_along

from .conftest import run
from .test_companions import epub_errors, overlays
from .test_metadata import png

CONTAINER = """<?xml version="1.0"?><container version="1.0"
xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile
full-path="OPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"""
PACKAGE = """<?xml version="1.0" encoding="UTF-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="id">urn:x:1</dc:identifier>
<dc:title>Two lamps</dc:title><dc:language>en</dc:language>
<meta property="dcterms:modified">2020-01-01T00:00:00Z</meta></metadata>
<manifest><item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="a" href="pages/a+b.xhtml" media-type="application/xhtml+xml"/>
<item id="c" href="pages/c.xhtml" media-type="application/xhtml+xml"/></manifest>
<spine><itemref idref="a"/><itemref idref="c"/></spine></package>"""
PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops" lang="en"
xml:lang="en"><head><title>{0}</title></head><body>{1}</body></html>"""
NAV = """<nav epub:type="toc"><ol><li><a href="pages/a+b.xhtml">One</a></li>
<li><a href="pages/c.xhtml">Two</a></li></ol></nav>"""
FIRST = """<section><h1>The <em>first</em> lamp</h1><!-- said once -->
<p id="p1">He carried oil<a epub:type="noteref" href="#n">1</a> in one hand &amp; bread
in the other. The <b>gulls</b> knew him.</p><table><tr><td>Oil</td><td>two cans</td></tr></table>
<aside epub:type="footnote" id="n"><p>Whale oil.</p></aside></section>"""
SECOND = "<h1>The second lamp</h1><p>A boat waited below.</p><p>Nobody sat in it.</p>"


@pytest.fixture
def epub(tmp_path: Path) -> Callable[..., Path]:
    def make(first: str = FIRST, second: str = SECOND) -> Path:
        path = tmp_path / "lamps.epub"
        with zipfile.ZipFile(path, "w") as book:
            book.writestr("mimetype", "application/epub+zip")
            book.writestr("META-INF/container.xml", CONTAINER)
            book.writestr("OPS/book.opf", PACKAGE)
            book.writestr("OPS/nav.xhtml", PAGE.format("Contents", NAV))
            book.writestr("OPS/pages/a+b.xhtml", PAGE.format("One", first))
            book.writestr("OPS/pages/c.xhtml", PAGE.format("Two", second))
        return path

    return make


def words_of(path: Path, name: str) -> str:
    with zipfile.ZipFile(path) as book:
        root: Any = etree.fromstring(book.read(name))
    return "".join("".join(root.itertext()).split())


def without_marks(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as book:
        page = book.read(name)
    page = re.sub(rb'<link rel="stylesheet"[^>]*overlay.css"/>', b"", page)
    return re.sub(rb'<span id="narrate-[^"]*">(.*?)</span>', rb"\1", page, flags=re.DOTALL)


def test_the_pages_are_kept_and_every_chunk_is_marked_and_heard(
    store: Store, tmp_path: Path, epub: Callable[..., Path]
) -> None:
    source = epub()
    made = run(store, Job(str(source), str(tmp_path / "out"), format="epub3"))
    book = made.folder / "lamps.epub"
    assert epub_errors(book) == []
    for name in ("OPS/pages/a+b.xhtml", "OPS/pages/c.xhtml"):
        with zipfile.ZipFile(source) as old:
            plain, kept = old.read(name), without_marks(book, name)
        assert etree.tostring(etree.fromstring(kept), method="c14n") == etree.tostring(
            etree.fromstring(plain), method="c14n"
        )
    heard = "".join("".join(w.split()) for clips in overlays(book).values() for w, *_ in clips)
    planned = "".join("".join(c.text.split()) for c, _ in store.chunks(made.book_id))
    assert heard.replace("oil1", "oil") == planned.replace("|", "")


@pytest.mark.slow
def test_the_book_of_these_tests_is_valid_before(epub: Callable[..., Path]) -> None:
    assert epub_errors(epub()) == []


@pytest.mark.slow
def test_what_was_asked_for_is_what_the_package_says(
    store: Store, tmp_path: Path, epub: Callable[..., Path]
) -> None:
    (tmp_path / "c.png").write_bytes(png())
    job = Job(
        str(epub()),
        str(tmp_path / "out"),
        format="epub3",
        title="Lamps & more",
        author="Ann",
        year=1901,
        cover=str(tmp_path / "c.png"),
    )
    path = run(store, job).folder / "lamps.epub"
    assert epub_errors(path) == []
    with zipfile.ZipFile(path) as book:
        package: Any = etree.fromstring(book.read("OPS/book.opf"))
        [cover] = package.iterfind(".//{*}item[@properties='cover-image']")
        assert book.read(f"OPS/{cover.get('href')}") == png()
    said = {name: package.findtext(f".//{{*}}{name}") for name in ("title", "creator", "date")}
    assert said == {"title": "Lamps & more", "creator": "Ann", "date": "1901"}


@pytest.mark.slow
def test_a_page_that_reads_otherwise_than_it_is_written_is_made_anew_and_that_is_said(
    store: Store, tmp_path: Path, epub: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    source = epub(first="<h1>One</h1><p>Soft &shy; hyphens are no XML.</p>")
    with caplog.at_level(logging.WARNING, "narrate.studio"):
        made = run(store, Job(str(source), str(tmp_path / "out"), format="epub3"))
    assert "made anew: OPS/pages/a+b.xhtml is no well-formed XHTML" in caplog.text
    assert epub_errors(made.folder / "lamps.epub") == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "chapters"),
    [
        ("wasteland_idpf_epub3", None),
        ("moby-dick_idpf_epub3", 4),
        ("childrens-literature_idpf_epub3", 4),
        ("kusamakura_idpf_epub3_vertical-ruby", 2),
    ],
)
def test_real_books_are_as_valid_as_they_were(
    store: Store, tmp_path: Path, root: Path, name: str, chapters: int | None
) -> None:
    books = Path(os.environ.get("NARRATE_BOOKS", root.parent / "shared" / "books"))
    source = books / "epub" / f"{name}.epub"
    if not source.exists():
        pytest.skip("needs the shared books")
    job = Job(str(source), str(tmp_path / "out"))
    made = run(store, replace(job, chapters=f"1-{chapters}" if chapters else None))
    out = tmp_path / "book.epub"
    read_along(store, made.book_id, out)
    known = {(one.id, one.message) for one in epub_errors(source)}
    assert {(one.id, one.message) for one in epub_errors(out)} <= known
    assert overlays(out)
