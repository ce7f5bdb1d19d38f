"""DOCX and PDF: structure kept, what is not the text left out, damage refused."""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from collections.abc import Callable
from itertools import starmap

import pytest

from narrate.core import Document, Pauses
from narrate.errors import InputError
from narrate.text import PlanOptions, plan, read
from tests.text.conftest import book, planned

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
STYLES = f"""<w:styles {W}>
<w:style w:styleId="H1"><w:name w:val="heading 1"/></w:style>
<w:style w:styleId="H2"><w:name w:val="Own"/><w:basedOn w:val="H1"/></w:style>
<w:style w:styleId="T1"><w:name w:val="toc 1"/></w:style></w:styles>"""


def docx(body: str, notes: str = "") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(
            "word/document.xml", f"<w:document {W}><w:body>{body}</w:body></w:document>"
        )
        archive.writestr("word/styles.xml", STYLES)
        archive.writestr("word/footnotes.xml", f"<w:footnotes {W}>{notes}</w:footnotes>")
    return out.getvalue()


def p(text: str, style: str = "") -> str:
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>'


def test_headings_tables_and_notes_of_a_word_document(document: Callable[..., Document]) -> None:
    cells = "".join(f"<w:tc>{p(text)}</w:tc>" for text in ("a", "b"))
    body = p("Listed", "T1") + p("One", "H1") + p("Text.") + f"<w:tbl><w:tr>{cells}</w:tr></w:tbl>"
    body += p("Two", "H2") + "<w:p><w:r><w:t>Kept</w:t></w:r><w:del><w:r><w:delText>x</w:delText>"
    body += "</w:r></w:del></w:p>"
    made = document(docx(body, f"<w:footnote>{p('Note.')}</w:footnote>"), "a.docx")
    result = planned(made)
    assert result.chapter_titles == ("One", "Two")
    assert [chunk.text for chunk in result.chunks] == ["One", "Text.", "a | b", "Two", "Kept"]
    assert {skip.reason for skip in result.skipped} == {"contents", "footnote"}
    everything = plan(made, PlanOptions(include=("all",))).chunks
    assert (everything[0].text, everything[-1].text) == ("Listed", "Note.")


@pytest.mark.parametrize("name", ["a.docx", "a.pdf"])
def test_what_is_no_such_document_is_refused(name: str, document: Callable[..., Document]) -> None:
    with pytest.raises(InputError) as caught:
        document(b"%PDF-1.7 or PK, but nothing behind it", name)
    assert caught.value.remedy


def page_texts(pages: list[list[str]]) -> bytes:
    """A PDF of pages of lines, 14 points apart, the first 20 lower than the paper's edge."""
    return drawn([[(50, 770 - 14 * n, 10, line) for n, line in enumerate(page)] for page in pages])


def drawn(pages: list[list[tuple[int, int, int, str]]]) -> bytes:
    """A PDF of pages of lines: where each begins, its size in points, and its text."""
    objects = ["<</Type/Catalog/Pages 2 0 R>>", ""]
    objects.append("<</Type/Font/Subtype/Type1/BaseFont/Courier>>")
    kids = []
    for lines in pages:
        stream = "".join(
            f"BT /F {size} Tf {left} {top} Td ({line}) Tj ET " for left, top, size, line in lines
        )
        objects.append(f"<</Length {len(stream)}>>stream\n{stream}\nendstream")
        kids.append(f"{len(objects) + 1} 0 R")
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents {len(objects)} 0 R"
            "/Resources<</Font<</F 3 0 R>>>>>>"
        )
    objects[1] = f"<</Type/Pages/Count {len(kids)}/Kids[{' '.join(kids)}]>>"
    body = "".join(starmap("{} 0 obj\n{}\nendobj\n".format, enumerate(objects, 1)))
    return f"%PDF-1.4\n{body}trailer<</Root 1 0 R>>\n%%EOF".encode()


def test_running_heads_go_and_paragraphs_are_joined_over_pages(
    document: Callable[..., Document],
) -> None:
    pages = [
        ["A Book of Tests", f"The {n} page begins here and goes on to a line of its full width,",
         f"and then it goes on from the {n} page in the very same", str(n)]
        for n in ("first", "second", "third", "fourth")
    ]  # fmt: skip
    for number, lines in enumerate(pages, 1):
        lines[-1] = str(number)
        lines[1] = f"sentence number {number} which holds as many words as a line has got room for"
    made = document(page_texts(pages), "a.pdf")
    text = " ".join(chunk.text for chunk in planned(made).chunks)
    assert "A Book" not in text and re.findall(r"\d+", text) == ["1", "2", "3", "4"]
    assert "very same sentence number 2" in text


def test_a_hyphen_at_a_line_s_end_goes_only_where_the_word_is_known(
    document: Callable[..., Document],
) -> None:
    lines = ["He saw the waterfall and then he went down again to the edge of the water-",
             "fall where he found a well-", "known stone."]  # fmt: skip
    texts = [chunk.text for chunk in planned(document(page_texts([lines]), "a.pdf")).chunks]
    assert "waterfall where he found a well-known stone." in " ".join(texts)


def test_a_paragraph_of_a_pdf_goes_on_behind_a_broken_word(
    document: Callable[..., Document],
) -> None:
    lines = ["The keeper of the light went down to look at the boat below the lamp-",
             "house where the nets were hung, and found that the sea had come and",
             "taken one of them. He looked for the other, which was where he left",
             "it in the autumn, when he had mended it. Nobody had seen the keeper",
             "since, but his lamp was lit each night, and he was heard to sing at"]  # fmt: skip
    lines.append("noon.")
    made = planned(document(page_texts([lines]), "a.pdf"))
    assert {chunk.pause_after_s for chunk in made.chunks[:-1]} == {Pauses().sentence_s}


def test_a_paragraph_of_a_pdf_goes_on_over_a_page_s_end(
    document: Callable[..., Document],
) -> None:
    # fmt: off
    first = ["    There was a house on the mole, and in the house there lived a keeper,",
             "who had been asked to look at the sea when the wind came from the north.",
             "    On the table lay a letter which had come with the boat of that Mr."]
    second = ["Brown who had lost a ship. Nobody had ever heard of it again, it said.",
              "    The day was grey, and nothing was to be seen from the door but foam.",
              "He went in again, made his tea, and read in the book about the old ships."]
    third = ["He slept until the evening, when the lamps were lit. Then the wind came.",
             "    In the morning there was a ship beyond the mole, and it was Brown's."]
    # fmt: on
    whole = document(page_texts([first, second, third]), "a.pdf")
    texts = " / ".join(
        chunk.text + " //" * (chunk.pause_after_s >= Pauses().paragraph_s)
        for chunk in planned(whole).chunks
    )
    assert "that Mr. Brown who had lost a ship." in texts
    assert "about the old ships. He slept until the evening" in texts
    assert texts.count("//") == 4


PROSE = [
    "the sea lay grey below the mole and the",
    "keeper looked at it for a while. Then he",
    "went in, because the kettle was singing.",
    "His letters lay on the table where he had",
    "put them. He read none of them that day.",
]


def test_notes_at_the_foot_of_a_page_are_set_aside(document: Callable[..., Document]) -> None:
    over = "and nobody1 had been at the door,2 which"
    # fmt: off
    pages = [
        [*((50, 700 - 14 * n, 10, line) for n, line in enumerate([*PROSE, over])),
         (50, 200, 8, "1 It was an old lamp."), (50, 190, 8, "It had been lit twice."),
         (50, 180, 8, "2 A boat.")],
        [(50, 700 - 14 * n, 10, line)
         for n, line in enumerate(["he shut again. Night came.", *PROSE])],
    ]
    # fmt: on
    made = document(drawn(pages), "a.pdf")
    plain, whole = planned(made), plan(made, PlanOptions(include=("footnotes",)))
    text = " ".join(chunk.text for chunk in plain.chunks)
    assert "nobody had been at the door, which he shut again." in text and "lamp" not in text
    assert {skip.reason for skip in plain.skipped} == {"footnote"}
    said = " ".join(chunk.text for chunk in whole.chunks)
    assert "1 It was an old lamp. It had been lit twice." in said and "2 A boat" in said


def test_small_print_without_marks_is_no_note(document: Callable[..., Document]) -> None:
    page = [(50, 700 - 14 * n, 10, line) for n, line in enumerate(PROSE * 2)]
    small = [(50, 200, 8, "1 spoon of salt, and"), (50, 190, 8, "2 of oil.")]
    made = planned(document(drawn([page + small]), "a.pdf"))
    assert "of oil." in made.chunks[-1].text


def test_two_columns_are_read_one_after_the_other_and_not_cut_at_each_line(
    document: Callable[..., Document],
) -> None:
    columns = [
        (left, 770 - 14 * n, 10, line)
        for left in (40, 320)
        for n, line in enumerate(
            ["On Monday", *PROSE * 3, "and it was so until the next year, when"]
        )
    ]
    made = planned(document(drawn([columns, columns]), "a.pdf"))
    pauses = [chunk.pause_after_s for chunk in made.chunks[:-1]]
    assert max(pauses) < Pauses().paragraph_s
    assert made.chunks[0].text.startswith(
        "On Monday the sea lay grey below the mole and the keeper"
    )


def test_a_large_first_letter_belongs_to_its_word(document: Callable[..., Document]) -> None:
    body = [(50, 700 - 14 * n, 10, line) for n, line in enumerate(PROSE * 2)]
    for capital, rest, whole in (("T", "he", "The"), ("A", "boat and", "A boat and")):
        first = (75, 700, 10, rest + PROSE[0][3:])
        page = [(50, 690, 30, capital), first, (75, 686, 10, PROSE[1]), *body[2:]]
        made = planned(document(drawn([page]), "a.pdf"))
        assert made.chunks[0].text.startswith(f"{whole} sea lay grey")


def test_a_title_of_two_lines_is_one(document: Callable[..., Document]) -> None:
    page = [(50, 740, 18, "Chapter 2. The Little"), (50, 718, 18, "Daughter")]
    page += [(50, 660 - 14 * n, 10, line) for n, line in enumerate(PROSE * 2)]
    made = document(drawn([page, *[page[2:]] * 2]), "a.pdf")
    assert planned(made).chapter_titles == ("Chapter 2. The Little Daughter",)


@pytest.mark.parametrize("foot", ["file:///sea.html {n}/4", "Page {n} of 4", "Seite {n} von 4"])
def test_page_numbers_that_say_how_many_there_are_go(
    document: Callable[..., Document], foot: str
) -> None:
    pages = [[f"It was day {n} of the year.", *PROSE, foot.format(n=n)] for n in range(1, 5)]
    made = planned(document(page_texts(pages), "a.pdf"))
    assert "4 " not in " ".join(chunk.text for chunk in made.chunks).replace("day 4 ", "")


FRONT = ["THE LIGHTHOUSE", "", "Ann Writer", "", "Copyright 2019 by Ann Writer",
         "All rights reserved. No part of this book may be copied.", "ISBN 978-3-16-148410-0",
         "First published in 2019 by Sea Press, London."]  # fmt: skip
CONTENTS = {
    "numbers": ["CONTENTS", "", "1 The Light ........ 5", "2 The Storm ........ 9",
                "3 The Boat ........ 13"],
    "chapters": ["Contents", "", "Chapter 1: The Light 5", "Chapter 2: The Storm 9",
                 "Chapter 3: The Boat 13"],
    "titles alone": ["Contents", "", "The Light 5", "The Storm 9", "The Boat 13"],
}  # fmt: skip


@pytest.mark.parametrize("kind", CONTENTS)
def test_the_front_and_the_back_of_a_pdf_are_recognised(
    document: Callable[..., Document], kind: str
) -> None:
    chapters = []
    for number, title in enumerate(["The Light", "The Storm", "The Boat"], 1):
        head = [title] if kind == "titles alone" else [f"Chapter {number}", title]
        prose = [
            f"It was day {number} on the mole, and the keeper of the light went out to look",
            f"at the sea, which lay as it had lain on day {number} of the year before.",
        ]
        chapters.append([*head, "", *prose])  # fmt: skip
    index = ["INDEX", "", *(f"{word}, {n}, {n + 3}" for n, word in enumerate(
        ["boats", "foam", "gulls", "lamps", "oil", "storms"], 4))]  # fmt: skip
    made = planned(document(page_texts([FRONT, CONTENTS[kind], *chapters, index]), "a.pdf"))
    assert [title.removeprefix(f"Chapter {n}. ") for n, title in enumerate(made.chapter_titles, 1)
            ] == ["The Light", "The Storm", "The Boat"]  # fmt: skip
    text = " ".join(chunk.text for chunk in made.chunks)
    assert text.startswith("THE LIGHTHOUSE Ann Writer Chapter 1" if kind != "titles alone" else
                           "THE LIGHTHOUSE Ann Writer The Light")  # fmt: skip
    assert text.endswith("of the year before.")
    reasons = {skip.reason for skip in made.skipped}
    assert {"table of contents", "copyright page", "index"} <= reasons


def test_pride_and_prejudice_reads_from_pdf_as_from_text() -> None:
    def words(document: Document) -> Counter[str]:
        text = " ".join(chunk.text for chunk in plan(document).chunks)
        return Counter(re.findall(r"[^\W_]+", text.lower()))

    pdf = read(book("pdf/pride-and-prejudice_1342.pdf"))
    told, written = words(pdf), words(read(book("en/pride-and-prejudice_1342-0.txt")))
    assert [chapter.title for chapter in pdf.chapters] == [f"Chapter {n}" for n in range(1, 62)]
    assert (told & written).total() > 0.999 * max(told.total(), written.total())


def test_hidden_words_of_a_word_document_are_not_spoken(document: Callable[..., Document]) -> None:
    hidden = "<w:r><w:rPr><w:vanish/></w:rPr><w:t> not this</w:t></w:r>"
    body = f"<w:p><w:r><w:t>Only</w:t></w:r>{hidden}<w:r><w:t> this.</w:t></w:r></w:p>"
    made = planned(document(docx(body), "a.docx"))
    assert [chunk.text for chunk in made.chunks] == ["Only this."]
