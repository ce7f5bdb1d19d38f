"""Everything a book needs, looked at one by one: what works here, what does not, what to do.

The speech model's part is a table of rules in `narrate.speech.machine_rules`; here is the rest.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

from narrate.audio import ffmpeg
from narrate.config import Settings
from narrate.core import Utterance
from narrate.errors import NarrateError
from narrate.speech.backend import SpeechOptions, open_backend
from narrate.speech.diagnosis import Diagnosis, Status, diagnose
from narrate.speech.machine import Machine, look_at_machine
from narrate.speech.machine_rules import RULES
from narrate.speech.models import KINDS, find_model, open_checkpoint
from narrate.speech.preview import preview_voice
from narrate.store import Store

__all__ = ["KNOWN_GOOD", "Checkup", "examine"]

# The ranges of pyproject.toml; a test holds them equal.
KNOWN_GOOD: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "prefect": ((3, 8, 8), (3, 10)),
    "fastapi": ((0, 139), (0, 151)),
    "sqlalchemy": ((2, 0, 40), (2, 1)),
}
_PREFECT_S = 120.0
_GB = 1_000_000_000
_ENOUGH_BYTES, _LEAST_BYTES = 10 * _GB, 1 * _GB
_REINSTALL = "install the pinned versions: pip install -c constraints.txt ."
# Prefect reads its environment when it is first imported; a folder of its own keeps ours clean.
_PREFECT_STARTS = """
import os, sys
os.environ.update(PREFECT_HOME=sys.argv[1], DO_NOT_TRACK="1", PREFECT_LOGGING_LEVEL="CRITICAL",
                  PREFECT_SERVER_ANALYTICS_ENABLED="false")
from prefect.server.api.server import create_app
create_app()
"""


@dataclass(frozen=True, slots=True)
class Checkup:
    """What was looked at: the machine as it is, and a finding for each part."""

    machine: Machine
    findings: tuple[Diagnosis, ...]

    @property
    def broken(self) -> bool:
        """Whether something that is needed does not work."""
        return any(finding.status is Status.BROKEN for finding in self.findings)


def examine(settings: Settings, model: str | None = None) -> Checkup:
    """Look at all parts at once; `model` is what `--model` would be. Changes and downloads nothing.

    The one exception: a database of an older version is migrated, as any command would do.
    """
    with ThreadPoolExecutor() as pool:
        machine = pool.submit(look_at_machine)
        rest = list(pool.map(lambda part: part(settings, model), _PARTS))
    found = diagnose(machine.result(), RULES)
    return Checkup(machine.result(), found + tuple(one for one in rest if one))


def _preview(_settings: Settings, _model: str | None) -> Diagnosis:
    try:
        with closing(open_backend("preview", SpeechOptions())) as backend:
            [spoken] = backend.speak(iter([Utterance("", "One.", "en", 0)]), preview_voice())
    except NarrateError as error:
        return _broken("preview voice", error)
    return Diagnosis("preview voice", Status.OK, f"speaks, at {spoken.rate_hz} Hz")


def _model(_settings: Settings, model: str | None) -> Diagnosis | None:
    if model is None:
        return None
    try:
        found = open_checkpoint(find_model(model, "base", download=False))
    except NarrateError as error:
        return _broken("model", error)
    speakers = f"; speakers: {', '.join(found.speakers)}" if found.speakers else ""
    return Diagnosis(
        "model",
        Status.OK,
        f"{found.size}, {found.kind}: it {KINDS[found.kind]}; languages: "
        f"{', '.join(found.languages)}{speakers}",
        details={
            "folder": str(found.folder),
            "kind": found.kind,
            "size": found.size,
            "languages": found.languages,
            "speakers": found.speakers,
            "dialects": dict(found.dialects),
            "rate_hz": found.rate_hz,
            "files_bytes": found.files_bytes,
        },
    )


def _ffmpeg(_settings: Settings, _model: str | None) -> Diagnosis:
    program = ffmpeg.program()
    if program is None:
        return Diagnosis(
            "ffmpeg",
            Status.NOTE,
            "not installed: no MP3, M4B or Opus, and recordings of a voice in few formats",
            ffmpeg.INSTALL,
        )
    try:
        done = subprocess.run([program, "-version"], capture_output=True, timeout=20, check=True)
    except (subprocess.SubprocessError, OSError) as error:
        return Diagnosis(
            "ffmpeg", Status.NOTE, f"{program} does not start: {error}", "install it again"
        )
    first = done.stdout.decode("utf-8", "replace").partition("Copyright")[0]
    return Diagnosis("ffmpeg", Status.OK, " ".join(first.split()))


def _disk(settings: Settings, _model: str | None) -> Diagnosis:
    """Judge the disk that the store is on, by the nearest folder that is there already."""
    folder = next(path for path in (settings.home, *settings.home.parents) if path.is_dir())
    free = shutil.disk_usage(folder).free
    found = f"{free / _GB:.1f} GB free for {settings.home}"
    if not os.access(folder, os.W_OK | os.X_OK):
        return Diagnosis(
            "disk",
            Status.BROKEN,
            f"{folder} is not writable",
            "make it writable, or set NARRATE_HOME to another folder",
        )
    if free < _LEAST_BYTES:
        advice = "free some space, or set NARRATE_HOME to a folder on another disk"
        return Diagnosis("disk", Status.BROKEN, found, advice)
    if free < _ENOUGH_BYTES:
        return Diagnosis("disk", Status.NOTE, found, "a long book takes some 10 GB in all")
    return Diagnosis("disk", Status.OK, found)


def _database(settings: Settings, _model: str | None) -> Diagnosis:
    file = settings.home / "narrate.db"
    if settings.database_url == f"sqlite:///{file}" and not file.exists():
        return Diagnosis("database", Status.OK, "none yet: the first book makes it")
    try:
        with Store(settings) as store:
            books = len(store.books())
            return Diagnosis("database", Status.OK, f"{store.database.where}, {books} books")
    except NarrateError as error:
        return _broken("database", error)


def _prefect(_settings: Settings, _model: str | None) -> Diagnosis:
    try:
        versions = {name: importlib.metadata.version(name) for name in KNOWN_GOOD}
    except importlib.metadata.PackageNotFoundError as error:
        return Diagnosis("prefect", Status.BROKEN, f"{error.name} is not installed", _REINSTALL)
    found = ", ".join(f"{name} {version}" for name, version in versions.items())
    foreign = [
        f"{name} {version}"
        for name, version in versions.items()
        if not KNOWN_GOOD[name][0] <= _numbers(version) < KNOWN_GOOD[name][1]
    ]
    why = _why_prefect_does_not_start()
    if why:
        return Diagnosis("prefect", Status.BROKEN, f"{found}: does not start: {why}", _REINSTALL)
    if foreign:
        return Diagnosis(
            "prefect",
            Status.NOTE,
            f"{found}: starts, but {', '.join(foreign)} is not known to work",
            _REINSTALL,
        )
    return Diagnosis("prefect", Status.OK, found)


def _why_prefect_does_not_start() -> str | None:
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-c", _PREFECT_STARTS, home]
        try:
            subprocess.run(command, capture_output=True, timeout=_PREFECT_S, check=True)
        except subprocess.TimeoutExpired:
            return f"nothing happens for {_PREFECT_S:.0f} s"
        except subprocess.CalledProcessError as error:
            last = error.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
            return "".join(last) or f"code {error.returncode}"
    return None


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def _broken(subject: str, error: NarrateError) -> Diagnosis:
    where = f" ({error.where})" if error.where else ""
    return Diagnosis(subject, Status.BROKEN, error.what + where, error.remedy)


_PARTS: Sequence[Callable[[Settings, str | None], Diagnosis | None]] = (
    _model,
    _preview,
    _ffmpeg,
    _disk,
    _database,
    _prefect,
)
