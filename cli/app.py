"""The command line's frame: its commands, its default command, and the one edge for errors."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from narrate import __version__
from narrate.cli import bench, book, clean, doctor, export, plan, redo, status, verdict
from narrate.cli.voice import voices
from narrate.errors import NarrateError, StorageError, UsageError
from narrate.files import is_full
from narrate.stop import (
    INTERRUPTED,
    STOPPED,
    TERMINATED,
    asked,
    install,
    is_told,
    must_leave_at_once,
    quiet_the_rest,
    reached_the_edge,
)

__all__ = ["app", "run"]

DEFAULT_COMMAND = "book"


class _DocumentFirst(TyperGroup):
    """A group where `narrate FILE` means `narrate book FILE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command in front of words that name no command."""
        own = {name for parameter in self.params for name in parameter.opts} | {"--help"}
        words = [word for word in args if word not in own]
        if words and words[0] not in self.commands:
            args = [DEFAULT_COMMAND, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_DocumentFirst,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Turn a document into an audiobook. `narrate FILE` is short for `narrate book FILE`.",
    epilog="Exit codes: 0 done, 2 usage, 3 document, 4 output, 5 storage, 6 busy, 7 voice, "
    "8 backend, 9 bad chunks, 130 Ctrl-C, 143 SIGTERM.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"narrate {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Hold the options of the group itself."""


app.command("book")(book.book)
app.command("plan")(plan.plan)
app.command("status")(status.status)
app.command("redo")(redo.redo)
app.command("check")(verdict.check)
app.command("export")(export.export)
app.command("clean")(clean.clean)
app.command("doctor")(doctor.doctor)
app.add_typer(voices, name="voice")
app.add_typer(bench.benches, name="bench")


def run() -> None:
    """Run the command; every error becomes one line and an exit code."""
    debug = "--debug" in sys.argv
    install()
    _show_any_name()
    try:
        code: Any = app(standalone_mode=False)
    except NarrateError as error:
        if debug:
            raise
        _fail(str(error))
        code = error.exit_code
    except typer.TyperException as error:
        _fail_by_words(getattr(error, "format_message", error.__str__)())
        code = getattr(error, "exit_code", UsageError.exit_code)
    except (KeyboardInterrupt, typer.Abort, SystemExit) as stop:
        if debug and not isinstance(stop, SystemExit):
            raise
        code = stop.code if isinstance(stop, SystemExit) else INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has left; Python must not complain when it flushes at the end.
        _write_no_more()
        code = 1
    except Exception as error:
        if debug:
            raise
        code = asked() or _explain(error)
    finally:
        reached_the_edge()
    if code in (INTERRUPTED, TERMINATED) and not is_told():
        quiet_the_rest()
        typer.echo(STOPPED, err=True)
    _leave(code if isinstance(code, int) else 0)


def _leave(code: int) -> NoReturn:
    if must_leave_at_once():
        with suppress(OSError):
            sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


def _show_any_name() -> None:
    """A name that the output's encoding lacks is no reason to fail after hours of work."""
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _write_no_more() -> None:
    """Let Python flush its output at the end to where nothing complains."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _said_by_the_system(error: Exception) -> str:
    """What a failure of the machine means for who sits before it; nothing for any other."""
    if isinstance(error, OSError) and is_full(error):
        if error.filename is None:  # a redirected output
            _write_no_more()
        where = f" ({error.filename})" if error.filename else ""
        return f"{error.strerror}{where}. Make room, then run the same command again to go on"
    try:
        Path.cwd()
    except FileNotFoundError:  # whatever the error is: Python 3.13 makes a SystemError of it
        return "the current folder has been removed. Change to another one, and run it again there"
    return ""


def _explain(error: Exception) -> int:
    said = _said_by_the_system(error)
    _fail(said or f"{type(error).__name__}: {error}. This is a fault in narrate; see --debug")
    return StorageError.exit_code if said else 1


def _fail_by_words(said: str) -> None:
    """Say what is wrong with the command's words; without any, its help has been shown already."""
    if said:
        _fail(f"{said.rstrip('.')}. `narrate --help` lists the commands and options")


def _fail(message: str) -> None:
    line = " ".join(message.split())
    typer.echo(f"narrate: {line}", err=True)
