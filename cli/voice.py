"""`narrate voice`: the voices kept by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from narrate.cli import check, options
from narrate.cli.words import duration
from narrate.config import Settings

__all__ = ["voices"]

voices = typer.Typer(no_args_is_help=True, help="Keep voices by name, and look at them.")

Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]

voices.command("check")(check.check)


@voices.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call the voice.")],
    recording: Annotated[str, typer.Argument(metavar="FILE", help="A recording of the voice.")],
    voice_text: options.VoiceText = None,
    voice_text_file: options.VoiceTextFile = None,
    debug: Debug = False,
) -> None:
    """Keep a copy of a recording and its transcript, for `--voice NAME`.

    Examples:

        narrate voice add anna recordings/anna.wav --voice-text-file anna.txt
    """
    from narrate.speech.registry import add_voice
    from narrate.speech.voice import VoiceRequest, transcript_of

    path = Path(recording).expanduser()
    words = transcript_of(VoiceRequest(recording, voice_text, voice_text_file), path)
    kept = add_voice(Settings.from_environment().home, name, path, words)
    said = "no transcript" if words is None else f"a transcript of {len(words)} characters"
    typer.echo(f"{kept.name}: {duration(kept.duration_s)} of speech, {said}", err=True)


@voices.command("list")
def list_voices(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    debug: Debug = False,
) -> None:
    """List the voices kept by name.

    Examples:

        narrate voice list --json
    """
    from narrate.speech.registry import kept_voices

    kept = kept_voices(Settings.from_environment().home)
    if as_json:
        values = [
            {
                "name": voice.name,
                "recording": str(voice.recording),
                "transcript": voice.transcript,
                "duration_s": voice.duration_s,
                "came_from": voice.came_from,
            }
            for voice in kept
        ]
        typer.echo(json.dumps(values, indent=1, ensure_ascii=False))
        return
    for voice in kept:
        words = "no transcript" if voice.transcript is None else f'"{voice.transcript[:50]}"'
        typer.echo(f"{voice.name:20} {duration(voice.duration_s):>8}  {words}")
    if not kept:
        typer.echo("No voice is kept yet: narrate voice add NAME FILE", err=True)


@voices.command("remove")
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The voice to forget.")],
    debug: Debug = False,
) -> None:
    """Forget a voice and its recording; what was spoken in it stays.

    Examples:

        narrate voice remove anna
    """
    from narrate.speech.registry import remove_voice

    remove_voice(Settings.from_environment().home, name)
    typer.echo(f"{name} is forgotten", err=True)
