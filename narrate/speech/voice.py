"""From what was asked for to the voice that speaks: a recording, a speaker's name, a description.

What identifies a cloned voice is what the model hears and reads: the decoded samples, the
transcript, the mode and the model. A recording is decoded once: what came out is remembered under
its path, size and time of change, so a later run knows the voice without opening the file.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from narrate.core import Voice, canonical_digest
from narrate.errors import VoiceError
from narrate.speech.files import write_whole
from narrate.speech.models import Checkpoint
from narrate.speech.plain import without_marks
from narrate.speech.reference import SILENCE_S, read_reference
from narrate.speech.registry import kept_voice

__all__ = ["SPEAKER_PREFIX", "OpenedVoice", "VoiceRequest", "open_voice", "transcript_of"]

SPEAKER_PREFIX = "qwen:"
# Raise it when a change of ours changes what a model is told about a voice.
_VERSION = 1
_MOST_CHARACTERS_PER_S = 40.0  # the fastest speakers say some 25
_X_VECTOR = (
    "there is no transcript, so only the sound of the voice is used, not its way of speaking; "
    "with --voice-text, --voice-text-file or a .txt beside the recording it comes closer"
)


@dataclass(frozen=True, slots=True)
class VoiceRequest:
    """What a user asked for; `voice` is a file, the name of a kept voice, or `qwen:SPEAKER`."""

    voice: str | None = None
    text: str | None = None
    text_file: str | None = None
    design: str | None = None

    @property
    def kind(self) -> str:
        """The kind of checkpoint that can speak with it."""
        if self.design is not None:
            return "voice_design"
        named = (self.voice or "").startswith(SPEAKER_PREFIX)
        return "custom_voice" if named else "base"


@dataclass(frozen=True, slots=True)
class OpenedVoice:
    """A voice and what its user should know about it."""

    voice: Voice
    notes: tuple[str, ...] = ()


def open_voice(
    request: VoiceRequest, home: Path, checkpoint: Checkpoint | None, model_digest: str = ""
) -> OpenedVoice:
    """Find out who speaks, loading no model; `VoiceError` for a voice that cannot be used.

    `home` is where voices are kept. Without a checkpoint (a server has it) nothing is asked of
    its kind, and `model_digest` stands for the model.
    """
    digest = checkpoint.digest if checkpoint else model_digest
    if request.design is not None:
        return OpenedVoice(_designed(request.design, checkpoint, digest))
    if request.kind == "custom_voice":
        return OpenedVoice(_speaker(request, checkpoint, digest))
    if checkpoint:
        checkpoint.require("base", f"the recording {request.voice}")
    return _cloned(request, home, digest)


def _designed(design: str, checkpoint: Checkpoint | None, digest: str) -> Voice:
    words = " ".join(without_marks(design).split())
    if not words:
        raise VoiceError(
            "the description of the voice is empty",
            where="--voice-design",
            remedy='describe it, such as --voice-design "a calm old man"',
        )
    if checkpoint:
        checkpoint.require("voice_design", "a description (--voice-design)")
    identity = canonical_digest({"version": _VERSION, "design": words, "model": digest})
    return Voice(name=words, digest=identity, instruct=words)


def _speaker(request: VoiceRequest, checkpoint: Checkpoint | None, digest: str) -> Voice:
    name = (request.voice or "").removeprefix(SPEAKER_PREFIX).strip().lower()
    if checkpoint:
        checkpoint.require("custom_voice", f"a named speaker ({request.voice})")
        if name not in checkpoint.speakers:
            raise VoiceError(
                f"the model has no speaker called {name!r}",
                where=str(checkpoint.folder),
                remedy="choose one of: "
                + ", ".join(SPEAKER_PREFIX + one for one in checkpoint.speakers),
            )
    if request.text is not None or request.text_file is not None:
        raise VoiceError(
            "a named speaker has no recording, so no transcript either",
            where=f"--voice {request.voice}",
            remedy="leave out --voice-text and --voice-text-file",
        )
    identity = canonical_digest({"version": _VERSION, "speaker": name, "model": digest})
    return Voice(name=f"{SPEAKER_PREFIX}{name}", digest=identity, speaker_name=name)


def _cloned(request: VoiceRequest, home: Path, model_digest: str) -> OpenedVoice:
    words = request.voice or ""
    kept = kept_voice(home, words)
    path = kept.recording if kept else Path(words).expanduser().absolute()
    text = transcript_of(request, path)
    if text is None and kept:
        text = kept.transcript
    heard = _heard(path, home)
    if text is not None and len(text) > _MOST_CHARACTERS_PER_S * heard.duration_s:
        raise VoiceError(
            f"the transcript has {len(text)} characters, more than anyone says in "
            f"{heard.duration_s:.1f} s",
            where=str(path),
            remedy="give the words that are said in the recording, and no others",
        )
    identity = canonical_digest(
        {
            "version": _VERSION,
            "samples": heard.samples_sha256,
            "silence_s": SILENCE_S,
            "text": text,
            "mode": "x-vector" if text is None else "icl",
            "model": model_digest,
        }
    )
    voice = Voice(
        name=kept.name if kept else path.stem,
        digest=identity,
        prompt_path=home / "voices" / f"{identity}.safetensors",
        reference_text=text,
        reference_path=path,
        reference_sha256=heard.samples_sha256,
    )
    return OpenedVoice(voice, heard.notes if text else (*heard.notes, _X_VECTOR))


def transcript_of(request: VoiceRequest, recording: Path) -> str | None:
    """The words of the recording: given, in a file, or in `me.txt` beside `me.wav`."""
    if request.text is not None and request.text_file is not None:
        raise VoiceError(
            "the transcript is given twice",
            where="--voice-text and --voice-text-file",
            remedy="leave one of them out",
        )
    if request.text is not None:
        text, where = request.text, "--voice-text"
    else:
        beside = recording.with_suffix(".txt")
        path = Path(request.text_file).expanduser() if request.text_file else beside
        where = str(path)
        if request.text_file is None and not beside.is_file():
            return None
        try:
            text = path.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise VoiceError(
                f"the transcript cannot be read: {error.strerror}",
                where=where,
                remedy="check the name, or give the words with --voice-text",
            ) from error
        except UnicodeDecodeError as error:
            raise VoiceError(
                "the transcript is not UTF-8 text", where=where, remedy="save it as UTF-8"
            ) from error
    words = " ".join(without_marks(text).split())
    if not words:
        raise VoiceError(
            "the transcript is empty",
            where=where,
            remedy="write down what is said in the recording, or leave the transcript out",
        )
    return words


@dataclass(frozen=True, slots=True)
class _Heard:
    """What is remembered of a recording."""

    samples_sha256: str
    duration_s: float
    notes: tuple[str, ...]


def _heard(path: Path, home: Path) -> _Heard:
    """Remember a recording by path, size and time of change, or decode it."""
    try:
        facts = path.stat()
    except OSError as error:
        raise VoiceError(
            f"there is no such voice: {error.strerror}",
            where=str(path),
            remedy="give a recording, qwen:SPEAKER, or a name that `narrate voice list` shows",
        ) from error
    if path.is_dir():
        raise VoiceError("a folder is not a recording", where=str(path), remedy="name a file in it")
    seen = [str(path), facts.st_size, facts.st_mtime_ns]
    note = home / "voices" / "heard" / f"{hashlib.sha256(str(path).encode()).hexdigest()}.json"
    known = _remembered(note, seen)
    if known:
        return known
    reference = read_reference(path)
    found = _Heard(
        reference.sha256,
        reference.duration_s,
        reference.notes,
    )
    value = {
        "seen": seen,
        "samples_sha256": found.samples_sha256,
        "duration_s": found.duration_s,
        "notes": list(found.notes),
    }
    write_whole(note, json.dumps(value).encode())
    return found


def _remembered(note: Path, seen: list[object]) -> _Heard | None:
    try:
        value = json.loads(note.read_bytes())
        if value["seen"] != seen:
            return None
        return _Heard(
            str(value["samples_sha256"]),
            float(value["duration_s"]),
            tuple(str(one) for one in value["notes"]),
        )
    except (OSError, ValueError, TypeError, KeyError):
        return None  # not there, or damaged: the recording is decoded again
