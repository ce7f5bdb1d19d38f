"""EPUB and HTML: known truths of real books, and archives that mean harm."""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from narrate.core import Document
from narrate.errors import InputError
from narrate.text import PlanOptions, plan, read
from tests.text.conftest import BOOKS, book, planned

EPUBS = sorted(str(path.relative_to(BOOKS)) for path in (BOOKS / "epub").glob("*.epub"))
PAGES = sorted(str(path.relative_to(BOOKS)) for path in (BOOKS / "html").glob("*.html"))
CONTAINER = '<container><rootfiles><rootfile full-path="O/p.opf"/></rootfiles></container>'


def epub(pages: dict[str, str], extra: dict[str, str] | None = None, missing: str = "") -> bytes:
    names = [*pages, *filter(None, [missing])]
    items = "".join(
        f'<item id="i{n}" href="{name}" media-type="application/xhtml+xml"/>'
        for n, name in enumerate(names)
    )
    refs = "".join(f'<itemref idref="i{n}"/>' for n in range(len(names)))
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>T</dc:title>'
        "<dc:creator>A. Writer</dc:creator><dc:language>en-GB</dc:language></metadata>"
        f"<manifest>{items}</manifest><spine>{refs}</spine></package>"
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", CONTAINER)
        archive.writestr("O/p.opf", package)
        for name, text in pages.items():
            archive.writestr(f"O/{name}", text)
        for name, text in (extra or {}).items():
            archive.writestr(name, text)
    return out.getvalue()


def rezipped(parts: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return out.getvalue()


@pytest.mark.parametrize("name", [*EPUBS, *PAGES])
def test_every_character_of_a_real_book_is_accounted_for(name: str) -> None:
    planned(read(book(name)))


def test_alice_has_twelve_chapters_although_its_contents_list_six() -> None:
    titles = plan(read(book("epub/alice_pg28885_epub2.epub"))).chapter_titles
    assert len([title for title in titles if title.startswith("CHAPTER")]) == 12


def test_a_drop_cap_is_the_first_letter_of_its_word() -> None:
    document = read(book("epub/alice_pg28885_epub2.epub"))
    texts = [block.text for chapter in document.chapters for block in chapter.blocks]
    assert any(text.startswith("THEY were indeed") for text in texts)


def test_moby_dick_has_135_chapters() -> None:
    titles = plan(read(book("epub/moby-dick_idpf_epub3.epub"))).chapter_titles
    numbers = [int(found[1]) for t in titles if (found := re.match(r"Chapter (\d+)\.", t))]
    assert numbers == list(range(1, 136))


def test_no_reading_of_kusamakura_is_spoken_and_its_first_chapter_is_the_plain_text() -> None:
    document = read(book("epub/kusamakura_idpf_epub3_vertical-ruby.epub"))
    assert Counter(skip.reason for skip in document.skipped)["ruby reading"] == 4603
    first = next(chapter for chapter in document.chapters if chapter.title == "一")
    told = "".join("".join(block.text.split()) for block in first.blocks)
    plain = book("other/ja_kusamakura_ch1_noruby.txt").read_text("utf-8")
    assert told == "".join(plain.split())


def test_a_missing_page_and_an_odd_name_do_no_harm(document: Callable[..., Document]) -> None:
    data = epub({"a%20b.xhtml": "<p>Lost.</p>", "c.xhtml": "<h1>One</h1><p>Kept.</p>"}, missing="x")
    made = document(data, "a.epub")
    assert (made.title, made.author, made.language) == ("T", "A. Writer", "en")
    assert [chunk.text for chunk in planned(made).chunks][-1] == "Kept."


def test_entities_and_tags_that_close_themselves_lose_nothing(
    document: Callable[..., Document],
) -> None:
    page = '<?xml version="1.0"?><html><head><title/><script/></head><body><a id="x"/>'
    page += "<p>Caf&eacute;&mdash;b<br/>c</p><p>d</p></body></html>"
    chunks = planned(document(epub({"a.xhtml": page}), "a.epub")).chunks
    assert [chunk.text for chunk in chunks] == ["Café—b c", "d"]


def test_footnotes_are_left_out_and_come_back_when_asked_for(
    document: Callable[..., Document],
) -> None:
    page = '<h1>A</h1><p>Word<a epub:type="noteref" href="#n">1</a>.</p>'
    page += '<aside epub:type="footnote" id="n"><p>The note.</p></aside>'
    made = document(epub({"a.xhtml": page}), "a.epub")
    assert [chunk.text for chunk in planned(made).chunks] == ["A", "Word."]
    asked = plan(made, PlanOptions(include=("footnotes",)))
    assert [chunk.text for chunk in asked.chunks] == ["A", "Word.", "The note."]


def test_books_without_headings_take_their_chapters_from_the_contents(
    document: Callable[..., Document],
) -> None:
    nav = '<nav epub:type="toc"><a href="a.xhtml#p">First</a><a href="b.xhtml">Second</a></nav>'
    data = epub({"a.xhtml": '<p id="p">One.</p>', "b.xhtml": "<p>Two.</p>", "n.xhtml": nav})
    out = io.BytesIO(data)
    with zipfile.ZipFile(out) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    package = parts["O/p.opf"].replace('href="n.xhtml"', 'href="n.xhtml" properties="nav"')
    made = document(rezipped({**parts, "O/p.opf": package}), "a.epub")
    assert plan(made).chapter_titles == ("First", "Second")


def test_deep_nesting_and_a_huge_attribute_are_read_within_bounds(
    document: Callable[..., Document],
) -> None:
    page = f'<p title="{"a" * 2**20}">Before.</p>' + "<div>" * 10_000 + "in" + "</div>" * 10_000
    assert planned(document(page, "a.html")).chunks[0].text == "Before."


def test_entity_bombs_do_not_unfold(document: Callable[..., Document]) -> None:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE html [<!ENTITY e0 "ha">{levels}]><html><body><p>A &e11; b.</p></body></html>'
    assert len(document(epub({"a.xhtml": bomb}), "a.epub").source) < 5_000


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04 nothing",
        epub({"a.xhtml": "<p>Words.</p>"})[:-60],
        epub({"a.xhtml": "<p>" + "a" * (25 * 2**20)}),
        epub({"a.xhtml": "<p>Words.</p>"}, {"META-INF/encryption.xml": "<e><EncryptionMethod "
                                            'Algorithm="aes"/></e>'}),
    ],
    ids=["no archive", "cut short", "a bomb", "protected"],
)  # fmt: skip
def test_archives_that_cannot_be_read_are_refused(
    data: bytes, document: Callable[..., Document]
) -> None:
    with pytest.raises(InputError) as caught:
        document(data, "a.epub")
    assert caught.value.remedy


def test_chinese_and_japanese_chunks_are_short() -> None:
    chunks = plan(read(book("other/ja_kusamakura_ch1_noruby.txt"))).chunks
    assert max(len(chunk.text) for chunk in chunks) <= 120


def test_a_damaged_chapter_is_an_error_and_not_left_out(document: Callable[..., Document]) -> None:
    data = bytearray(epub({"a.xhtml": "<p>Words.</p>", "b.xhtml": "<p>More of them.</p>"}))
    place = data.index(b"O/b.xhtml") + len("O/b.xhtml") + 4
    data[place] ^= 0xFF
    with pytest.raises(InputError, match="damaged"):
        document(bytes(data), "a.epub")


CALIBRE = (
    '<meta name="calibre:series" content="Tales of the Sea"/>'
    '<meta name="calibre:series_index" content="2.0"/><dc:date>1899-02-01T00:00:00Z</dc:date>'
    "<dc:description>&lt;p&gt;A &lt;b&gt;ship&lt;/b&gt;.&lt;/p&gt;</dc:description></metadata>"
)
EPUB_3 = (
    '<meta property="belongs-to-collection" id="c">Tales of the Sea</meta>'
    '<meta refines="#c" property="group-position">2</meta><dc:date>1899</dc:date>'
    "<dc:description>A ship .</dc:description></metadata>"
)


@pytest.mark.parametrize("said", [CALIBRE, EPUB_3], ids=["calibre", "epub 3"])
def test_series_year_and_description_are_read(said: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(epub({"a.xhtml": "<p>Some words.</p>"}))) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    parts["O/p.opf"] = parts["O/p.opf"].replace("</metadata>", said)
    (tmp_path / "b.epub").write_bytes(rezipped(parts))
    document = read(tmp_path / "b.epub")
    assert (document.series, document.year) == ("Tales of the Sea #2", 1899)
    assert document.description == "A ship ."


def test_what_is_hidden_and_what_a_mark_leads_to_are_not_spoken(
    document: Callable[..., Document],
) -> None:
    page = (
        "<p>A word<a id='r1' href='#n1'><sup>1</sup></a><span hidden> gone</span>.</p>"
        "<p hidden>Not this.</p><div style='display: none'><p>Nor this.</p></div>"
        "<p id='n1'><a href='#r1'>1</a> The note.</p><p><a name='r1'></a>The end.</p>"
        "<select><option>One<option>Two</select><button>Send</button>"
    )
    read = document(page, "a.html")
    assert [chunk.text for chunk in planned(read).chunks] == ["A word.", "The end."]
    every = plan(read, PlanOptions(include=("footnote",)))
    assert "The note." in " ".join(chunk.text for chunk in every.chunks)


def test_the_lines_of_a_stanza_are_one_block(document: Callable[..., Document]) -> None:
    lines = "<div>The tide is full,<span class='lnum'>10</span></div><div>the moon lies</div>"
    page = f"<p>Before.</p><div class='linegroup'>{lines}<p>fair.</p></div>"
    page += f"<div class='stanza'>{lines}</div><p>After.</p>"
    chunks = planned(document(page, "a.html")).chunks
    assert [chunk.text for chunk in chunks] == [
        "Before.", "The tide is full, the moon lies fair.", "The tide is full, the moon lies",
        "After.",
    ]  # fmt: skip


def test_a_drop_cap_may_have_a_quotation_mark(document: Callable[..., Document]) -> None:
    page = "<div class='figleft'>“C</div><p>URIOUSER and curiouser!” cried Alice.</p>"
    (chunk,) = planned(document(page, "a.html")).chunks
    assert chunk.text == "“CURIOUSER and curiouser!” cried Alice."


def test_a_number_and_the_line_below_it_are_the_title_of_a_chapter(
    document: Callable[..., Document],
) -> None:
    page = "".join(
        f"<h2>Chapter {n}</h2><div>Advice from a Caterpillar</div><p>It was late.</p>"
        for n in (1, 2)
    )
    made = planned(document(page, "a.html"))
    assert made.chapter_titles[1] == "Chapter 2. Advice from a Caterpillar"
