"""`narrate redo BOOK 12 40-42`: speak chosen chunks again."""

from __future__ import annotations

from typing import Annotated

import typer

from narrate.cli.book import print_result, run
from narrate.config import Selection, Settings
from narrate.errors import UsageError

__all__ = ["redo"]


def redo(
    book: Annotated[
        str, typer.Argument(metavar="BOOK", help="A book's name, its document or its folder.")
    ],
    chunks: Annotated[
        list[str],
        typer.Argument(metavar="CHUNK...", help="Chunks by position, such as 12 or 40-42."),
    ],
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="N", help="The attempt to take, instead of the next one."),
    ] = None,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks and Prefect's own log.")
    ] = False,
) -> None:
    """Speak chosen chunks of a book again, with another attempt's seed.

    `narrate plan FILE` and the end of a run name chunks by their positions.

    Examples:

        narrate redo book 12 40-42

        narrate redo book 12 --seed 7
    """
    from narrate import studio
    from narrate.store import Store

    if seed is not None and seed < 0:
        raise UsageError(f"--seed {seed} is below 0", remedy="use 0 or more")
    settings = Settings.from_environment()
    chosen = Selection.parse(",".join(chunks), where="CHUNK")
    with Store(settings) as store:
        book = studio.book_called(store, book).id
        with store.leases.hold(book):
            job = studio.redo(store, book, chosen, seed)
            delivered = run(store, settings, job, debug)
    print_result(delivered)
