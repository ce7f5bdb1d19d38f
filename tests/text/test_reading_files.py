"""A file that cannot be read is named, with what to do about it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from narrate.errors import InputError
from narrate.text import read
from narrate.text.readers import MAX_FILE_BYTES


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
    [("a.txt", "* * *\n\n…\n\n---\n"), ("a.md", "```\ncode\n```\n\n<!-- words -->\n")],
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


def test_the_case_of_an_ending_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "A.TXT"
    path.write_text("Words.")
    assert read(path).chapters[0].blocks[0].text == "Words."
