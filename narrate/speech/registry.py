"""The voices a user keeps by name: a copy of the recording and its transcript in the home.

voices/named/NAME.json   the transcript, and where the recording came from
voices/named/NAME.EXT    the recording
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from narrate.errors import VoiceError
from narrate.speech.files import in_turn, write_whole
from narrate.speech.reference import read_reference

__all__ = ["KeptVoice", "add_voice", "kept_voice", "kept_voices", "remove_voice"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class KeptVoice:
    """A voice kept by name; `came_from` is the file it was copied from."""

    name: str
    recording: Path
    transcript: str | None
    duration_s: float
    came_from: str


def _folder(home: Path) -> Path:
    return home / "voices" / "named"


def add_voice(home: Path, name: str, recording: Path, transcript: str | None) -> KeptVoice:
    """Keep a copy of a recording under a name; `VoiceError` for one that no voice comes from.

    Of two that add or remove at the same time one waits, so that a name never stands for the
    recording of one and the transcript of the other.
    """
    if not _NAME.fullmatch(name):
        raise VoiceError(
            f"{name!r} cannot be the name of a voice",
            remedy="use letters, digits, - and _, at most 64 of them",
        )
    reference = read_reference(recording)
    copy = _folder(home) / f"{name}{recording.suffix.lower() or '.audio'}"
    facts = {
        "recording": copy.name,
        "transcript": transcript,
        "duration_s": round(reference.duration_s, 3),
        "came_from": str(recording.absolute()),
    }
    words = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
    entry = _folder(home) / f"{name}.json"
    with in_turn(_folder(home) / ".lock"):
        if entry.exists():
            raise VoiceError(
                "a voice of this name is kept already",
                where=name,
                remedy=f"choose another name, or remove it first: narrate voice remove {name}",
            )
        write_whole(copy, recording.read_bytes())
        write_whole(entry, words.encode())
    kept = kept_voice(home, name)
    assert kept is not None  # it was written just now
    return kept


def kept_voice(home: Path, name: str) -> KeptVoice | None:
    """Return the voice of a name, None where there is none; `VoiceError` for a damaged entry."""
    entry = _folder(home) / f"{name}.json"
    if not _NAME.fullmatch(name) or not entry.is_file():
        return None
    try:
        facts = json.loads(entry.read_bytes())
        return KeptVoice(
            name,
            _folder(home) / str(facts["recording"]),
            facts["transcript"],
            float(facts["duration_s"]),
            str(facts["came_from"]),
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise VoiceError(
            "the entry of a kept voice is damaged",
            where=str(entry),
            remedy=f"remove it and add it again: narrate voice remove {name}",
        ) from error


def kept_voices(home: Path) -> list[KeptVoice]:
    """Return all voices kept by name, sorted."""
    names = sorted(entry.stem for entry in _folder(home).glob("*.json"))
    return [voice for name in names if (voice := kept_voice(home, name))]


def remove_voice(home: Path, name: str) -> None:
    """Forget a voice and its recording; takes spoken in it stay. `VoiceError` if there is none."""
    entry = _folder(home) / f"{name}.json"
    if not _NAME.fullmatch(name) or not entry.is_file():
        raise VoiceError(
            "there is no such voice", where=name, remedy="`narrate voice list` shows the voices"
        )
    with in_turn(_folder(home) / ".lock"):
        for path in _folder(home).glob(f"{name}.*"):
            path.unlink(missing_ok=True)
