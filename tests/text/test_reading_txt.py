"""Plain text: lines become paragraphs, headings chapters, and the rest has a reason."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from narrate.core import Block, BlockKind, Document
from narrate.text import PlanOptions, plan
from tests.text.conftest import planned

Reader = Callable[..., Document]

WRAPPED = """The morning was grey and the harbour lay quiet under a low sky, when
the keeper walked out along the mole with his lantern still burning, as
he had done on every morning of the thirty years before.

He counted the boats: four at the quay and one far out, white against
the dark water, drifting without any sail.
"""


def blocks(document: Document) -> list[Block]:
    every = (block for chapter in document.chapters for block in chapter.blocks)
    return [block for block in every if not block.aside]


def reasons(document: Document) -> dict[str, str]:
    skipped = plan(document).skipped
    return {skip.reason: document.source[skip.span.start : skip.span.end] for skip in skipped}


def test_hard_wrapped_lines_are_joined_within_a_paragraph(document: Reader) -> None:
    first, second = blocks(document(WRAPPED))
    assert "sky, when the keeper" in first.text
    assert second.text.startswith("He counted the boats")


@pytest.mark.parametrize("end", ["\r\n", "\r", "\x85", "\u2028", "\n"])
def test_every_kind_of_line_end_reads_alike(document: Reader, end: str) -> None:
    read = document(WRAPPED.replace("\n", end))
    assert [block.text for block in blocks(read)] == [b.text for b in blocks(document(WRAPPED))]


def test_a_form_feed_inside_a_sentence_parts_no_paragraph(document: Reader) -> None:
    text = WRAPPED.replace("when\nthe", "when\n\fthe")
    assert len(blocks(document(text))) == 2


def test_origins_point_at_the_characters_that_are_spoken(document: Reader) -> None:
    read = document(WRAPPED.replace("\n", "\r\n"))
    for block in blocks(read):
        for char, origin in zip(block.text, block.origins, strict=True):
            assert char == read.source[origin] or (char == " " and read.source[origin] in "\r\n")


def test_a_word_hyphenated_at_a_line_end_is_joined_with_its_hyphen(document: Reader) -> None:
    text = WRAPPED.replace("quiet under a low sky, when\nthe", "quiet under a low-\nhanging")
    assert "low-hanging" in blocks(document(text))[0].text


def test_a_hyphen_that_a_line_s_end_made_goes_where_the_text_has_the_word(
    document: Reader,
) -> None:
    lines = [
        "It is a long and winding sentence of which the most import-",
        "ant word was broken by the person who typed it into his old",
        "machine, and who wrote it whole later. What is important to",
        "him is that a well-known and a well-",
        "known word are read alike, and that nobody is ever to-",
        "day reminded of it.",
    ]
    read = document("\n".join(lines))
    text = read.chapters[0].blocks[0].text
    assert "most important word" in text
    assert "a well-known word" in text
    assert "to-day" in text
    assert [skip.reason for skip in read.skipped] == ["hyphen at a line's end"]


def test_short_lines_stay_verse_with_a_pause_at_each_line(document: Reader) -> None:
    verse = "  The tide comes in\n  The tide goes out\n  And nobody knows\n  what it is about\n"
    read = document(f"{WRAPPED}\n{verse}\n{WRAPPED}")
    (block,) = [block for block in blocks(read) if block.kind is BlockKind.VERSE]
    assert block.text.count("\n") == 3
    spoken = next(c.spoken for c in planned(read).chunks if c.text.startswith("The tide"))
    assert spoken.startswith("The tide comes in, The tide goes out, And nobody knows what")


def test_a_document_without_wrapped_lines_is_read_line_by_line(document: Reader) -> None:
    lines = ["A first paragraph that goes on and on. " * 8, "A second one. " * 12, "A third."]
    assert len(blocks(document("\n".join(lines)))) == 3


def test_underscores_around_words_are_marks_and_inside_words_are_not(document: Reader) -> None:
    read = document("“_You_ want it,” said the _very\nold_ man; use snake_case and _this_.\n")
    assert blocks(read)[0].text == "“You want it,” said the very old man; use snake_case and this."
    assert "emphasis mark" in reasons(read)


def test_pictures_and_scene_breaks_are_skipped_with_a_reason(document: Reader) -> None:
    read = document("One here.\n\n* * *\n\n[Illustration: A cat]\n\nTwo here.\n")
    assert [block.text for block in blocks(read)] == ["One here.", "Two here."]
    assert reasons(read) == {"scene break": "* * *", "illustration": "[Illustration: A cat]"}
    first, second = planned(read).chunks
    assert first.pause_after_s == 1.2
    assert second.pause_after_s == 2.0


def test_the_gutenberg_frame_is_cut_and_its_fields_are_read(document: Reader) -> None:
    read = document(
        "The Project Gutenberg EBook of Salt\n\nTitle: Salt\n\nAuthor: A. Writer\n\n"
        "Language: German\n\n*** START OF THIS PROJECT GUTENBERG EBOOK SALT ***\n\n"
        "Produced by Someone\n\n\nEs war einmal.\n\n\n"
        "End of the Project Gutenberg EBook of Salt\n*** END OF THIS PROJECT GUTENBERG ***\nLaw."
    )
    assert (read.title, read.author, read.language) == ("Salt", "A. Writer", "de")
    assert [block.text for block in blocks(read)] == ["Es war einmal."]
    assert "Produced by" in reasons(read)["Project Gutenberg header"]
    asked = plan(read, PlanOptions(include=("licence",))).chunks
    assert asked[-1].text.endswith("Law.")
    assert "Law." in reasons(read)["Project Gutenberg licence"]


@pytest.mark.parametrize(
    ("headings", "titles"),
    [
        (["Chapter 1", "Chapter 2"], ["Chapter 1", "Chapter 2"]),
        (["CHAPTER I. Salt.", "CHAPTER II. Water."], ["CHAPTER I. Salt.", "CHAPTER II. Water."]),
        (["PART I\n\n          Salt", "PART II\nWater"], ["PART I. Salt", "PART II. Water"]),
        (["I.", "II."], ["I.", "II."]),
        (["I. SALT", "II. WATER"], ["I. SALT", "II. WATER"]),
        (["1", "2"], ["1", "2"]),
        (["Chapter One", "Chapter Twenty-Two"], ["Chapter One", "Chapter Twenty-Two"]),
        (["PROLOGUE", "Chapter 1", "EPILOGUE"], ["PROLOGUE", "Chapter 1", "EPILOGUE"]),
        (["LETTER 1", "Chapter 1"], ["LETTER 1", "Chapter 1"]),
        (["PART I\n\nChapter 1", "Chapter 2"], ["Chapter 1", "Chapter 2"]),
        (["Erstes Kapitel", "Zweites Kapitel"], ["Erstes Kapitel", "Zweites Kapitel"]),
        (["Kapitel 1: Salz", "Kapitel 2"], ["Kapitel 1: Salz", "Kapitel 2"]),
        (["Chapitre premier", "Chapitre II"], ["Chapitre premier", "Chapitre II"]),
        (["Capítulo 1", "Capítulo 2"], ["Capítulo 1", "Capítulo 2"]),
        (["Глава 1", "Глава 2"], ["Глава 1", "Глава 2"]),
        (["第一章", "第二章　水"], ["第一章", "第二章 水"]),
    ],
)
def test_headings_begin_chapters(document: Reader, headings: list[str], titles: list[str]) -> None:
    read = document("\n\n".join(f"{heading}\n\n{WRAPPED}\n" for heading in headings))
    assert [chapter.title for chapter in read.chapters] == titles


@pytest.mark.parametrize(
    "line",
    [
        "Chapter 5 of the book says so.",
        "Part I agree with, and part I do not.",
        "“Chapter 2,” she read.",
        "I. am not sure.",
        "Book one of the three and go.",
        "1984 was a year.",
        "Introduction to the art of salt was what he taught.",
        "Mr. Bennet made no answer.",
    ],
)
def test_a_sentence_is_no_heading(document: Reader, line: str) -> None:
    read = document(f"Chapter 1\n\n{WRAPPED}\n{line}\n\n{WRAPPED}\nChapter 2\n\n{WRAPPED}")
    assert [chapter.title for chapter in read.chapters] == ["Chapter 1", "Chapter 2"]


def test_the_first_line_of_a_chapter_is_not_taken_for_its_title(document: Reader) -> None:
    read = document("Chapter 1\n\nIt rained\n\nMore of it.\n\nChapter 2\n\nThe end.\n\nYes.")
    assert [chapter.title for chapter in read.chapters] == ["Chapter 1", "Chapter 2"]


def test_a_title_page_opens_the_first_chapter(document: Reader) -> None:
    read = document(f"SALT\n\nby Ann Author\n\n\nChapter 1\n\n{WRAPPED}\nChapter 2\n\n{WRAPPED}")
    assert len(read.chapters) == 2
    assert [b.text for b in read.chapters[0].blocks[:3]] == ["SALT", "by Ann Author", "Chapter 1"]
    assert (read.title, read.author) == ("SALT", "Ann Author")


def test_the_name_of_the_author_may_stand_under_by(document: Callable[..., Document]) -> None:
    title = "        SALT\n\n         VON\n\n      ANN AUTHOR\n\nI.\n\n"
    assert document(title + "Das Meer war grau.\n\n" * 3).author == "Ann Author"


@pytest.mark.parametrize("title", ["CONTENTS\n\n", "Contents\n", ""])
def test_a_list_of_contents_is_skipped(document: Reader, title: str) -> None:
    names = [f"CHAPTER {n}. The Name" for n in range(1, 6)]
    apart = "\n" if title.endswith("s\n") else "\n\n"
    body = "\n\n".join(f"{name}\n\n{WRAPPED}" for name in names)
    read = document(f"SALT\n\n{title}{apart.join(names)}\n\n\n{body}")
    assert [chapter.title for chapter in read.chapters] == names
    listed = plan(read).skipped
    skipped = [read.source[s.span.start : s.span.end] for s in listed]
    assert "".join("".join(skipped).split()) == "".join((title + "".join(names)).split())


def test_a_document_without_headings_is_one_chapter_named_after_it(document: Reader) -> None:
    read = document(WRAPPED, "harbour.txt")
    assert [chapter.title for chapter in read.chapters] == ["harbour"]
    assert read.title == "harbour"


def test_list_items_are_apart_and_their_bullets_are_skipped(document: Reader) -> None:
    read = document(f"{WRAPPED}\n* salt\n* water\n* bread\n")
    items = [block for block in blocks(read) if block.kind is BlockKind.ITEM]
    assert [item.text for item in items] == ["salt", "water", "bread"]
    assert reasons(read)["list mark"] == "*"


def test_a_numbered_list_is_not_taken_for_chapters(document: Reader) -> None:
    for gap in ("\n", "\n\n"):
        listed = gap.join(["1. Salt", "2. Fresh Water", "3. Bread"])
        read = document(f"Chapter 1\n\n{WRAPPED}\n{listed}\n\n{WRAPPED}\nChapter 2\n\n{WRAPPED}")
        assert [chapter.title for chapter in read.chapters] == ["Chapter 1", "Chapter 2"]
        assert len(document(f"{WRAPPED}\n{listed}\n\n{WRAPPED}").chapters) == 1


def test_paragraphs_parted_only_by_indents_are_parted(document: Reader) -> None:
    first, second = WRAPPED.strip().split("\n\n")
    read = document("\n".join(f"    {part}" for part in (first, second, first)))
    assert [block.text.split()[0] for block in blocks(read)] == ["The", "He", "The"]


def test_invisible_characters_are_dropped_and_recorded(document: Reader) -> None:
    read = document("A co\xadope\u200bration\u202e of\0 all\ufeff.")
    assert blocks(read)[0].text == "A cooperation of all."
    assert "invisible character" in reasons(read)


def test_ligatures_and_full_width_letters_are_folded_and_powers_are_not(document: Reader) -> None:
    read = document("The ﬁrst ＡＢＣ１２ cafe\u0301 has 10⁶ ½ parts.")
    assert blocks(read)[0].text == "The first ABC12 café has 10⁶ ½ parts."
    planned(read)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("It was the best of times, and the worst of it was that he had not the money.", "en"),
        ("Er war nicht in der Stadt, und das Haus auf dem Berg ist leer, sie ist mit ihm.", "de"),
        ("Elle est dans une maison que les enfants du village ne connaissent pas.", "fr"),
        ("山路を登りながら、こう考えた。", "ja"),
        ("道可道，非常道。名可名，非常名。", "zh"),
        ("Все счастливые семьи похожи друг на друга.", "ru"),
        ("Hm.", "en"),
    ],
)
def test_the_language_is_told_by_script_and_little_words(
    document: Reader, text: str, language: str
) -> None:
    assert document(text).language == language


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r", "\x85", "\u2028", "\v"])
def test_every_kind_of_line_end_parts_lines_alike(
    texts: Callable[..., list[str]], line_end: str
) -> None:
    line = "He walked along the mole with his lantern as he had done for many years,"
    lines = ["Chapter 1", "", line, line, "and rested.", "", "“Yes.”", "", "“No.”", ""]
    assert texts(line_end.join(lines)) == [
        "Chapter 1",
        f"{line} {line} and rested.",
        "“Yes.”",
        "“No.”",
    ]


def test_a_paragraph_separator_parts_paragraphs(texts: Callable[..., list[str]]) -> None:
    assert texts("One of them.\u2029Two of them.\u2029Three.") == [
        "One of them.",
        "Two of them.",
        "Three.",
    ]


def test_a_form_feed_is_a_page_end_and_parts_no_sentence(texts: Callable[..., list[str]]) -> None:
    line = "He walked along the mole with his lantern as he had done for many years"
    assert texts(f"{line}\n{line}\n\f{line}.\n\n\fAnother page.\n{line}") == [
        f"{line} {line} {line}.",
        f"Another page. {line}",
    ]


RIGHTS = "Copyright © 2020 Ann Author. All rights reserved.\n\nISBN 978-3-16-148410-0\n\n"


def test_copyright_contents_and_index_are_left_out_unless_asked_for(document: Reader) -> None:
    names = [f"Chapter {n}" for n in range(1, 5)]
    body = "\n\n".join(f"{name}\n\n{WRAPPED}" for name in names)
    index = "INDEX\n\nbread, 12, 30-34\nharbour, 7\nlamp, 9, 11\noil, 3\nsalt, 45\nwater, 6\n"
    contents = "CONTENTS\n\n" + "\n\n".join(names)
    read = document(f"SALT\n\n{RIGHTS}{contents}\n\n\n{body}\n\n{index}")
    made = planned(read)
    assert [chapter.title for chapter in read.chapters] == names
    spoken = " ".join(chunk.text for chunk in made.chunks)
    assert not re.search("ISBN|rights|CONTENTS|lamp, 9", spoken)
    assert {"copyright page", "table of contents", "index"} <= reasons(read).keys()
    for part, words in {"copyright": "ISBN", "contents": "CONTENTS", "index": "lamp, 9"}.items():
        chunks = plan(read, PlanOptions(include=(part,))).chunks
        assert words in " ".join(chunk.text for chunk in chunks)


@pytest.mark.parametrize(
    "text",
    [
        "Copyright law changed in 1976, and so did he.",
        "INDEX\n\nHe looked up the index, and found nothing at all in it.",
        "Published in 1851, it was forgotten.",
    ],
)
def test_prose_about_rights_is_no_copyright_page(document: Reader, text: str) -> None:
    assert planned(document(f"{text}\n\n{WRAPPED}")).skipped == ()


def test_a_document_that_is_all_licence_is_spoken(document: Reader) -> None:
    assert planned(document("Copyright 2020 Ann Author\n")).chunks
    assert planned(document("# Licence\n\nDo as you like.", "a.md")).chunks


@pytest.mark.parametrize("between", ["\n", "\n\n", "  7\n", " ....... 7\n"])
def test_chapters_that_the_contents_name_begin_where_their_titles_stand(
    document: Callable[..., Document], between: str
) -> None:
    titles = ["The Sisters", "An Encounter", "After the Race"]
    prose = "The keeper walked along the mole with his lantern, as he had\ndone for years. "
    text = "SEA TALES\n\nby Ann Writer\n\n\nCONTENTS\n\n" + between.join([*titles, ""]) + "\n\n"
    text += "".join(f"\n\n{title.upper()}\n\n{prose * 3}\n\n{prose}\n" for title in titles)
    made = planned(document(text))
    assert list(made.chapter_titles) == [title.upper() for title in titles]
    assert "table of contents" in {skip.reason for skip in made.skipped}


def test_a_form_feed_ends_a_paragraph_that_is_over(texts: Callable[..., list[str]]) -> None:
    assert texts("CHAPTER I\n\nOne end.\fCHAPTER II\n\nHe went\fon and on.\n") == [
        "CHAPTER I", "One end.", "CHAPTER II", "He went on and on.",
    ]  # fmt: skip


def test_addresses_keep_their_signs_and_a_terminal_s_colours_go(
    texts: Callable[..., list[str]],
) -> None:
    text = "See https://x.org/A_(b)_c/_d for _it_, \x1b[1;31mred\x1b[0m and all.\n"
    assert texts(text) == ["See https://x.org/A_(b)_c/_d for it, red and all."]


def test_text_right_under_a_heading_is_not_its_title(document: Callable[..., Document]) -> None:
    text = "Chapter One: The Start\nIt began. It was good.\n\nChapter Two: The End\nIt ended.\n\n"
    text += "Chapter Three: The Affair of the\nSecond Floor\n\nIt was odd.\n\nAppendix A\n\nMore.\n"
    made = planned(document(text))
    assert list(made.chapter_titles) == [
        "Chapter One: The Start", "Chapter Two: The End",
        "Chapter Three: The Affair of the Second Floor", "Appendix A",
    ]  # fmt: skip
    assert "It ended." in [chunk.text for chunk in made.chunks]


def test_notes_in_brackets_are_set_aside_and_only_their_marks_dropped(
    document: Callable[..., Document],
) -> None:
    text = "He rose.[1] He sat [sic] down[A] in [2] rooms.\n\n[Footnote 1: A note.]\n\n"
    read = document(text + "[Footnote A: A long\n\nnote of two parts.]\n\nThe end.\n")
    assert [chunk.text for chunk in planned(read).chunks] == [
        "He rose. He sat [sic] down in [2] rooms.", "The end.",
    ]  # fmt: skip
    every = plan(read, PlanOptions(include=("footnotes",)))
    assert "note of two parts.]" in [chunk.text for chunk in every.chunks]
