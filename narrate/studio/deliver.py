"""From chapter WAVs to the book: one file, a manifest, and nothing stale beside them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from narrate.audio.encode import FORMATS
from narrate.audio.stitch import join_book
from narrate.audio.whole import write_whole
from narrate.config import Job
from narrate.core import canonical_digest
from narrate.errors import OutputError
from narrate.memory import give_memory_back
from narrate.store import Book, Output, Store
from narrate.studio.casting import open_speech
from narrate.studio.companions import (
    COMPANIONS,
    companions,
    has_companions,
    make_companions,
)
from narrate.studio.covers import given_cover, put_cover
from narrate.studio.editions import editions, is_made, make, make_all, stale_editions
from narrate.studio.identity import speech_digest
from narrate.studio.plan import MANIFEST, find_book, require_book
from narrate.studio.report import write_report
from narrate.studio.stitch import CHAPTER, finished_chapters, master_of
from narrate.studio.timeline import TIMELINE, write_timeline
from narrate.studio.verdict import check
from narrate.sync.captions import FORMATS as CAPTIONS

__all__ = ["Delivered", "checked", "deliver", "encode_chapter", "finished"]

BOOK = "book"
CHECK = "check.json"


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a run leaves behind: `wav` is None while chapters of the book are still unspoken.

    `files` are the results in the formats asked for: a book's file, or a folder of its chapters.
    `faults` names the chunks whose best take is still a bad one, each with what is wrong;
    `findings` is what is wrong with the finished files, `waiting` names the formats of the whole
    book that are made when all its chapters are there.
    """

    book_id: str
    title: str
    folder: Path
    wav: Path | None
    chapters: tuple[Path, ...]
    of_chapters: int
    audio_s: float
    faults: tuple[tuple[int, str], ...] = ()
    files: tuple[Path, ...] = ()
    findings: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()

    def as_values(self) -> dict[str, Any]:
        """Return the facts as JSON has them."""
        return {
            "book_id": self.book_id,
            "title": self.title,
            "folder": str(self.folder),
            "wav": str(self.wav) if self.wav else None,
            "chapters": [str(path) for path in self.chapters],
            "of_chapters": self.of_chapters,
            "audio_s": self.audio_s,
            "faults": [list(fault) for fault in self.faults],
            "files": [str(path) for path in self.files],
            "findings": list(self.findings),
            "waiting": list(self.waiting),
        }

    def with_all(self, wavs: Iterable[str | Path]) -> Delivered:
        """Return itself where these chapters are among its own, as a run has made them.

        OutputError where somebody has moved or removed their files since, or their takes.
        """
        lost = sorted({Path(wav) for wav in wavs}.difference(self.chapters))
        if lost:
            raise OutputError(
                f"{len(lost)} of the chapters were moved, removed or changed while the book was "
                "being made",
                where=str(lost[0]),
                remedy="leave its folder alone and run the same command again; what was spoken "
                "is kept",
            )
        return self

    @classmethod
    def from_values(cls, values: dict[str, Any]) -> Delivered:
        """Understand what `as_values` gave."""
        return cls(
            values["book_id"],
            values["title"],
            Path(values["folder"]),
            Path(values["wav"]) if values["wav"] else None,
            tuple(Path(path) for path in values["chapters"]),
            values["of_chapters"],
            values["audio_s"],
            tuple((position, fault) for position, fault in values["faults"]),
            tuple(Path(path) for path in values["files"]),
            tuple(values["findings"]),
            tuple(values["waiting"]),
        )


def deliver(store: Store, book_id: str, stop: Callable[[], bool] | None = None) -> Delivered:
    """Make the formats asked for, those of the whole book once all chapters are there."""
    book = require_book(store, book_id)
    titles = store.chapter_titles(book_id)
    chapters = finished_chapters(store, book_id)
    _remove_stale(store, book, chapters)
    give_memory_back()
    forms = _formats(book)
    if "wav" in forms and len(chapters) == len(titles):
        inputs = _book_inputs(chapters)
        known = store.outputs(book_id).get((BOOK, 0))
        path = book.folder / f"{book.folder.name}.wav"
        if not (known and known.inputs == inputs):
            made = join_book([chapters[n].path for n in sorted(chapters)], path, stop=stop)
            output = Output(BOOK, 0, path, inputs, made.samples, made.rate_hz)
            store.put_output(book_id, output)
    make_all(store, book_id, editions(store, book, forms, chapters), stop)
    write_timeline(store, book, chapters)
    make_companions(store, book, forms, chapters, stop)
    put_cover(store, book)
    write_report(store, book, chapters)
    _write_manifest(store, book, titles, chapters)
    return _delivered(store, book, titles, chapters)


def checked(delivered: Delivered) -> Delivered:
    """Check the files of a book that is whole, write `check.json`, and add what was found."""
    if len(delivered.chapters) < delivered.of_chapters:
        return delivered
    verdict = check(delivered.folder)
    content = json.dumps(verdict.as_values(), indent=1, ensure_ascii=False) + "\n"
    write_whole(delivered.folder / CHECK, content.encode("utf-8", "surrogatepass"))
    return replace(delivered, findings=tuple(verdict.all_faults()))


def encode_chapter(
    store: Store, book_id: str, chapter: int, stop: Callable[[], bool] | None = None
) -> None:
    """Make the files that hold this chapter alone, while later ones are being spoken."""
    book = require_book(store, book_id)
    output = store.outputs(book_id)[CHAPTER, chapter]
    forms = [form for form in _formats(book) if form in FORMATS and FORMATS[form].by_chapter]
    for edition in editions(store, book, forms, {chapter: output}):
        make(store, book_id, edition, stop)


def _formats(book: Book) -> tuple[str, ...]:
    return Job(**(book.job or {"document": ""})).formats


def finished(store: Store, job: Job) -> Delivered | None:
    """Return what there is when a run of this job would change nothing, else None."""
    opened = find_book(store, job)
    book = opened.book
    if job.force or opened.document is not None:  # a document is read when its plan is not current
        return None
    if not _says_the_same(store, book, job):
        return None
    backend, voice = open_speech(job)
    backend.close()
    if book.speech_digest != speech_digest(backend, voice):
        return None
    titles = store.chapter_titles(book.id)
    chapters = finished_chapters(store, book.id, job.master)
    selected = job.selection.of(len(titles))
    lines = store.outline(book.id, selected)
    keys = {line.take_key for line in lines}
    if not chapters.keys() >= set(selected) or store.takes.damaged(keys, thorough=False):
        return None
    faults = store.takes.faults(keys) if backend.varies else {}
    if any(line.take_key in faults and line.attempt < job.attempts - 1 for line in lines):
        return None
    if not has_companions(store, book, job.formats, chapters):
        return None
    delivered = _delivered(store, book, titles, chapters)
    if len(chapters) == len(titles) and "wav" in job.formats and delivered.wav is None:
        return None
    made = store.outputs(book.id)
    for one in editions(store, book, job.formats, chapters):
        if not is_made(one, made):
            return None
    return delivered


def _says_the_same(store: Store, book: Book, job: Job) -> bool:
    """Whether what the store says about a book is what a job asks for."""
    stored, cover = store.book(book.id), given_cover(job)
    if stored is None or stored.metadata != book.metadata:
        return False
    was_given = bool((stored.job or {}).get("cover"))
    return cover == store.cover(book.id) if cover else not was_given


def _delivered(
    store: Store, book: Book, titles: list[str], chapters: dict[int, Output]
) -> Delivered:
    whole = store.outputs(book.id).get((BOOK, 0))
    current = whole and len(chapters) == len(titles) and whole.inputs == _book_inputs(chapters)
    files: list[Path] = []
    for form in _formats(book):
        if form == "wav":
            files += [whole.path] if whole and current else []
        elif form in COMPANIONS:
            files += [one.path for one in companions(store, book, [form], chapters) if one.main]
        else:
            files += [
                one.path.parent if FORMATS[form].by_chapter else one.path
                for one in editions(store, book, [form], chapters)
            ]
    return Delivered(
        book.id,
        book.metadata.title,
        book.folder,
        whole.path if whole and current else None,
        tuple(chapters[number].path for number in sorted(chapters)),
        len(titles),
        sum(output.duration_s for output in chapters.values()),
        _faults(store, book.id, chapters),
        tuple(dict.fromkeys(files)),
        waiting=() if len(chapters) == len(titles) else tuple(filter(_of_whole, _formats(book))),
    )


def _of_whole(form: str) -> bool:
    """Whether a format is one file for the whole book and nothing before."""
    if form in FORMATS:
        return not FORMATS[form].by_chapter
    return form not in CAPTIONS


def _faults(store: Store, book_id: str, chapters: Iterable[int]) -> tuple[tuple[int, str], ...]:
    lines = store.outline(book_id, chapters)
    faults = store.takes.faults(line.take_key for line in lines)
    return tuple(
        (line.position, faults[line.take_key]) for line in lines if line.take_key in faults
    )


def _book_inputs(chapters: dict[int, Output]) -> str:
    return canonical_digest([chapters[number].inputs for number in sorted(chapters)])


def _remove_stale(store: Store, book: Book, chapters: dict[int, Output]) -> None:
    """Remove files of our own that tell of another plan, but a WAV that is replaced next."""
    keep = {output.path for output in chapters.values()}
    for kind, number in store.output_keys(book.id):
        if kind == CHAPTER and number not in chapters:
            path = store.drop_output(book.id, kind, number)
            if path and path not in keep:
                path.unlink(missing_ok=True)
    made = store.outputs(book.id)
    whole = made.get((BOOK, 0))
    is_next = "wav" in _formats(book) and len(chapters) == len(store.chapter_titles(book.id))
    if whole and whole.inputs != _book_inputs(chapters) and not is_next:
        store.drop_output(book.id, BOOK, 0)
        whole.path.unlink(missing_ok=True)
    for kind, number in stale_editions(store, book, chapters):
        store.drop_output(book.id, kind, number)
        if (kind, number) in made:  # else another file stands there, and is not ours to remove
            made[kind, number].path.unlink(missing_ok=True)


def _write_manifest(
    store: Store, book: Book, titles: list[str], chapters: dict[int, Output]
) -> None:
    made = store.outputs(book.id)
    facts: dict[str, Any] = {
        "source": str(book.source_path),
        "made_by": "narrate",
        **asdict(book.metadata),
        "master": master_of(book),
        "formats": list(_formats(book)),
        "timeline": TIMELINE,
        "chapters": [
            {
                "number": number,
                "title": titles[number - 1],
                "file": os.path.relpath(output.path, book.folder),
                "duration_s": round(output.duration_s, 3),
                "samples": output.samples,
                "rate_hz": output.rate_hz,
                "mastering": dict(output.facts),
            }
            for number, output in sorted(chapters.items())
        ],
        "files": [
            {
                "file": os.path.relpath(one.path, book.folder),
                "samples": one.samples,
                "rate_hz": one.chapters[0].rate_hz,
                "marks": [asdict(mark) for mark in one.labels.marks],
            }
            for one in editions(store, book, FORMATS, chapters)
            if is_made(one, made)
        ],
    }
    if "wav" in _formats(book) and len(chapters) == len(titles):
        facts["whole"] = f"{book.folder.name}.wav"
    content = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
    write_whole(book.folder / MANIFEST, content.encode("utf-8", "surrogatepass"))
