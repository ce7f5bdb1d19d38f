"""`narrate plan FILE`: the chunks of a document, without speaking."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from narrate.cli import options
from narrate.config import Settings

if TYPE_CHECKING:
    from narrate.core import Plan
    from narrate.text import Coverage

__all__ = ["plan"]


def plan(
    document: Annotated[str, typer.Argument(metavar="FILE", help="The document to read.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, a stable format for other programs.")
    ] = False,
    max_chars: Annotated[
        int, typer.Option("--max-chars", metavar="N", help="The longest chunk, in characters.")
    ] = 300,
    language: Annotated[
        str | None,
        typer.Option("--language", metavar="xx", help="The document's language, such as en."),
    ] = None,
    include: options.Include = None,
    lexicon: options.Lexicon = None,
    read_as_written: options.ReadAsWritten = False,
    code: options.Code = "skip",
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Account for every character of the source.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Only what is spoken otherwise than it is written.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Print what would be spoken, chunk by chunk, and what would be skipped.

    Examples:

        narrate plan data/tokenization-tutorial.md

        narrate plan book.txt --json --max-chars 200

        narrate plan book.epub --coverage

        narrate plan book.txt --diff --lexicon words.tsv
    """
    from narrate import text

    wanted = text.PlanOptions(
        max_chars=max_chars,
        language=language,
        include=text.included(include),
        lexicon=text.own_words(lexicon, Settings.from_environment().lexicon),
        as_written=read_as_written,
        code=code,
    )
    source = text.read(Path(document))
    made = text.plan(source, wanted)
    for note in made.notes:
        typer.echo(f"narrate: {note}", err=True)
    if coverage:
        typer.echo(_account(text.coverage(source, made)))
        return
    if diff:
        typer.echo(_differences(made))
        return
    typer.echo(json.dumps(_values(made), ensure_ascii=False, indent=1) if as_json else _lines(made))


def _values(made: Plan) -> dict[str, Any]:
    """Return the public format; keys are only ever added to it."""
    return {
        "format": 1,
        "title": made.title,
        "author": made.author,
        "language": made.language,
        "chapters": [
            {"number": number, "title": title}
            for number, title in enumerate(made.chapter_titles, 1)
        ],
        "chunks": [
            {
                "position": chunk.position,
                "chapter": chunk.chapter,
                "text": chunk.text,
                "spoken": chunk.spoken,
                "pause_s": chunk.pause_after_s,
                "source": [chunk.span.start, chunk.span.end],
            }
            for chunk in made.chunks
        ],
        "skipped": [
            {"source": [part.span.start, part.span.end], "reason": part.reason}
            for part in made.skipped
        ],
        "notes": list(made.notes),
    }


def _lines(made: Plan) -> str:
    lines = [f"{made.title} ({made.language})"]
    chapter = 0
    for chunk in made.chunks:
        if chunk.chapter != chapter:
            chapter = chunk.chapter
            lines += ["", f"Chapter {chapter}: {made.chapter_titles[chapter - 1]}".rstrip(": ")]
        lines.append(f"{chunk.position:6}  {chunk.pause_after_s:4.2f} s  {chunk.spoken}")
    skipped: dict[str, int] = {}
    for part in made.skipped:
        skipped[part.reason] = skipped.get(part.reason, 0) + part.span.end - part.span.start
    if skipped:
        lines += ["", "Not spoken:"]
        lines += [f"{count:8,} characters  {reason}" for reason, count in sorted(skipped.items())]
    return "\n".join(lines)


def _account(found: Coverage) -> str:
    """Return what became of the characters that are not white space; a plan loses none."""
    lines = [f"{found.spoken:10,} characters  spoken"]
    lines += [
        f"{count:10,} characters  {reason}" for reason, count in sorted(found.skipped.items())
    ]
    lost = sum(span.end - span.start for span in found.unaccounted)
    return "\n".join([*lines, f"{lost:10,} characters  unaccounted for"])


def _differences(made: Plan) -> str:
    lines: list[str] = []
    for chunk in made.chunks:
        if chunk.spoken != chunk.text:
            lines += [f"{chunk.position:6}  - {chunk.text}", f"        + {chunk.spoken}"]
    return "\n".join(lines)
