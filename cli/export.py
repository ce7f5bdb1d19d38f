"""`narrate export BOOK`: other formats, tags or levels, without speaking again."""

from __future__ import annotations

from typing import Annotated

import typer

from narrate.cli import options
from narrate.cli.book import print_result
from narrate.config import Settings

__all__ = ["export"]


def export(
    book: Annotated[
        str, typer.Argument(metavar="BOOK", help="A book's name, its document or its folder.")
    ],
    formats: Annotated[
        str | None,
        typer.Option("--format", metavar="NAMES", help="Formats to add: mp3,m4b and the like."),
    ] = None,
    master: Annotated[
        str | None, typer.Option("--master", metavar="NAME", help="Levels: acx, podcast or none.")
    ] = None,
    title: options.Title = None,
    author: options.Author = None,
    narrator: options.Narrator = None,
    cover: options.Cover = None,
    series: options.Series = None,
    year: options.Year = None,
    description: options.Description = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Make other formats of a book that is spoken, or give its files other tags.

    Examples:

        narrate export book --format mp3,m4b

        narrate export book --title "Another title" --cover cover.jpg
    """
    from narrate import studio
    from narrate.store import Store

    changes = {
        "format": formats,
        "master": master,
        "title": title,
        "author": author,
        "narrator": narrator,
        "cover": cover,
        "series": series,
        "year": year,
        "description": description,
    }
    with Store(Settings.from_environment()) as store:
        book = studio.book_called(store, book).id
        with store.leases.hold(book):
            delivered = studio.export(store, book, changes, store.leases.stop_of(book))
    print_result(delivered)
