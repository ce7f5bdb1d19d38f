"""Real books: known truths about them, and every letter of them spoken once, in order."""

from __future__ import annotations

import re
import time
import unicodedata

import pytest

from narrate.core import Document, Plan
from narrate.text import plan, read
from narrate.text.readers import txt
from tests.text.conftest import BOOKS, book, planned

FILES = sorted(
    str(path.relative_to(BOOKS))
    for folder in ("en", "md", "other")
    for path in (BOOKS / folder).glob("*")
    if path.suffix in (".txt", ".md")
)


def letters(text: str) -> str:
    return "".join(filter(str.isalnum, unicodedata.normalize("NFC", text)))


def unskipped(document: Document, result: Plan) -> str:
    parts, cursor = [], 0
    for skip in result.skipped:
        parts.append(document.source[cursor : skip.span.start])
        cursor = skip.span.end
    return "".join([*parts, document.source[cursor:]])


@pytest.mark.parametrize("name", FILES)
def test_joined_chunks_are_the_books_letters_in_order(name: str) -> None:
    document = read(book(name))
    result = planned(document)
    spoken = letters("".join(chunk.text for chunk in result.chunks))
    assert spoken == letters(unskipped(document, result))


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("en")])
def test_most_chunks_have_the_wanted_length_where_paragraphs_allow(name: str) -> None:
    document = read(book(name))
    chunks = plan(document).chunks
    blocks = [block.text for chapter in document.chapters for block in chapter.blocks]
    short = [text for text in blocks if len(text) < 150]
    wanted = [chunk for chunk in chunks if 120 <= len(chunk.text) <= 300]
    assert len(wanted) > 0.9 * (len(chunks) - len(short))


def test_pride_and_prejudice_has_61_chapters() -> None:
    document = read(book("en/pride-and-prejudice_1342-0.txt"))
    assert [chapter.title for chapter in document.chapters] == [
        f"Chapter {number}" for number in range(1, 62)
    ]
    assert (document.title, document.author) == ("Pride and Prejudice", "Jane Austen")
    first = [block.text for block in document.chapters[0].blocks if not block.aside]
    assert first[:3] == ["PRIDE AND PREJUDICE", "By Jane Austen", "Chapter 1"]


def test_moby_dick_has_135_numbered_chapters_and_its_contents_are_skipped() -> None:
    document = read(book("en/moby-dick_2701-0.txt"))
    found = (re.match(r"CHAPTER (\d+)\. ", chapter.title) for chapter in document.chapters)
    numbers = [int(match[1]) for match in found if match]
    assert numbers == list(range(1, 136))
    others = [c.title for c in document.chapters if not c.title.startswith("CHAPTER")]
    assert others[0] == "ETYMOLOGY." and others[-1] == "Epilogue" and len(others) == 3
    assert {"table of contents", "transcriber's note"} <= {s.reason for s in plan(document).skipped}


def test_alice_has_12_chapters_with_their_titles_and_a_hyphenated_word() -> None:
    document = read(book("en/alice_millennium-fulcrum.txt"))
    titles = [chapter.title for chapter in document.chapters]
    assert len(titles) == 12
    assert titles[0] == "CHAPTER I. Down the Rabbit-Hole"
    assert any("WAISTCOAT-POCKET" in block.text for block in document.chapters[0].blocks)


def test_the_german_book_is_german_and_has_three_chapters() -> None:
    document = read(book("other/de_kafka-die-verwandlung_pg22367.txt"))
    assert [chapter.title for chapter in document.chapters] == ["I.", "II.", "III."]
    assert document.language == "de"


def test_the_same_book_gives_the_same_plan() -> None:
    path = book("en/alice_millennium-fulcrum.txt")
    assert plan(read(path)) == plan(read(path))


def test_a_sentence_put_into_a_book_costs_a_few_takes() -> None:
    path = book("en/pride-and-prejudice_1342-0.txt")
    source = path.read_text("utf-8-sig")
    before = {chunk.spoken for chunk in plan(read(path)).chunks}
    place = source.index(". ", len(source) // 2) + 2
    changed = source[:place] + "Here a new sentence was put in. " + source[place:]
    after = {chunk.spoken for chunk in plan(txt.read(changed.encode(), path)).chunks}
    assert len(after - before) <= 3


def test_a_novel_is_planned_within_seconds() -> None:
    path = book("en/pride-and-prejudice_1342-0.txt")
    began = time.process_time()
    plan(read(path))
    assert time.process_time() - began < 6  # measured: 1.4 s on an idle core
