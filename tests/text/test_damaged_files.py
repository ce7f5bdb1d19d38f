"""Damaged files of every format: read without loss or refused, never a crash, never a hang."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path

import pytest

from narrate.errors import InputError
from narrate.text import plan, read
from tests.text.conftest import book
from tests.text.test_reading_office import docx, p

FILES = [
    "epub/wasteland_idpf_epub3.epub",
    "epub/alice_pg28885_epub2.epub",
    "html/debian-handbook_foreword.en-US.html",
    "pdf/pride-and-prejudice_1342.pdf",
    "md/hatch_version.md",
    "other/zh-TW_honglou-meng_ch1-excerpt.txt",
    "en/alice_millennium-fulcrum.txt",
    "letter.docx",
]
TOKENS = [
    b"<", b">", b"</p>", b"<p>", b"&#x0;", b"&amp", b"]]>", b"<!--", b"-->", b"\0", b"\xff\xfe",
    b"&a;", b"\"", b"'", b"\n\n", b"\f", b"\x0b", b"<table>", b"<w:p>", b"</w:r>", b"\xe2\x80\xae",
    b"9" * 40, b"|", b"`" * 40, b"[" * 60, b">" * 60, b"\xcc\x81" * 30, b"*" * 30, b"\\", b"\x85",
]  # fmt: skip
MEDIA = (".png", ".jpg", ".jpeg", ".otf", ".ttf", ".woff", ".gif")
PDF_PAGES = 6


def real(name: str) -> bytes:
    """A real file, and no more of it than a thousand readings of it can bear."""
    if name == "letter.docx":
        page = book("html/debian-handbook_foreword.en-US.html").read_text()
        words = [line for line in page.split("\n") if "<" not in line and "&" not in line]
        cells = f"<w:tc>{p('a')}</w:tc><w:tc>{p('b')}</w:tc>"
        body = p("One", "H1") + "".join(map(p, words)) + f"<w:tbl><w:tr>{cells}</w:tr></w:tbl>"
        return docx(
            body + p("Two", "H2") + p("The end."), f"<w:footnote>{p('A note.')}</w:footnote>"
        )
    data = book(name).read_bytes()
    if name.startswith("en/"):
        return data[:30_000]
    if name.startswith("pdf/"):
        import pypdfium2

        whole, part, out = pypdfium2.PdfDocument(data), pypdfium2.PdfDocument.new(), io.BytesIO()
        part.import_pages(whole, list(range(PDF_PAGES)))
        part.save(out)
        return out.getvalue()
    return repacked(data, lambda name, part: b"" if name.endswith(MEDIA) else part)


def repacked(data: bytes, change) -> bytes:
    """A zip archive with each of its parts changed; other files as they are."""
    if not data.startswith(b"PK"):
        return data
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            new.writestr(info.filename, change(info.filename, old.read(info)))
    return out.getvalue()


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Some bytes changed, put in, taken out or doubled, and one time in six the end cut off."""
    part = bytearray(data)
    for _ in range(chance.randint(1, 20)):
        place = chance.randrange(len(part) + 1)
        length = int(chance.expovariate(0.02))
        kind = chance.randrange(4)
        if kind == 0 and place < len(part):
            part[place] = chance.randrange(256)
        elif kind == 1:
            part[place:place] = chance.choice(TOKENS)
        elif kind == 2:
            del part[place : place + length]
        else:
            part[place:place] = part[place : place + length]
    if chance.randrange(6) == 0:
        del part[chance.randrange(len(part) + 1) :]
    return bytes(part)


def one(data: bytes, seed: int) -> bytes:
    """The file of a seed: an archive is damaged in its parts, or as a whole one time in four."""
    chance = random.Random(seed)
    if data.startswith(b"PK") and seed % 4:
        return repacked(
            data, lambda _, part: damaged(part, chance) if part and chance.random() < 0.4 else part
        )
    return damaged(data, chance)


def survives(name: str, rounds: int, folder: Path) -> None:
    data = real(name)
    path = folder / Path(name).name
    for seed in range(rounds):
        path.write_bytes(one(data, seed))
        try:
            plan(read(path))  # checks that every character is accounted for
        except InputError as error:
            assert error.remedy


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_read_or_refused(name: str, tmp_path: Path) -> None:
    survives(name, 8, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", FILES)
def test_a_thousand_damaged_files_are_read_or_refused(name: str, tmp_path: Path) -> None:
    survives(name, 1_000, tmp_path)
