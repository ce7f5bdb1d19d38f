"""A file that cannot be read is named, with what to do about it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from narrate.errors import InputError
from narrate.text import PlanOptions, plan, read
from narrate.text.readers import MAX_FILE_BYTES
from tests.text.test_hostile_files import epub, page
from tests.text.test_reading_office import docx, p


def refusal(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(path) in caught.value.where
    assert caught.value.remedy
    return caught.value


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "none.txt").what


def test_a_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "book.txt"
    folder.mkdir()
    assert "folder" in refusal(folder).what


def test_an_unknown_ending_names_the_known_ones(tmp_path: Path) -> None:
    path = tmp_path / "book.xyz"
    path.write_text("Words.")
    error = refusal(path)
    assert ".xyz" in error.what
    assert ".md" in error.remedy and ".txt" in error.remedy


def test_a_name_without_an_ending_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "book"
    path.write_text("Words.")
    assert "without an ending" in refusal(path).what


@pytest.mark.parametrize("name", ["a.txt", "a.md"])
def test_an_empty_file_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"")
    assert "empty" in refusal(path).what


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.txt", "* * *\n\n…\n\n---\n"), ("a.md", "```\n---\n```\n\n<!-- words -->\n")],
)
def test_a_document_without_words_is_refused(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert "no words" in refusal(path).what


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("Words.")
    path.chmod(0)
    assert "not be read" in refusal(path).what


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    os.mkfifo(path)
    assert "ordinary" in refusal(path).what


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    assert "MB" in refusal(path).what


def test_pictures_make_no_book_too_large(tmp_path: Path) -> None:
    path = tmp_path / "a.epub"
    pictures = {"a.jpg": os.urandom(MAX_FILE_BYTES + 1)}
    path.write_bytes(epub({"a.xhtml": page("<p>A word.</p>")}, parts=pictures))
    assert [chunk.text for chunk in plan(read(path)).chunks] == ["A word."]


def test_a_document_of_code_alone_says_how_it_can_be_spoken(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("```\nprint(text)\n```\n")
    document = read(path)
    with pytest.raises(InputError, match="left out: code block") as caught:
        plan(document)
    assert "--code speak" in caught.value.remedy
    for options in (PlanOptions(code="speak"), PlanOptions(include=("all",))):
        assert [chunk.text for chunk in plan(document, options).chunks] == ["print(text)"]


PREFORMATTED = {
    "verse": (
        "The tide is full,\n  the moon lies fair.\n\nCome to the window,\n  come!",
        ["The tide is full, the moon lies fair.", "Come to the window, come!"],
    ),
    "wrapped prose": (
        "A letter that somebody wrapped at sixty signs, as one did in\nmail, is read as one "
        "paragraph. It has a second sentence, and\nends.\n\nThen <b>he</b> writes another.",
        ["A letter that somebody wrapped at sixty signs, as one did in mail, is read as one "
         "paragraph. It has a second sentence, and ends.", "Then he writes another."],
    ),
    "Japanese": ("山路を登りながら、\nこう考えた。", ["山路を登りながら、 こう考えた。"]),
    "a function": ("def f(x):\n    return x", []),
    "a terminal": ("$ make demo\nIt is done.", []),
    "settings": ("[tool]\nname = \"a\"\nother = 1", []),
    "a command": ("pip install narrate", []),
    "code by its markup": ("<code>Look at this</code>", []),
}  # fmt: skip


@pytest.mark.parametrize("kind", PREFORMATTED)
def test_prose_with_its_line_ends_is_spoken_and_code_is_not(tmp_path: Path, kind: str) -> None:
    text, expected = PREFORMATTED[kind]
    path = tmp_path / "a.html"
    path.write_text(f"<p>First.</p><pre>\n{text}\n</pre><p>Last.</p>", encoding="utf-8")
    spoken = [chunk.spoken for chunk in plan(read(path)).chunks]
    assert spoken == ["First.", *expected, "Last."]


def test_the_notes_of_who_typed_a_book_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_text(
        "<h1>Sea</h1><h2>One</h2><p>It was grey.</p><p>[Transcriber's Note: the print has 'gray'.]"
        "</p><p>The transcriber's notes: he had none.</p><h2>Transcriber's Notes</h2><p>Typed.</p>"
    )
    made = plan(read(path))
    assert [chunk.text for chunk in made.chunks] == [
        "Sea", "One", "It was grey.", "The transcriber's notes: he had none.",
    ]  # fmt: skip
    assert {skip.reason for skip in made.skipped} == {"transcriber's note"}


def test_the_case_of_an_ending_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "A.TXT"
    path.write_text("Words.")
    assert read(path).chapters[0].blocks[0].text == "Words."


@pytest.mark.parametrize("tags", ["div", "b", "ul li", "blockquote", "table tr td", "p span"])
def test_a_page_ten_thousand_levels_deep_keeps_its_text(tmp_path: Path, tags: str) -> None:
    names = tags.split()
    deep = "".join(f"<{name}>" for name in names) * 10_000
    shut = "".join(f"</{name}>" for name in reversed(names)) * 10_000
    path = tmp_path / "deep.html"
    path.write_text(f"<p>At the top.</p>{deep}Deep down.{shut}<p>At the end.</p>")
    spoken = " ".join(chunk.text for chunk in plan(read(path)).chunks)
    assert spoken == "At the top. Deep down. At the end."


def test_a_page_of_ten_thousand_open_paragraphs_stays_one_of_paragraphs(tmp_path: Path) -> None:
    path = tmp_path / "open.html"
    path.write_text("".join(f"<p>Word {n}." for n in range(10_000)) + "<div>" * 3_000 + "End.")
    chunks = plan(read(path)).chunks
    assert len(chunks) == 10_001 and chunks[-1].text == "End."


def test_a_word_document_too_deep_to_be_parsed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.docx"
    path.write_bytes(docx("<w:sdt>" * 10_000 + p("Lost?") + "</w:sdt>" * 10_000))
    with pytest.raises(InputError, match="deeper"):
        read(path)
