"""Words are compared as they sound, not as they are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.text import word_error
from narrate.text.word_error import words_of


@pytest.mark.parametrize(
    ("expected", "heard", "language", "errors", "words"),
    [
        ("“Who is there?” he asked.", "who is there he asked", "en", 0, 5),
        ("Don't go!", "dont go", "en", 0, 2),
        ("It was eighteen o'clock.", "It was 18 o'clock", "en", 0, 4),
        ("one two three four", "one three four", "en", 1, 4),
        ("one two three four", "one two too three four five", "en", 2, 4),
        ("one two three four", "", "en", 4, 4),
        ("吾輩は猫である。", "吾輩は猫だある", "ja", 1, 7),
        ("Straße", "STRASSE", "de", 0, 1),
        ("To-day I saw any one.", "today i saw anyone", "en", 0, 6),
        ("Nobody saw the lighthouse.", "No body saw the light house", "en", 0, 4),
        ("To-day, to-morrow", "today tomato", "en", 2, 4),
    ],
)
def test_errors_are_counted(
    expected: str, heard: str, language: str, errors: int, words: int
) -> None:
    found = word_error(expected, heard, language)
    assert (found.errors, found.words) == (errors, words)


texts = st.lists(st.sampled_from(["lamp", "boat", "gull", "rock"]), max_size=9).map(" ".join)


@given(texts, texts)
def test_the_distance_is_none_only_between_equals_and_the_same_both_ways(
    one: str, other: str
) -> None:
    there, back = word_error(one, other, "en"), word_error(other, one, "en")
    assert there.errors == back.errors
    assert (there.errors == 0) == (words_of(one, "en") == words_of(other, "en"))
    assert there.errors <= max(there.words, back.words)
