"""`narrate check OUTPUT`: are these files fit to be listened to, and to be sold?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from narrate.cli.words import amount, duration
from narrate.config import Settings
from narrate.errors import IncompleteError, InputError

if TYPE_CHECKING:
    from narrate.studio import Verdict

__all__ = ["check", "table"]


def check(
    output: Annotated[
        str,
        typer.Argument(
            metavar="OUTPUT", help="A folder, one audio file, or a book's name or document."
        ),
    ],
    master: Annotated[
        str | None, typer.Option("--master", metavar="NAME", help="Limits: acx, podcast or none.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with all measures.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Measure the finished files of an audiobook, ours or not; ends with 9 where faults are found.

    Examples:

        narrate check outputs/book

        narrate check audiobook.m4b --json
    """
    from narrate import studio

    place = _place(output)
    verdict = studio.check(place, master)
    typer.echo(json.dumps(verdict.as_values(), indent=1) if as_json else table(verdict))
    if not verdict.good:
        faults = verdict.all_faults()
        raise IncompleteError(
            f"{amount(len(faults), 'fault')} found: {faults[0]}",
            where=str(place),
            remedy="the table names them all; --json gives every measure",
        )


def _place(output: str) -> Path:
    """Where the files lie: what is named, or the folder of the book that is."""
    from narrate import studio
    from narrate.audio.listen import SUFFIXES
    from narrate.store import Store

    place = Path(output).expanduser().absolute()
    if place.is_dir() or place.suffix.lower() in SUFFIXES:
        return place
    with Store(Settings.from_environment()) as store:
        try:
            return studio.book_called(store, output).folder
        except InputError:
            return place


def table(verdict: Verdict) -> str:
    """Return a line a chapter, and under it what is wrong with it."""
    lines = [
        f"{'file':30} {'chapter':24} {'length':>11} {'RMS':>6} {'peak':>6} {'floor':>6} "
        f"{'head':>5} {'tail':>5}"
    ]
    for one in verdict.files:
        name = verdict.name(one)
        shown = name if len(name) <= 30 else f"…{name[-29:]}"
        for row in one.rows:
            heard = row.heard
            lines.append(
                f"{shown:30} {row.chapter[:24]:24} "
                f"{duration(heard.duration_s):>11} {heard.rms_dbfs:6.1f} {heard.peak_dbfs:6.1f} "
                f"{heard.floor_dbfs:6.1f} {heard.head_s:5.2f} {heard.tail_s:5.2f}"
                f"{'' if row.faults else '  ok'}"
            )
            lines += [f"    {fault}" for fault in row.faults]
        lines += [f"    {name}: {fault}" for fault in one.faults]
    lines += [f"    {fault}" for fault in verdict.faults]
    return "\n".join(lines)
