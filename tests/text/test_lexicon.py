"""A reader's own words: whole words, by case, by language, and every slip refused by its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from narrate.errors import UsageError
from narrate.text.lexicon import lexicon, own_words
from narrate.text.spoken import Reading, spoken


def said(table: str, text: str, language: str = "en", *, as_written: bool = False) -> str:
    return spoken(text, Reading(language, lexicon(table, "words.tsv"), as_written))


def test_whole_words_are_replaced_and_parts_of_words_are_not() -> None:
    table = "Ely\tEelee\nsql\tsequel"
    assert said(table, "Ely, Elyse; SQL and mysql, Sql-based.") == (
        "Eelee, Elyse; sequel and mysql, sequel-based."
    )


def test_small_letters_stand_for_every_case_and_capitals_for_themselves() -> None:
    table = "polish\tpollish\nPolish\tPohlish"
    assert said(table, "Polish POLISH polish") == "Pohlish pollish pollish"


def test_phrases_hold_over_line_ends_and_the_longest_wins() -> None:
    table = "new york\tNoo York\nnew york times\tthe Times"
    assert said(table, "New\nYork and the New York Times") == "Noo York and the the Times"


def test_words_of_any_script_are_whole_words() -> None:
    table = "Ёж\tЁжик\ncafé\tcaffay"
    words = said(table, "Ёж, Ёжик, cafés, Café", "ru")
    assert words == "Ёжик, Ёжик, cafés, caffay"


def test_an_entry_may_hold_in_one_language_alone_and_then_comes_first() -> None:
    table = "chat\ttchat\nchat\tsha\tfr"
    assert said(table, "chat", "fr") == "sha"
    assert said(table, "chat", "en") == "tchat"


def test_the_lexicon_comes_before_the_rules_and_is_safe_from_them() -> None:
    table = "1984\tBig Brother 1984\nDr. Who\tDr. Who\n$5.20\ta fiver"
    assert said(table, "1984, Dr. Who, Dr. Lee, $5.20") == (
        "Big Brother 1984, Dr. Who, Doctor Lee, a fiver"
    )
    assert said("Ely\tEelee", "Ely 5", as_written=True) == "Eelee 5"


def test_comments_and_blank_lines_mean_nothing() -> None:
    assert lexicon("# a comment\n\n  \nEly\tEelee\t\t\r\n", "x")[0].spoken == "Eelee"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Ely Eelee", "1 column"),
        ("Ely\tEelee\ten\tmore", "4 column"),
        ("\tEelee", "no written form"),
        ("Ely\t", "no spoken form"),
        ("Ely\t ...", "no spoken form"),
        ("Ely\tEelee\tEnglish", "no language code"),
        ("Ely\t" + "ee" * 101, "longer than 200"),
        ("Ely\tEelay\nEly\tEelee", "stands in line 3 already"),
        ("Ely\tA\ten\nEly\tB\ten-GB", "stands in line 3 already"),
    ],
)
def test_a_wrong_line_is_refused_by_its_number(line: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        lexicon(f"# words\n\n{line}", "words.tsv")
    assert caught.value.where == f"words.tsv, line {3 + line.count(chr(10))}"
    assert caught.value.remedy


def test_the_usual_lexicon_is_read_where_none_is_named(tmp_path: Path) -> None:
    usual, named = tmp_path / "lexicon.tsv", tmp_path / "words.tsv"
    assert own_words(None, usual) == ()
    usual.write_text("Ely\tEelee\n")
    named.write_bytes("\ufeffEly\tEely\n".encode("utf-16"))
    assert [entry.spoken for entry in own_words(None, usual)] == ["Eelee"]
    with pytest.raises(UsageError, match="cannot be read"):
        own_words(str(tmp_path / "missing.tsv"), usual)
