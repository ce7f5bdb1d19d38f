"""`narrate plan`: what became of every character, and what is spoken otherwise than written."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from narrate.cli.app import app
from narrate.errors import UsageError


def output(*words: str) -> str:
    result = CliRunner().invoke(app, ["plan", *words])
    assert result.exit_code == 0
    return result.output


def test_coverage_accounts_for_every_character(tmp_path: Path) -> None:
    page = tmp_path / "a.html"
    page.write_text("<p>Said.</p><nav>Not said.</nav>")
    lines = [line.split(maxsplit=2) for line in output(str(page), "--coverage").splitlines()]
    assert lines == [
        ["5", "characters", "spoken"],
        ["8", "characters", "navigation"],
        ["0", "characters", "unaccounted for"],
    ]
    assert "Not said." in output(str(page), "--include", "navigation")


def test_a_part_that_no_document_has_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "a.txt"
    text.write_text("Said.\n")
    result = CliRunner().invoke(app, ["plan", str(text), "--include", "footnotes,foot notes"])
    assert isinstance(result.exception, UsageError)
    assert "'foot notes'" in str(result.exception)


def test_diff_shows_what_is_spoken_otherwise(tmp_path: Path) -> None:
    text = tmp_path / "a.txt"
    text.write_text("The same.\n\nOne--two.\n")
    assert output(str(text), "--diff").split("\n")[:2] == [
        "     2  - One--two.",
        "        + One—two.",
    ]


def test_diff_shows_numbers_and_one_s_own_words(tmp_path: Path) -> None:
    text, words = tmp_path / "a.txt", tmp_path / "words.tsv"
    text.write_text("Ely has 3 cats.\n")
    words.write_text("Ely\tEelee\n")
    lines = ["     1  - Ely has 3 cats.", "        + Eelee has three cats."]
    assert output(str(text), "--diff", "--lexicon", str(words)).splitlines() == lines
    written = output(str(text), "--diff", "--lexicon", str(words), "--read-as-written")
    assert written.splitlines()[1] == "        + Eelee has 3 cats."
    assert output(str(text), "--diff", "--read-as-written") == "\n"


def test_a_lexicon_with_a_wrong_line_is_refused_by_its_number(tmp_path: Path) -> None:
    text, words = tmp_path / "a.txt", tmp_path / "words.tsv"
    text.write_text("Ely.\n")
    words.write_text("# words\nEly Eelee\n")
    result = CliRunner().invoke(app, ["plan", str(text), "--lexicon", str(words)])
    assert result.exit_code != 0
    assert "line 2" in str(result.exception)
