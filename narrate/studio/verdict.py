"""The check of a finished book: every file in its folder, held against what was planned for it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from narrate.audio.encode import FORMATS
from narrate.audio.listen import SUFFIXES
from narrate.audio.tags import Mark
from narrate.audio.verdict import LIMITS, Checked, Expected, check_file, uneven
from narrate.errors import InputError, UsageError
from narrate.studio.plan import MANIFEST

__all__ = ["Verdict", "check"]

AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, file by file, and what concerns all of them."""

    master: str
    files: tuple[Checked, ...]
    faults: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults and all(one.good for one in self.files)

    def all_faults(self) -> list[str]:
        """Return every fault as a line that says where."""
        found = list(self.faults)
        for one in self.files:
            found += [f"{one.path.name}: {fault}" for fault in one.faults]
            for row in one.rows:
                where = f"{one.path.name}, {row.chapter}" if row.chapter else one.path.name
                found += [f"{where}: {fault}" for fault in row.faults]
        return found

    def as_values(self) -> dict[str, Any]:
        """Return all of it as JSON has it."""
        return {
            "good": self.good,
            "master": self.master,
            "faults": list(self.faults),
            "files": [asdict(one) | {"path": str(one.path)} for one in self.files],
        }


def check(place: Path, master: str | None = None) -> Verdict:
    """Measure an audiobook: a folder, ours or not, or one file.

    InputError where there is none. `master` names the limits; by default those that a book of ours
    was made for, and ACX's for others.
    """
    folder = place if place.is_dir() else place.parent
    book = _manifest(folder)
    name = master or str(book.get("master", "acx"))
    if name not in LIMITS:
        raise UsageError(
            f"--master does not know {name!r}", remedy=f"name one of {', '.join(LIMITS)}"
        )
    paths = [place] if place.is_file() else _files(folder, book)
    if not paths:
        raise InputError(
            "there is no audio here",
            where=str(place),
            remedy=f"name a folder or a file with the ending {', '.join(SUFFIXES)}",
        )
    expected = _expected(folder, book)
    with ThreadPoolExecutor(AT_ONCE, "check") as pool:
        files = tuple(
            pool.map(
                lambda path: check_file(path, LIMITS[name], expected.get(path, Expected())), paths
            )
        )
    return Verdict(name, files, tuple(_of_all(files, name)))


def _files(folder: Path, book: dict[str, Any]) -> list[Path]:
    """The files that a listener gets: of ours, the formats that were asked for."""
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not book.get("chapters"):
        return found
    masters = folder / "chapters"
    wavs = "wav" in book.get("formats", ["wav"])
    whole = folder / f"{folder.name}.wav"  # the chapters end to end: they are listened to
    return [path for path in found if path != whole and (wavs or path.parent != masters)]


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        facts = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) and facts.get("made_by") == "narrate" else {}


def _expected(folder: Path, book: dict[str, Any]) -> dict[Path, Expected]:
    """What the plan says of each file of ours that holds a chapter or all of them."""
    chapters = [one for one in book.get("chapters", []) if "samples" in one]
    found: dict[Path, Expected] = {}
    marks: list[Mark] = []
    start = 0.0
    for one in chapters:
        length_s, stem = one["samples"] / one["rate_hz"], Path(one["file"]).stem
        for path in (
            folder / one["file"],
            folder / f"mp3/{stem}.mp3",
            folder / f"flac/{stem}.flac",
        ):
            found[path] = Expected(length_s)
        end = start + length_s
        title = one["title"] or str(one["number"])
        marks.append(Mark(round(start * 1000), round(end * 1000), title))
        start = end
    for form in FORMATS.values():
        if not form.by_chapter:
            found[folder / f"{folder.name}{form.suffix}"] = Expected(start, tuple(marks))
    return {path: one for path, one in found.items() if path.exists()}


def _of_all(files: Iterable[Checked], master: str) -> Iterable[str]:
    """Chapters of one format are compared with each other."""
    by_kind: dict[str, list[Checked]] = {}
    for one in files:
        by_kind.setdefault(one.path.suffix, []).append(one)
    for some in by_kind.values():
        rows = [
            row if row.chapter else replace(row, chapter=one.path.stem)
            for one in some
            for row in one.rows
        ]
        fault = uneven(rows) if master != "none" and len(rows) > 1 else None
        if fault:
            yield fault
