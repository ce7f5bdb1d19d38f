"""`narrate clean`: removes takes that no book uses."""

from __future__ import annotations

from typing import Annotated

import typer

from narrate.cli.words import amount, size
from narrate.config import Settings

__all__ = ["clean"]


def clean(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Remove takes that no book uses any more, and files that a crash left behind.

    Examples:

        narrate clean --dry-run
    """
    from narrate.store import Store
    from narrate.studio.crew import old_logs

    settings = Settings.from_environment()
    with Store(settings) as store:
        unused = store.takes.unused()
        if not dry_run:
            store.takes.remove(unused)
    logs = old_logs(settings)
    if not dry_run:
        for path in logs:
            path.unlink(missing_ok=True)
    done = "would be removed" if dry_run else "removed"
    typer.echo(
        f"{amount(len(unused.keys), 'take')} and "
        f"{amount(len(unused.files) + len(logs), 'stray file')} {done}, "
        f"{size(unused.size_bytes + sum(logs.values()))}"
    )
