"""The page that a run leaves: its tables say what the book says, and nothing in a title acts."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from narrate.studio.summary import ChapterSummary, Summary
from narrate.tasks.summary import as_markdown

TITLES = [
    "I. Of pipes | and \\ backslashes",
    "<img src=https://example.org/seen.png>",
    "![](https://example.org/seen.png) [a link](https://example.org)",
    "*Stars*, _lines_, `ticks`, ~~strikes~~ & # signs!",
]


@pytest.mark.parametrize("title", TITLES)
def test_a_title_stands_on_the_page_as_it_is_written(title: str) -> None:
    part = ChapterSummary(1, title, 2.0, 3, 3, 0, ((2, "silent"),), 0.0)
    page = MarkdownIt("commonmark").enable("table")
    tokens = page.parse(as_markdown(Summary("b", title, (part,), 2.0, 1.0, ())))
    told = [token.children or [] for token in tokens if token.type == "inline"]
    plain = ["".join(child.content for child in children) for children in told]
    assert (plain[0], plain.count(title)) == (title, 2)
    assert {child.type for children in told for child in children} <= {"text", "text_special"}
