"""What a book says about itself: the document's words, overridden by what is asked for."""

from __future__ import annotations

import json
import os
import struct
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from narrate import studio
from narrate.config import Job
from narrate.core import Metadata
from narrate.errors import InputError, UsageError
from narrate.store import Store
from narrate.studio.covers import given_cover

from .conftest import STORY, run


def png(width: int = 8, height: int = 8) -> bytes:
    """Draw a grey square."""

    def part(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + b"\x80" * width for _ in range(height)))
    parts = part(b"IHDR", header) + part(b"IDAT", rows) + part(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


ASKED: dict[str, Any] = {
    "title": "Light = dark; #1",
    "author": "Ann Author",
    "narrator": "Nell",
    "series": "Lamps #2",
    "year": 1901,
    "description": "A keeper.",
}


def test_what_is_asked_for_overrides_the_document_and_stays_with_the_book(
    store: Store, job: Job, narrated: studio.Delivered
) -> None:
    book = studio.require_book(store, narrated.book_id)
    assert book.metadata == Metadata(title="The Lighthouse", language="en")
    asked = replace(job, **ASKED)
    assert studio.finished(store, asked) is None
    delivered = run(store, asked)
    book = studio.require_book(store, narrated.book_id)
    assert book.metadata == Metadata(language="en", **ASKED)
    assert delivered.title == ASKED["title"]
    manifest = json.loads((narrated.folder / "book.json").read_text())
    assert {name: manifest[name] for name in ASKED} == ASKED
    assert studio.finished(store, asked) == delivered
    assert studio.finished(store, job) is None


def test_a_change_of_metadata_speaks_nothing_and_stitches_nothing(
    store: Store, job: Job, narrated: studio.Delivered
) -> None:
    before = [path.stat().st_mtime_ns for path in narrated.chapters]
    spoken: list[str] = []
    run(store, replace(job, **ASKED), spoken)
    assert not spoken
    assert [path.stat().st_mtime_ns for path in narrated.chapters] == before


def test_a_given_cover_is_kept_when_its_file_is_gone_and_forgotten_when_not_asked_for(
    store: Store, job: Job, tmp_path: Path
) -> None:
    picture = tmp_path / "cover.png"
    picture.write_bytes(png())
    asked = replace(job, cover=str(picture))
    book_id = run(store, asked).book_id
    assert studio.finished(store, asked) is not None
    picture.write_bytes(png(9))
    assert studio.finished(store, asked) is None
    picture.unlink()
    cover = store.cover(book_id)
    assert cover and (cover.data, cover.media_type) == (png(), "image/png")
    assert studio.finished(store, job) is None
    run(store, job)
    assert store.cover(book_id) is None


def jpeg(channels: int, width: int = 8) -> bytes:
    """Give what is read of a JPEG before its scan."""
    size = b"\xff\xc0" + struct.pack(">HBHHB", 8 + 3 * channels, 8, 8, width, channels)
    return b"\xff\xd8" + size + b"\x01\x11\x00" * channels + b"\xff\xda\x00\x02\xff\xd9"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (jpeg(4), "CMYK.*RGB"),
        (jpeg(3, width=0), "no whole picture"),
        (b"\xff\xd8\xff\xe0 not much of a picture \xff\xd9", "no whole picture"),
        (png()[:45] + b"?" + png()[46:], "no whole picture"),
        (png()[:-12] + b"IEND", "no whole picture"),
        (b"\xff\xd8" + b"\xff\xfe\xff\xfe" + bytes(65_532), "no whole picture"),
        (jpeg(3)[:-2] + bytes(1 << 24) + b"\xff\xd9", "17 MB"),
    ],
)
def test_a_cover_that_players_cannot_show_is_refused_with_its_reason(
    content: bytes, words: str, job: Job, tmp_path: Path
) -> None:
    (tmp_path / "c").write_bytes(content)
    with pytest.raises(InputError, match=words):
        given_cover(replace(job, cover=str(tmp_path / "c")))


@pytest.mark.parametrize("content", [png(), jpeg(3), jpeg(1)])
def test_a_picture_is_taken_as_it_is(content: bytes, job: Job, tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(content)
    cover = given_cover(replace(job, cover=str(tmp_path / "c")))
    assert cover and cover.data == content


@pytest.mark.parametrize("content", [None, b"", b"no picture", png()[:-20]])
def test_a_cover_that_is_no_picture_is_refused_before_anything_is_written(
    store: Store, job: Job, tmp_path: Path, content: bytes | None
) -> None:
    picture = tmp_path / "cover.png"
    if content is not None:
        picture.write_bytes(content)
    with pytest.raises(InputError, match=r"cover\.png.*JPEG or PNG"):
        run(store, replace(job, cover=str(picture)))
    assert not (tmp_path / "out").exists() and not store.books()


def test_a_year_is_a_year(job: Job) -> None:
    with pytest.raises(UsageError, match="--year"):
        replace(job, year=0)


NASTY = "One\ntwo\x00\x1b[31m = ; # \\ \ud800 👩\u200d🚀 &amp; <b> " + "long " * 1_000


def test_nasty_words_become_one_clean_line_everywhere(store: Store, job: Job) -> None:
    asked: dict[str, Any] = dict.fromkeys(
        ("title", "author", "narrator", "series", "description"), NASTY
    )
    delivered = run(store, replace(job, format="wav,flac,vtt,epub3,w3c", **asked))
    line = delivered.title
    assert line.startswith("One two [31m = ; # \\ 👩\u200d🚀 &amp; <b> long") and len(line) > 4_900
    told = json.loads((delivered.folder / "book.json").read_text())
    assert {told[name] for name in asked if name != "description"} == {line}
    assert told["description"] == line.replace("One two", "One\ntwo")
    assert json.loads((delivered.folder / "publication.json").read_text())["name"] == line
    with zipfile.ZipFile(delivered.folder / f"{delivered.folder.name}.epub") as book:
        package: Any = etree.fromstring(book.read("EPUB/package.opf"))
    assert package.findtext(".//{*}title") == line


def test_an_empty_title_leaves_the_document_s_and_an_empty_author_clears_it(
    store: Store, job: Job, story: Path
) -> None:
    story.write_text("---\ntitle: Lamp\nauthor: Ann\n---\n" + STORY)
    book = studio.plan_book(store, replace(job, title=" ", author=""))
    assert book.metadata == Metadata(title="Lamp", language="en")


def test_a_name_that_is_no_text_is_refused_before_anything_is_written(
    store: Store, tmp_path: Path
) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt"))
    try:
        path.write_text("The keeper climbed the steps.")
    except OSError:
        pytest.skip("names are text on this file system")
    with pytest.raises(InputError, match=r"not in UTF-8.*Rename it") as refused:
        run(store, Job(str(path), str(tmp_path / "out")))
    assert str(refused.value).encode("utf-8")
    assert not (tmp_path / "out").exists() and not store.books()
