"""`narrate voice check FILE`: is this recording good to take a voice from?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from narrate.cli import options
from narrate.config import Settings
from narrate.errors import VoiceError

if TYPE_CHECKING:
    from narrate.speech.preflight import Finding

__all__ = ["check"]


def check(
    recording: Annotated[
        str, typer.Argument(metavar="FILE", help="A recording, or the name of a kept voice.")
    ],
    voice_text: options.VoiceText = None,
    voice_text_file: options.VoiceTextFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Measure a recording of a voice and say what to improve; ends with 7 if it is unusable.

    Examples:

        narrate voice check me.wav --voice-text "What I say in the recording."

        narrate voice check me.wav --json
    """
    from narrate.speech.preflight import Severity, preflight, worst
    from narrate.speech.registry import kept_voice
    from narrate.speech.voice import VoiceRequest, transcript_of

    kept = kept_voice(Settings.from_environment().home, recording)
    path = kept.recording if kept else Path(recording).expanduser()
    words = transcript_of(VoiceRequest(recording, voice_text, voice_text_file), path)
    measures, findings = preflight(path, kept.transcript if kept and words is None else words)
    verdict = worst(findings)
    if as_json:
        values = {
            "recording": str(path),
            "verdict": verdict,
            "measures": asdict(measures),
            "findings": [asdict(finding) for finding in findings],
        }
        typer.echo(json.dumps(values, indent=1))
    else:
        typer.echo("\n".join(_lines(findings)))
    if verdict is Severity.UNUSABLE:
        worse = next(one for one in findings if one.severity is Severity.UNUSABLE)
        raise VoiceError(
            f"no good voice comes from this recording ({worse.name}: {worse.found})",
            where=str(path),
            remedy=worse.advice,
        )


def _lines(findings: Sequence[Finding]) -> list[str]:
    lines = []
    for one in findings:
        lines.append(f"{one.name:12} {one.severity:10} {one.found}")
        if one.advice:
            lines.append(f"{'':23} {one.advice}")
    return lines
