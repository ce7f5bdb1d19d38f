"""What documents say about themselves is found in the ways in which people write it."""

from __future__ import annotations

from pathlib import Path

import pytest

from narrate.text.facts import front_matter_fields, year_of
from narrate.text.readers import html, md


@pytest.mark.parametrize(
    ("front", "fields"),
    [
        ("title: A lamp", {"title": "A lamp"}),
        ("title: \"A 'lamp'\"\nlang: de", {"title": "A 'lamp'", "language": "de"}),
        (
            "title: Lamps: a history\r\nauthor: Ann\r\n",
            {"title": "Lamps: a history", "author": "Ann"},
        ),
        ("authors: [Ann, 'Bob B.']\n---", {"author": "Ann, Bob B."}),
        (
            "author:\n  - Ann\n  - Bob\ndate: 2020-01-31",
            {"author": "Ann, Bob", "year": "2020-01-31"},
        ),
        ("author:\n- Ann\n- Bob\n---", {"author": "Ann, Bob"}),
        ("description: >\n  A keeper\n  and a boat.\n---", {"description": "A keeper and a boat."}),
        ("subtitle: no\n  title: inner", {}),
    ],
)
def test_front_matter_is_read_as_people_write_it(front: str, fields: dict[str, str]) -> None:
    assert front_matter_fields(front) == fields


@pytest.mark.parametrize(
    ("date", "year"), [("1813-01-28", 1813), (" 1813", 1813), ("0000", None), ("May 1813", None)]
)
def test_a_date_begins_with_its_year(date: str, year: int | None) -> None:
    assert year_of(date) == year


def test_markdown_and_pages_tell_what_they_are_about() -> None:
    front = "---\nyear: 1813\nseries: Lamps #2\ndescription: A keeper.\n---\n# One\n\nText.\n"
    found = md.read(front.encode(), Path("a.md"))
    assert (found.year, found.series, found.description) == (1813, "Lamps #2", "A keeper.")
    page = '<meta name=Author content="Ann"><meta name="description" content="A\nkeeper."><p>Text.'
    told = html.read(page.encode(), Path("a.html"))
    assert (told.author, told.description) == ("Ann", "A keeper.")
