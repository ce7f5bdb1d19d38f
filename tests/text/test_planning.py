"""Chunks: of the wanted length, cut where a reader breathes, nothing lost, and stable."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from narrate.core import Block, Document, Pauses, Plan, Skipped, Span
from narrate.errors import InputError, UsageError
from narrate.text import CoverageError, PlanOptions, coverage, plan
from narrate.text.chunks import Cut, Limits, pieces
from tests.text.conftest import planned

Reader = Callable[..., Document]
Texts = Callable[..., list[str]]

SENTENCE = "The keeper walked along the mole with his lantern, as he had done for years. "


def test_a_paragraph_is_packed_into_chunks_of_the_wanted_length(texts: Texts) -> None:
    lengths = [len(text) for text in texts(SENTENCE * 30)]
    assert all(150 <= length <= 250 for length in lengths)


def test_a_chunk_ends_at_a_sentence_where_that_is_possible(texts: Texts) -> None:
    assert all(text.endswith(".") for text in texts(SENTENCE * 30))


@pytest.mark.parametrize("short", ["Yes. ", "Oh! ", "No? "])
def test_a_short_sentence_is_never_alone_beside_others(texts: Texts, short: str) -> None:
    clause = "and the water was as still as glass under the grey sky of that morning, "
    long = f"He looked out, {clause * 3}until noon. "
    for text in (short + long * 2, long * 2 + short, (long + short) * 4):
        assert min(map(len, texts(text))) > 40


def test_paragraphs_are_never_merged(texts: Texts) -> None:
    assert texts("“Bingley.”\n\n“Married?”\n\n“Single.”") == [
        "“Bingley.”",
        "“Married?”",
        "“Single.”",
    ]


def test_an_endless_sentence_is_cut_at_clauses(texts: Texts) -> None:
    clause = "he thought of the harbour and the boats that lay there; "
    parts = texts(clause * 180)
    assert all(part.endswith(";") for part in parts)
    assert all(100 <= len(part) <= 300 for part in parts)


def test_words_numbers_and_abbreviations_stay_whole(texts: Texts) -> None:
    text = (
        "so Mr. Bennet of St. Ives paid 1,234.50 to J. R. Tolkien and 10 000 more to Dr. Lee " * 40
    )
    for part in texts(text, max_chars=60):
        assert not part.endswith(("Mr.", "St.", "Dr.", "J.", "R.", "10", "1,"))
        assert part.split()[0] in text.split() and part.split()[-1] in text.split()


def test_no_chunk_begins_with_what_closes_the_one_before(texts: Texts) -> None:
    text = "« Il partit ! » Elle dit : « Non ? » (“So it was,” he said.) " * 30
    assert all(part[0] not in "»!?:;,.)”" for part in texts(text, max_chars=50))


@pytest.mark.parametrize("char", ["a", "e\u0301", "ﬁ", "山", "👩\u200d🚀", "ｱ", "𝔸"])
def test_an_unbroken_word_is_cut_at_the_limit_and_not_inside_a_letter(
    document: Reader, char: str
) -> None:
    try:
        result = planned(document(char * 1000))
    except InputError:
        assert not char[0].isalnum()
        return
    assert all(chunk.text[0] != "\u0301" for chunk in result.chunks)


@pytest.mark.parametrize("marks", ["\u0301", "\u0316\u0301", "\u0489\u0301\u0334"])
@pytest.mark.parametrize("letter", ["e", "x", "한"])
def test_marks_that_no_letter_bears_are_left_out_with_a_reason(
    document: Reader, letter: str, marks: str
) -> None:
    read = document(f"First. Then{letter}{marks * 400}n more, and cafe\u0301.")
    result = planned(read)
    [skip] = [skip for skip in result.skipped if skip.reason == "more marks than a letter bears"]
    assert set(read.source[skip.span.start : skip.span.end]) == set(marks)
    left = skip.span.end - skip.span.start
    assert left + 30 == len(marks) * 400
    said = "".join(chunk.text for chunk in result.chunks)
    assert said.endswith("n more, and café.") and len(said) < 70
    assert coverage(read, result).skipped[skip.reason] == left


def test_headings_stand_alone(texts: Texts) -> None:
    assert texts("Chapter 1\n\nIt rained.\n\nChapter 2\n\nIt stopped.")[::2] == [
        "Chapter 1",
        "Chapter 2",
    ]


def test_pauses_follow_the_structure(document: Reader) -> None:
    read = document(f"Chapter 1\n\n{SENTENCE * 5}\n\nA word.\n\nChapter 2\n\nThe end.")
    pauses = Pauses(sentence_s=1, paragraph_s=2, heading_s=3, chapter_s=4)
    result = plan(read, PlanOptions(pauses=pauses))
    assert [chunk.pause_after_s for chunk in result.chunks] == [3, 1, 2, 4, 3, 4]
    assert [chunk.chapter for chunk in result.chunks] == [1, 1, 1, 1, 2, 2]


def test_what_cannot_be_pronounced_is_skipped_with_a_reason(document: Reader) -> None:
    read = document("One.\n\n🎉🎉\n\n……\n\nTwo.")
    result = planned(read)
    assert [chunk.text for chunk in result.chunks] == ["One.", "Two."]
    assert {skip.reason for skip in result.skipped} == {"nothing to pronounce"}


def test_right_to_left_text_survives(texts: Texts) -> None:
    assert texts("\u200fשלום עולם. מה שלומך?\n\nمرحبا بالعالم.") == [
        "שלום עולם. מה שלומך?",
        "مرحبا بالعالم.",
    ]


def test_the_language_option_wins(document: Reader) -> None:
    assert plan(document("Hello."), PlanOptions(language="de")).language == "de"


def test_a_limit_that_cuts_words_is_refused() -> None:
    with pytest.raises(UsageError, match="39"):
        PlanOptions(max_chars=39)


def test_a_sentence_put_in_changes_the_chunks_beside_it_and_no_others(texts: Texts) -> None:
    sentence = "In the year {} the keeper of light {} saw the ship of captain {} pass by night. "
    book = [sentence.format(1800 + n, n * 7, n * 13) for n in range(200)]
    before = set(texts("".join(book)))
    worst = 0
    for place in range(5, 195, 10):
        changed = [*book[:place], "And here a new sentence was put in. ", *book[place:]]
        worst = max(worst, len(set(texts("".join(changed))) - before))
    assert worst <= 4


def test_planning_is_linear_in_walls_of_text(document: Reader) -> None:
    began = time.perf_counter()
    for wall in ("a, " * 60_000, "word " * 40_000, "x" * 200_000, "This is it. " * 20_000):
        planned(document(wall))
    assert time.perf_counter() - began < 8


def test_a_plan_that_loses_text_is_caught(document: Reader) -> None:
    read = document("One here. And two.\n\nThree.")
    whole = plan(read)
    lossy = replace(whole, chunks=whole.chunks[:1])
    assert [read.source[s.start : s.end].strip() for s in coverage(read, lossy).unaccounted] == [
        "Three."
    ]
    twice = replace(whole, chunks=(whole.chunks[0], *whole.chunks))
    assert coverage(read, twice).unaccounted
    other = replace(whole.chunks[0], text="Something else.")
    assert coverage(read, replace(whole, chunks=(other, *whole.chunks[1:]))).unaccounted


def test_a_reader_that_loses_text_fails_before_anything_is_spoken(document: Reader) -> None:
    read = document("One here.\n\nTwo here.")
    block: Block = read.chapters[0].blocks[0]
    broken = replace(read, chapters=(replace(read.chapters[0], blocks=(block,)),))
    with pytest.raises(CoverageError, match="Two here"):
        plan(broken)


def test_coverage_counts_by_reason(document: Reader) -> None:
    read = document("_One_ here.\n\n* * *\n\nTwo.")
    account = coverage(read, plan(read))
    assert account.skipped == {"emphasis mark": 2, "scene break": 3}
    assert account.spoken == len("Onehere.Two.")


def test_a_skip_inside_a_chunk_is_not_spoken() -> None:
    read = Document("", "", "en", (), "abc", (Skipped(Span(0, 3), "all of it"),))
    with pytest.raises(InputError, match="no words"):
        plan(read)
    silent = Plan("", "", "en", (), (), read.skipped)
    assert coverage(read, silent).spoken == 0


WORDS = "word|Mr. X|“Yes!”|1,234|—|Chapter 1|IV.|_em_|* * *|e\u0301|ﬁn|\u200b|山。|…|[Illustration]"
WORDS += f"|o{chr(0x301) * 99}" + "|co-|CONTENTS|.|&amp;|_|\xad|Ⅷ|한국어|👍🏽|\u0301|\x00|Ｆ|Part I"
SPACES = ["\n", "\n\n", "\r\n\r\n", "  ", "\f"]
PIECES = st.lists(st.sampled_from([*WORDS.split("|"), *SPACES, "a" * 70]), max_size=60)


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(PIECES, st.sampled_from(["", " ", "\n"]), st.sampled_from([40, 300]))
def test_whatever_is_written_is_spoken_once_or_skipped(
    document: Reader, parts: list[str], glue: str, max_chars: int
) -> None:
    try:
        planned(document(glue.join(parts)), max_chars)
    except InputError as error:
        assert error.remedy


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from(list("aB1 .!?;,—“”)( 山。\u0301")), max_size=700))
def test_pieces_are_in_order_within_the_limit_and_leave_out_only_space(text: str) -> None:
    text = " ".join(text.split())
    if not text:
        return
    cursor = 0
    for piece in pieces(text, "en", Limits(60)):
        assert not text[cursor : piece.start].strip()
        assert 0 < piece.end - piece.start <= 60
        assert isinstance(piece.cut, Cut)
        cursor = piece.end
    assert not text[cursor:].strip()


def test_a_stanza_is_cut_where_a_line_ends() -> None:
    lines = [
        "And when the boats came home from the grey water,",
        "Low in the sea, with nets and with oars, and lay",
        "Along the mole, where lamps and the dark were one,",
        "We went to look, and counted, and called their names,",
        "And some there were, and some, though we called, were not,",
        "But one came late, alone, and the nets were gone,",
        "And all its lamps, and nobody said a word,",
    ]
    text = "\n".join(lines)
    made = pieces(text, "en", Limits(300))
    assert len(made) > 1
    assert {text[piece.start - 1] for piece in made[1:]} == {"\n"}
