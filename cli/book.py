"""`narrate FILE`: the whole way from a document to its audiobook."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from narrate.cli import options
from narrate.cli.words import amount, duration, size
from narrate.config import Job, Settings
from narrate.errors import IncompleteError

if TYPE_CHECKING:
    from narrate.store import Store
    from narrate.studio import Delivered, Survey

__all__ = ["book", "print_result", "run"]


def book(
    document: Annotated[str, typer.Argument(metavar="FILE", help="The document to read.")],
    out: Annotated[
        str, typer.Option("--out", metavar="DIR", help="Where the book's folder is made.")
    ] = "outputs",
    voice: options.Voice = None,
    voice_text: options.VoiceText = None,
    voice_text_file: options.VoiceTextFile = None,
    voice_design: options.VoiceDesign = None,
    backend: options.Backend = "auto",
    model: options.Model = None,
    server: options.Server = None,
    concurrency: options.Concurrency = None,
    attention: options.Attention = None,
    batch_size: options.BatchSize = None,
    compile: options.Compile = None,
    tf32: options.Tf32 = False,
    cudnn_benchmark: options.CudnnBenchmark = False,
    precision: options.Precision = None,
    kernels: options.Kernels = None,
    weights: options.Weights = None,
    cuda_graphs: options.CudaGraphs = True,
    max_context: options.MaxContext = None,
    frames_per_character: options.FramesPerCharacter = None,
    language: Annotated[
        str | None,
        typer.Option("--language", metavar="xx", help="The document's language, such as en."),
    ] = None,
    speed: Annotated[
        float, typer.Option("--speed", metavar="X", help="How fast to speak, 0.5 to 2.")
    ] = 1.0,
    chapters: Annotated[
        str | None,
        typer.Option("--chapters", metavar="1-3,7", help="Only these chapters, by number."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="N", help="Another reading, from voices that vary."),
    ] = None,
    attempts: Annotated[
        int,
        typer.Option("--attempts", metavar="N", help="How often a bad take is tried, in all."),
    ] = 3,
    max_chars: Annotated[
        int, typer.Option("--max-chars", metavar="N", help="The longest chunk, in characters.")
    ] = 300,
    include: options.Include = None,
    format: options.Formats = "wav",
    master: options.Master = "acx",
    title: options.Title = None,
    author: options.Author = None,
    narrator: options.Narrator = None,
    cover: options.Cover = None,
    series: options.Series = None,
    year: options.Year = None,
    description: options.Description = None,
    lexicon: options.Lexicon = None,
    read_as_written: options.ReadAsWritten = False,
    code: options.Code = "skip",
    verify_asr: options.VerifyAsr = None,
    workers: options.Workers = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Speak again what is done; write among foreign files."),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks and Prefect's own log.")
    ] = False,
) -> None:
    """Narrate a document into one WAV a chapter and one for the whole book.

    A run that was stopped goes on where it ended when the same command is given again.

    Examples:

        narrate data/tokenization-tutorial.md

        narrate book.txt --chapters 1-3 --speed 1.1 --out audiobooks

        narrate book.txt --voice me.wav --voice-text "What I say in the recording."
    """
    asked = locals()
    from narrate import studio
    from narrate.store import Store

    job = Job(**{field.name: asked[field.name] for field in fields(Job)})
    settings = Settings.from_environment()
    with Store(settings) as store:
        if dry_run:
            _print_survey(studio.survey(store, job))
            return
        delivered = studio.finished(store, job)
        if delivered:
            typer.echo("Nothing to do: it is all there.", err=True)
        else:
            started = time.monotonic()
            with store.leases.hold(studio.find_book(store, job).book.id):
                delivered = run(store, settings, job, debug)
            took_s = time.monotonic() - started
            typer.echo(
                f"{amount(len(delivered.chapters), 'chapter')}, {duration(delivered.audio_s)} "
                f"of audio in {duration(took_s)}",
                err=True,
            )
    print_result(delivered)


def run(store: Store, settings: Settings, job: Job, debug: bool) -> Delivered:
    """Plan while Prefect's server starts, then run the flow with a view of its progress."""
    from httpx import HTTPError

    from narrate import studio
    from narrate.cli.progress import ProgressView
    from narrate.flows.server import lost, prefect_server, without_heartbeats
    from narrate.studio.crew import standing_by

    with ExitStack() as stack:
        ready = stack.enter_context(prefect_server(settings, debug=debug))
        opened = studio.find_book(store, job)
        stack.enter_context(standing_by(settings, opened.book.id, job))
        studio.plan_book(store, job, opened)
        # Importing Prefect takes a second: after the plan, and still beside the server's start.
        from narrate.flows.book import narrate_book
        from narrate.tasks.progress import listening

        ready(partial(studio.import_ahead, store, opened.book.id))
        try:
            with without_heartbeats(settings), ProgressView() as view, listening(view.show):
                return studio.Delivered.from_values(narrate_book(**job.parameters()))
        except HTTPError as error:
            if whole := studio.finished(store, job):  # only the run's history is not
                return whole
            raise lost(settings, error) from error


def _print_survey(found: Survey) -> None:
    typer.echo(f"Title      {found.title} ({found.language})")
    typer.echo(f"Chapters   {found.selected} of {found.chapters}")
    typer.echo(f"Chunks     {found.chunks:,}, {found.cached:,} of them in the store")
    typer.echo(f"Audio      about {duration(found.audio_s)}")
    typer.echo(f"Disk       about {size(found.disk_bytes)}")
    typer.echo(f"Folder     {found.folder}")


def print_result(delivered: Delivered) -> None:
    """Print the path of what was made; IncompleteError when some of it is marked as bad."""
    whole = len(delivered.chapters) == delivered.of_chapters
    for path in delivered.files if whole else ():
        typer.echo(path)
    if not whole:
        _print_chapters(delivered)
    if delivered.findings:
        typer.echo("\n".join(f"check: {one}" for one in delivered.findings[:20]), err=True)
    if delivered.faults:
        named = ", ".join(f"{position} ({fault})" for position, fault in delivered.faults[:20])
        more = len(delivered.faults) - 20
        positions = " ".join(str(position) for position, _ in delivered.faults[:20])
        raise IncompleteError(
            f"{amount(len(delivered.faults), 'chunk')} did not come out well: {named}"
            + (f" and {more} more" if more > 0 else ""),
            where=delivered.book_id,
            remedy=f"listen to them in {delivered.folder / 'report.html'}; "
            f"`narrate redo {delivered.book_id} {positions}` speaks them again",
        )
    if delivered.findings:
        raise IncompleteError(
            f"{amount(len(delivered.findings), 'fault')} in the finished files",
            where=str(delivered.folder),
            remedy=f"`narrate check {delivered.folder}` shows them",
        )


def _print_chapters(delivered: Delivered) -> None:
    by_itself = delivered.chapters if "wav" in delivered.waiting or not delivered.files else ()
    for path in (*delivered.files, *by_itself):
        typer.echo(path)
    done = f"{len(delivered.chapters)} of {amount(delivered.of_chapters, 'chapter')} done"
    waiting = ", ".join(delivered.waiting)
    typer.echo(f"{done}; made when all are there: {waiting}." if waiting else f"{done}.", err=True)
