"""`narrate bench`: measurements, and what comes after them; options from `narrate.bench.asked`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from narrate.bench.asked import COMMANDS, Asked, Word, words_of
from narrate.cli.words import duration
from narrate.stop import reached_the_edge, tell

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from narrate.bench.results import Cell
    from narrate.bench.watchers import Lines

__all__ = ["benches"]

benches = typer.Typer(
    no_args_is_help=True, help="Measure this machine: speaking, attention, and the other parts."
)
_SHOWN = 12


class _Table:
    """The latest cells in a table that stays in its place, with the time that is left."""

    def __init__(self, console: Console) -> None:
        from rich.live import Live

        begun = "getting ready: libraries, weights, a voice"
        self.live = Live(begun, console=console, transient=True, refresh_per_second=4)
        self.cells: dict[str, Cell] = {}
        self.planned = self.done = 0
        self.left_s: float | None = None
        self.now: Cell | None = None

    def __enter__(self) -> Self:
        self.live.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.live.stop()

    def begin(self, cells: Sequence[Cell], runs: int) -> None:
        """Know how much is planned."""
        self.planned = runs
        self.live.update(self._drawn())

    def runs(self, cell: Cell) -> None:
        """Show what is at work."""
        self.now = cell
        self.live.update(self._drawn())

    def ran(self, cell: Cell, left_s: float | None) -> None:
        """Show a cell as the latest."""
        self.done += 1
        self.left_s = left_s
        name = f"{cell.group} {cell.name}"
        self.cells.pop(name, None)
        self.cells[name] = cell
        self.live.update(self._drawn())

    def _drawn(self) -> Table:
        from rich.table import Table

        from narrate.bench.watchers import said

        left = "" if self.left_s is None else f", {duration(self.left_s)} left"
        now = "" if self.now is None else f"now {self.now.group}: {self.now.name}"
        table = Table(title=f"{self.done}/{self.planned} runs{left}", caption=now)
        table.title_justify = table.caption_justify = "left"
        for name in ("table", "cell", "runs", "median"):
            table.add_column(name)
        for cell in list(self.cells.values())[-_SHOWN:]:
            table.add_row(cell.group, cell.name, str(len(cell.counted)), said(cell))
        return table


def _watcher() -> _Table | Lines:
    from rich.console import Console

    from narrate.bench.watchers import Lines

    console = Console(stderr=True)
    return _Table(console) if console.is_terminal else Lines()


def _run(kind: type, given: dict[str, Any]) -> None:
    from narrate.bench.afterwards import afterwards, told

    asked = kind(**given)
    if not isinstance(asked, Asked):
        typer.echo(afterwards(asked))
        return
    from narrate.bench.command import Stopped, measure_part

    try:
        with _watcher() as watch:
            folder = measure_part(asked, watch, reached_the_edge)
    except Stopped as stopped:
        typer.echo(f"what was measured is in {stopped.folder}", err=True)
        tell()
        raise typer.Exit(stopped.exit_code) from None
    except (KeyboardInterrupt, SystemExit):
        typer.echo("stopped before anything was measured", err=True)
        tell()
        raise
    typer.echo(told(folder), err=True)
    typer.echo(folder)


def _annotation(word: Word) -> Any:
    kind: Any = word.kind
    if word.argument:
        return Annotated[kind, typer.Argument(metavar=word.metavar, help=word.said)]
    if word.kind is bool:
        return Annotated[bool, typer.Option(word.option, help=word.said)]
    return Annotated[kind | None, typer.Option(word.option, metavar=word.metavar, help=word.said)]


def _command(kind: type) -> Callable[..., None]:
    """A function with the signature that typer reads, made from the fields of `kind`."""

    def command(**given: Any) -> None:
        given.pop("debug")
        _run(kind, given)

    parameters = [
        inspect.Parameter(
            word.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if word.argument else word.default,
            annotation=_annotation(word),
        )
        for word in words_of(kind)
    ]
    debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
    parameters.append(
        inspect.Parameter("debug", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=debug)
    )
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    command.__doc__ = inspect.getdoc(kind)
    return command


for _name, _kind in COMMANDS.items():
    benches.command(_name)(_command(_kind))
