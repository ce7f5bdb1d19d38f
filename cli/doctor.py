"""`narrate doctor`: what this machine can speak with, what is missing, and what to do about it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from narrate.cli import options
from narrate.config import Settings

if TYPE_CHECKING:
    from narrate.speech.diagnosis import Diagnosis

__all__ = ["doctor"]


def doctor(
    model: options.Model = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Look at everything a book needs; ends with 1 if something is broken.

    Examples:

        narrate doctor

        narrate doctor --model models/my-checkpoint --json
    """
    from narrate.studio.doctor import examine

    found = examine(Settings.from_environment(), model)
    if as_json:
        values = {
            "broken": found.broken,
            "machine": asdict(found.machine),
            "findings": [asdict(finding) for finding in found.findings],
        }
        typer.echo(json.dumps(values, indent=1, ensure_ascii=False))
    else:
        for finding in found.findings:
            typer.echo("\n".join(_lines(finding)))
    if found.broken:
        raise typer.Exit(1)


def _lines(finding: Diagnosis) -> list[str]:
    lines = [f"{finding.status:8} {finding.subject:28} {finding.found}"]
    if finding.advice:
        lines.append(f"{'':37} {finding.advice[0].upper()}{finding.advice[1:]}")
    return lines
