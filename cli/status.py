"""`narrate status`: what is done, what is left, and where; from the store alone."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from narrate.cli.words import amount, duration
from narrate.config import Job, Settings

if TYPE_CHECKING:
    from narrate.store import Book, Store

__all__ = ["status"]


def status(
    book: Annotated[
        str | None,
        typer.Argument(metavar="[BOOK]", help="A book's name, its document or its folder."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Show every book, or one book chapter by chapter.

    Examples:

        narrate status

        narrate status tokenization-tutorial --json
    """
    from narrate import studio
    from narrate.store import Store

    with Store(Settings.from_environment()) as store:
        found = studio.books_called(store, book) if book else store.books()
        facts = [_facts(store, one) for one in found]
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False, indent=1))
    elif not facts:
        typer.echo("No book yet. `narrate FILE` makes one.")
    else:
        for one in facts:
            typer.echo("\n".join(_lines(one, chapters=book is not None)))


def _facts(store: Store, book: Book) -> dict[str, Any]:
    outputs = store.outputs(book.id)
    formats = Job(**(book.job or {"document": ""})).formats
    whole, kinds = outputs.get(("book", 0)), {kind.partition(".")[0] for kind, _ in outputs}
    chapters: list[dict[str, Any]] = [
        {
            "number": part.number,
            "title": part.title,
            "chunks": part.chunks,
            "done": part.done,
            "audio_s": round(part.audio_s, 3),
            "wav": str(outputs["chapter", part.number].path)
            if ("chapter", part.number) in outputs
            else None,
        }
        for part in store.progress(book.id)
    ]
    return {
        "book": book.id,
        "title": book.metadata.title,
        "source": str(book.source_path),
        "folder": str(book.folder),
        "chunks": sum(part["chunks"] for part in chapters),
        "done": sum(part["done"] for part in chapters),
        "audio_s": round(sum(part["audio_s"] for part in chapters), 3),
        "running": store.leases.holder(book.id),
        "workers": [asdict(worker) for worker in store.leases.workers(book.id)],
        "formats": formats,
        "waiting": [form for form in formats if ("book" if form == "wav" else form) not in kinds],
        "wav": str(whole.path) if whole else None,
        "chapters": chapters,
    }


def _lines(facts: dict[str, Any], *, chapters: bool) -> list[str]:
    stitched = len([part for part in facts["chapters"] if part["wav"]])
    left = facts["chunks"] - facts["done"]
    if facts["running"]:
        state = f"being narrated by {facts['running']}"
    elif left:
        state = f"{amount(left, 'chunk')} left; narrate {facts['source']} goes on"
    elif stitched < len(facts["chapters"]):
        state = f"spoken, not all stitched; narrate {facts['source']} goes on"
    elif facts["waiting"]:
        forms = ", ".join(facts["waiting"])
        state = f"stitched, not yet made: {forms}; narrate {facts['source']} goes on"
    else:
        state = "finished"
    lines = [
        f"{facts['book']}: {facts['done']:,} of {amount(facts['chunks'], 'chunk')}, {stitched} of "
        f"{amount(len(facts['chapters']), 'chapter')} as WAV, "
        f"{duration(facts['audio_s'])} of audio: {state}",
        f"    {facts['wav'] or facts['folder']}",
    ]
    lines += [
        f"    {worker['name']} speaks {amount(worker['chunks'], 'chunk')} from chapter "
        f"{worker['chapter']} on"
        for worker in facts["workers"]
        if worker["chunks"]
    ]
    if chapters:
        lines += [
            f"    {part['number']:4}  {part['done']:5}/{part['chunks']:<5}  "
            f"{duration(part['audio_s']):>12}  {'wav' if part['wav'] else '   '}  {part['title']}"
            for part in facts["chapters"]
        ]
    return lines
