"""The check of a finished book: every file in its folder, held against what was planned for it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from narrate.apart import AT_ONCE, apart
from narrate.audio.listen import SUFFIXES
from narrate.audio.tags import Mark
from narrate.audio.verdict import LIMITS, Checked, Expected, Row, check_file, check_length, uneven
from narrate.errors import InputError, UsageError
from narrate.memory import keep_memory_flat
from narrate.studio.plan import MANIFEST

__all__ = ["Verdict", "check"]

_SHORT_BYTES = 5 << 20  # a minute of WAV


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, file by file, and what concerns all of them; names count from `folder`."""

    folder: Path
    master: str
    files: tuple[Checked, ...]
    faults: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults and all(one.good for one in self.files)

    def name(self, one: Checked) -> str:
        """Name a file: those of two discs may be called the same."""
        return _name(self.folder, one)

    def all_faults(self) -> list[str]:
        """Return every fault as a line that says where."""
        found = list(self.faults)
        for one in self.files:
            found += [f"{self.name(one)}: {fault}" for fault in one.faults]
            for row in one.rows:
                found += [f"{_where(self.folder, one, row)}: {fault}" for fault in row.faults]
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
    keep_memory_flat()
    if not place.exists():
        raise InputError(
            "there is no such file or folder",
            where=str(place),
            remedy="name the folder of an audiobook; `narrate status` shows where they lie",
        )
    folder = _book_folder(place)
    book = _manifest(folder)
    name = master or str(book.get("master", "acx"))
    if name not in LIMITS:
        raise UsageError(
            f"--master does not know {name!r}", remedy=f"name one of {', '.join(LIMITS)}"
        )
    planned = _planned(folder, book)
    paths = [place] if place.is_file() else _files(place, folder, book)
    missing = () if place.is_file() else tuple(_missing(place, planned, paths))
    if not paths and not missing:
        raise InputError(
            "there is no audio here",
            where=str(place),
            remedy=f"name a folder or a file with the ending {', '.join(SUFFIXES)}",
        )
    whole = folder / str(book.get("whole", ""))  # the chapters end to end: they are listened to

    def look(path: Path) -> Checked:
        expected = planned.get(path, Expected())
        if path == whole and path != place:
            return check_length(path, expected)
        return apart(check_file, path, LIMITS[name], expected, short=_is_short(path))

    with ThreadPoolExecutor(AT_ONCE, "check") as pool:
        files = tuple(pool.map(look, paths))
    top = place if place.is_dir() else place.parent
    return Verdict(top, name, files, (*missing, *_of_all(top, files, name)))


def _is_short(path: Path) -> bool:
    try:
        return path.stat().st_size < _SHORT_BYTES
    except OSError:
        return True


def _name(top: Path, one: Checked) -> str:
    return one.path.relative_to(top).as_posix()


def _where(top: Path, one: Checked, row: Row) -> str:
    """Name a chapter with its file: those of two discs may be called the same."""
    return f"{_name(top, one)}, {row.chapter}" if row.chapter else _name(top, one)


def _book_folder(place: Path) -> Path:
    """The folder of the book that a folder or a file is part of."""
    around = [place, *place.parents][:3]
    return next(
        (one for one in around if _manifest(one)), place if place.is_dir() else place.parent
    )


def _files(place: Path, folder: Path, book: dict[str, Any]) -> list[Path]:
    """The files that a listener gets: of ours, the formats that were asked for."""
    found = sorted(
        path
        for path in place.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.is_dir() and not _hidden(path, place)
    )
    if "wav" in book.get("formats", ["wav"]) or place != folder:
        return found
    return [path for path in found if path.parent != folder / "chapters"]


def _hidden(path: Path, place: Path) -> bool:
    """Whether it is what systems put beside files, such as macOS's `._name`."""
    return any(part.startswith(".") for part in path.relative_to(place).parts)


def _missing(place: Path, planned: dict[Path, Expected], paths: Iterable[Path]) -> Iterator[str]:
    there = set(paths)
    for path in planned:
        if path.is_relative_to(place) and path not in there and not path.exists():
            yield f"{path.relative_to(place)} is missing"


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        facts = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) and facts.get("made_by") == "narrate" else {}


def _planned(folder: Path, book: dict[str, Any]) -> dict[Path, Expected]:
    """The files that a book of ours should have, and what its plan says of each."""
    try:
        return _named_in(folder, book)
    except (AttributeError, KeyError, TypeError, ZeroDivisionError) as error:
        raise InputError(
            "what is written of this book is damaged",
            where=str(folder / MANIFEST),
            remedy="`narrate export` writes it anew; without it the files are measured alone",
        ) from error


def _named_in(folder: Path, book: dict[str, Any]) -> dict[Path, Expected]:
    chapters = book.get("chapters", [])
    found = {
        folder / one["file"]: Expected(
            one["samples"] / one["rate_hz"], tuple(Mark(**mark) for mark in one["marks"])
        )
        for one in book.get("files", [])
    }
    if "wav" in book.get("formats", []):
        lengths = {folder / one["file"]: one["samples"] / one["rate_hz"] for one in chapters}
        found |= {path: Expected(length_s) for path, length_s in lengths.items()}
        if "whole" in book:
            found[folder / book["whole"]] = Expected(sum(lengths.values()))
    return found


def _of_all(top: Path, files: Iterable[Checked], master: str) -> Iterable[str]:
    """Chapters of one format are compared with each other."""
    by_kind: dict[str, list[Checked]] = {}
    for one in files:
        by_kind.setdefault(one.path.suffix.lower(), []).append(one)
    for some in by_kind.values():
        chapters = ((_where(top, one, row), row.heard) for one in some for row in one.rows)
        fault = None if master == "none" else uneven(chapters)
        if fault:
            yield fault
