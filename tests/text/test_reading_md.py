"""Markdown: what is said is read, what is markup has a reason, and all of it is traced."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from narrate.core import BlockKind, Document
from narrate.errors import InputError, UsageError
from narrate.text import PlanOptions, plan
from tests.text.conftest import planned

Reader = Callable[..., Document]


def said(document: Document) -> list[str]:
    every = (block for chapter in document.chapters for block in chapter.blocks)
    return [block.text for block in every if not block.aside]


def reasons(document: Document) -> dict[str, str]:
    return {
        skip.reason: document.source[skip.span.start : skip.span.end]
        for skip in plan(document).skipped
    }


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Plain words.", "Plain words."),
        ("*One* and **two** and ***three***.", "One and two and three."),
        ("A [link](http://x.example/a_b?c=d 'title *x*') here.", "A link here."),
        ("A [link](<http://x.example/a b>), [two][ref] and [ref].", "A link, two and ref."),
        ("<https://x.example/?q=1>, <me@x.example>.", "https://x.example/?q=1, me@x.example."),
        ("An ![image *alt*](a.png) gone.", "An gone."),
        ("A [![badge](b.svg)](http://x.example) gone.", "A gone."),
        ("Call `run( a )` and ``a`b``.", "Call run( a ) and a`b."),
        ("Salt &amp; water, caf&eacute;&nbsp;&#8212; 5 &lt; 6.", "Salt & water, café — 5 < 6."),
        ("Not \\*emphasis\\* and a \\[bracket\\].", "Not *emphasis* and a [bracket]."),
        ("A <b>bold</b> word<br>here<!-- not this -->.", "A bold word here."),
        ("Two  \nlines\\\nhere\nsoft.", "Two lines here soft."),
        ("snake_case and 2 * 3 stay **unclosed.", "snake_case and 2 * 3 stay **unclosed."),
        ("A [bracket] alone, [ ] too, a](b).", "A [bracket] alone, [ ] too, a](b)."),
        ("Foot[a](b)[c](d).", "Footac."),
        ("Co\u00adop of ﬁsh.", "Coop of fish."),
    ],
)  # fmt: skip
def test_inline_marks_are_not_spoken(document: Reader, source: str, text: str) -> None:
    read = document(f"{source}\n\n[ref]: http://x.example/ref 'A title'\n", "a.md")
    assert said(read) == [text]
    planned(read)


def test_every_kind_of_block_is_read_or_has_a_reason(document: Reader) -> None:
    source = (
        "---\ntitle: The Book\nauthor: Ann\n---\n\n# Head #\n\nText.\n\n> Quoted\n> words.\n\n"
        "- one\n- two\n  more\n\n3. three\n4. four\n\n```python\ncode\n```\n\n    indented\n\n"
        "| a | b\\|c |\n|---|---|\n| 1 |  |\n| `x` | **y** |\n\n---\n\nSetext\n======\n\n"
        "<div class='a'>\nInside <i>html</i>\n<script>alert(1)</script></div>\n\n<!-- note -->\n"
    )
    read = document(source.replace("\n", "\r\n"), "a.md")
    assert (read.title, read.author) == ("The Book", "Ann")
    assert said(read) == [
        "Head",
        "Text.",
        "Quoted words.",
        "one",
        "two more",
        "3. three",
        "4. four",
        "a | b|c",
        "1",
        "x | y",
        "Setext",
        "Inside html",
    ]
    assert {"front matter", "code block", "table mark", "list mark", "quote mark"} <= set(
        reasons(read)
    )
    skipped = planned(read).skipped
    assert "alert" in "".join(read.source[s.span.start : s.span.end] for s in skipped)


def test_a_bar_between_cells_is_a_pause(document: Reader) -> None:
    made = planned(document("| a | b |\n|---|---|\n| one | two |\n", "a.md"))
    assert [chunk.spoken for chunk in made.chunks] == ["a, b", "one, two"]


@pytest.mark.parametrize(
    ("source", "titles"),
    [
        ("# T\n\n## A\n\na\n\n## B\n\nb", ["A", "B"]),
        ("# T\n\nwords\n\n## A\n\na\n\n## B\n\nb", ["T", "A", "B"]),
        ("# A\n\na\n\n# B\n\n## C\n\nb", ["A", "B"]),
        ("## A\n\na\n\n### C\n\nc\n\n## B", ["A", "B"]),
        ("words\n\n## A\n\na", ["a", "A"]),
        ("words only", ["a"]),
    ],
)
def test_chapters_begin_at_the_sensible_level(
    document: Reader, source: str, titles: list[str]
) -> None:
    assert [chapter.title for chapter in document(source, "a.md").chapters] == titles


def test_nested_lists_and_quotes_keep_their_words_in_order(document: Reader) -> None:
    read = document("1. a\n\n   - b\n     > c\n\n   d\n2. e\n", "a.md")
    assert said(read) == ["1. a", "b", "c", "d", "2. e"]
    kinds = [block.kind for block in read.chapters[0].blocks]
    assert kinds[2] is BlockKind.QUOTE
    planned(read)


def test_tabs_and_line_ends_of_other_systems_are_traced(document: Reader) -> None:
    read = document("-\ta\r\tb\r\r>\tquoted\r\rend", "a.md")
    assert " ".join(said(read)).split() == ["a", "b", "quoted", "end"]
    planned(read)


@pytest.mark.parametrize(
    "source",
    [
        "The&#x301; word, the&#x301;",
        "ex&amp;am\xadple and `&amp;`",
        "[a](b\0)&amp; word",
        "\u3000\r\u3000First line\r\nsecond.",
        "a\n\n\x85\n**Bold.**",
        "1. one\n\t2. two {x}`y`",
        "_em_\u0301 end",
    ],
)
def test_what_once_lost_its_place_is_accounted_for(document: Reader, source: str) -> None:
    planned(document(source, "a.md"), max_chars=40)


SIGNS = st.text(
    alphabet=st.sampled_from(list("ab1 \n\n\t*_`[]()<>!#-+>|&;\\:.'\"=~é\u0301ﬁ\u200b山")),
    max_size=60,
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(SIGNS)
def test_no_markup_loses_or_repeats_a_character(document: Reader, source: str) -> None:
    try:
        planned(document(source, "a.md"), max_chars=40)
    except InputError as error:
        assert error.remedy


CODE = "Before.\n\n```python\nx = 1\n\n    y = 2\n```\n\nBetween.\n\n    indented\n\nAfter.\n"


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("skip", ["Before.", "Between.", "After."]),
        ("speak", ["Before.", "x equals one y equals two", "Between.", "indented", "After."]),
        ("announce", ["Before.", "Code example.", "Between.", "Code example.", "After."]),
    ],
)
def test_code_blocks_are_skipped_spoken_or_announced(
    document: Reader, way: str, words: list[str]
) -> None:
    read = document(CODE, "a.md")
    made = plan(read, PlanOptions(code=way))
    assert [chunk.spoken for chunk in made.chunks] == words


def test_another_way_with_code_is_refused() -> None:
    with pytest.raises(UsageError, match="shout"):
        PlanOptions(code="shout")


def test_parts_of_a_book_in_markdown_are_left_out_by_their_titles(document: Reader) -> None:
    source = "# Book\n\n## Contents\n\n- One\n\n## One\n\nText.\n\n## Index\n\noil, 3\n"
    made = planned(document(source + "\n## License\n\nFree.\n", "a.md"))
    assert [chunk.text for chunk in made.chunks] == ["Book", "One", "Text."]
    assert {skip.reason for skip in made.skipped} >= {"contents", "index", "licence"}


def test_notes_of_markdown_are_set_aside_and_their_marks_not_spoken(document: Reader) -> None:
    source = "A word[^1] and[^long].\n\n[^1]: Plain.\n[^x]: One more.\n\n[^long]: A *note* here.\n"
    read = document(source, "a.md")
    assert [chunk.text for chunk in planned(read).chunks] == ["A word and."]
    notes = PlanOptions(include=("footnotes",))
    assert "A note here." in " ".join(chunk.text for chunk in plan(read, notes).chunks)


def test_what_is_struck_out_and_front_matter_in_toml_are_understood(document: Reader) -> None:
    read = document('+++\ntitle = "The Sea"\n+++\n\n{: .lead}\n\nIt is ~~not~~ calm.\n', "a.md")
    assert read.title == "The Sea"
    assert [chunk.text for chunk in planned(read).chunks] == ["It is not calm."]
