"""The files that go with the audio: subtitles, a read-along book, a manifest for players."""

from __future__ import annotations

import json
import os
import tempfile
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from narrate.audio.encode import ENCODE_VERSION, Labels, encode
from narrate.audio.encode import FORMATS as AUDIO
from narrate.audio.stitch import read_chapter
from narrate.audio.tags import tags_of
from narrate.audio.whole import appearing, write_whole
from narrate.core import canonical_digest
from narrate.store import Book, Output, Store
from narrate.studio.abreast import abreast
from narrate.studio.editions import editions
from narrate.studio.own_pages import own_pages
from narrate.studio.plan import require_book
from narrate.studio.stitch import finished_chapters
from narrate.studio.timeline import timeline
from narrate.sync import captions, epub3
from narrate.sync.epub_own import write_own_epub
from narrate.sync.w3c import Track, manifest

__all__ = [
    "COMPANIONS",
    "COMPANION_VERSION",
    "Companion",
    "companions",
    "has_companions",
    "make_companions",
    "read_along",
]

COMPANION_VERSION = 3
"""Raised by hand when the same chapters would give other files."""
SYNTHETIC = "synthetic voice"

_Chapters = Mapping[int, Output]
_Stop = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Companion:
    """One file: `number` is its chapter, 0 the whole book; `main` is what a run names at its end.

    `forms` are the audio formats that it goes with.
    """

    form: str
    kind: str
    number: int
    path: Path
    inputs: str
    main: bool
    forms: tuple[str, ...] = ()


def companions(
    store: Store, book: Book, forms: Sequence[str], chapters: _Chapters
) -> list[Companion]:
    """Return the files of these formats that can be made of the finished chapters."""
    told = _told(store, book, chapters)
    metadata = asdict(book.metadata)
    found: list[Companion] = []
    for form in forms:
        if form in captions.FORMATS:
            for folder in _folders(forms):
                for number, chapter in sorted(chapters.items()):
                    path = book.folder / folder / f"{chapter.path.stem}.{form}"
                    inputs = f"{told[number]}.{canonical_digest([form, metadata])}"
                    found.append(Companion(form, f"{form}.{folder}", number, path, inputs, False))
        if form in COMPANIONS and 0 in told:
            name = COMPANIONS[form].format(book.folder.name)
            audio = tuple(one for one in forms if one in AUDIO)
            cover = store.cover(book.id)
            drawn = uuid.uuid5(uuid.NAMESPACE_URL, cover.data.hex()).hex if cover else ""
            rest = canonical_digest([form, metadata, audio, drawn, ENCODE_VERSION])
            inputs = f"{told[0]}.{rest}"
            found.append(Companion(form, form, 0, book.folder / name, inputs, True, audio))
    return found


def _told(store: Store, book: Book, chapters: _Chapters) -> dict[int, str]:
    """Identity of what is said and when, by chapter; 0 is the whole book, once it is there."""
    # What the document says in other words but reads alike shows in no chapter's inputs.
    told = {
        number: canonical_digest([COMPANION_VERSION, book.plan_digest, chapter.inputs])
        for number, chapter in sorted(chapters.items())
    }
    if len(chapters) == len(store.chapter_titles(book.id)):
        told[0] = canonical_digest(list(told.values()))
    return told


def has_companions(store: Store, book: Book, forms: Sequence[str], chapters: _Chapters) -> bool:
    """Whether every one of these files is there as it should be."""
    made = store.outputs(book.id)
    return all(_is_current(one, made) for one in companions(store, book, forms, chapters))


def make_companions(
    store: Store, book: Book, forms: Sequence[str], chapters: _Chapters, stop: _Stop | None = None
) -> None:
    """Make what is missing, and remove what no longer goes with the book."""
    wanted = companions(store, book, forms, chapters)
    _remove_stale(store, book, chapters, wanted)
    made = store.outputs(book.id)
    for one in wanted:
        if _is_current(one, made):
            continue
        _MAKERS[one.form](store, book, chapters, one, stop)
        old = store.drop_output(book.id, one.kind, one.number)
        if old and old != one.path:
            old.unlink(missing_ok=True)
        store.put_output(book.id, Output(one.kind, one.number, one.path, one.inputs, 0, 1))


def _is_current(one: Companion, made: Mapping[tuple[str, int], Output]) -> bool:
    known = made.get((one.kind, one.number))
    return bool(known and known.inputs == one.inputs and known.path == one.path)


def _folders(forms: Iterable[str]) -> list[str]:
    """Return where chapters lie that subtitles can stand beside."""
    named = [form for form in forms if form in AUDIO and AUDIO[form].by_chapter]
    return named or ["chapters"]


def _remove_stale(
    store: Store, book: Book, chapters: _Chapters, wanted: Sequence[Companion]
) -> None:
    """Remove files that tell of another book than this, but those that are made anew next."""
    told = _told(store, book, chapters)
    made = store.outputs(book.id)
    next_ones = {(one.kind, one.number) for one in wanted}
    for kind, number in store.output_keys(book.id):
        if kind.partition(".")[0] not in COMPANIONS or (kind, number) in next_ones:
            continue
        output, now = made.get((kind, number)), told.get(number)
        if output is None or now is None or not output.inputs.startswith(now):
            store.drop_output(book.id, kind, number)
            if output:
                output.path.unlink(missing_ok=True)


def _captions(
    store: Store, book: Book, chapters: _Chapters, one: Companion, _: _Stop | None
) -> None:
    wanted = {one.number: chapters[one.number]} if one.number else chapters
    cues = captions.book_cues(timeline(store, book, wanted))
    write_whole(one.path, captions.FORMATS[one.form](cues).encode("utf-8"))


def read_along(
    store: Store,
    book_id: str,
    out: Path,
    forms: Sequence[str] = (),
    stop: _Stop | None = None,
) -> None:
    """Write a read-along book of the chapters that are finished; `forms` are made already."""
    book = require_book(store, book_id)
    chapters = finished_chapters(store, book_id)
    labels = epub3.Labels(
        book.metadata, _identifier(book), _now(), _narrator(book), store.cover(book.id)
    )
    with tempfile.TemporaryDirectory(prefix="narrate-") as folder:
        sounds = _sounds(store, book, chapters, forms, Path(folder), stop)
        heard = list(timeline(store, book, chapters))
        own = own_pages(store, book)
        with appearing(out) as beside:
            if own is None:
                epub3.write_epub(beside, labels, heard, sounds)
            else:
                write_own_epub(beside, book.source_path, own, labels, heard, sounds)


def _epub(store: Store, book: Book, _: _Chapters, one: Companion, stop: _Stop | None) -> None:
    read_along(store, book.id, one.path, one.forms, stop)


def _sounds(
    store: Store,
    book: Book,
    chapters: _Chapters,
    forms: Sequence[str],
    folder: Path,
    stop: _Stop | None,
) -> dict[int, tuple[Path, str]]:
    """Return each chapter's sound: the MP3 that is there, else AAC that is made for the book."""
    known = editions(store, book, ["mp3"] if "mp3" in forms else [], chapters)
    sounds = {edition.number: (edition.path, "audio/mpeg") for edition in known if not edition.span}
    labels = Labels(tags_of(book.metadata))

    def encode_one(chapter: Output, path: Path, stop: _Stop) -> None:
        blocks = read_chapter(chapter.path, chapter.rate_hz, stop)
        encode("m4b", blocks, chapter.rate_hz, path, labels, voice_hz=chapter.voice_hz)

    missing = {number: folder / f"{number}.m4a" for number in chapters if number not in sounds}
    abreast([partial(encode_one, chapters[one], path) for one, path in missing.items()], stop)
    return sounds | {number: (path, "audio/mp4") for number, path in missing.items()}


def _manifest(
    store: Store, book: Book, chapters: _Chapters, one: Companion, _: _Stop | None
) -> None:
    titles = store.chapter_titles(book.id)
    form = next((name for name in ("mp3", "flac") if name in one.forms), "")
    parts = [
        (edition.path, f"audio/{'mpeg' if form == 'mp3' else 'flac'}", edition.number,
         edition.samples / chapters[edition.number].rate_hz)
        for edition in editions(store, book, [form] if form else [], chapters)
    ] or [
        (output.path, "audio/wav", number, output.duration_s)
        for number, output in sorted(chapters.items())
    ]  # fmt: skip
    tracks = [
        Track(
            quote(os.path.relpath(path, book.folder).replace(os.sep, "/")),
            kind,
            titles[number - 1] or f"{number}",
            duration_s,
        )
        for path, kind, number, duration_s in parts
    ]
    cover = store.cover(book.id)
    picture = (f"cover{cover.suffix}", cover.media_type) if cover else None
    values = manifest(book.metadata, _identifier(book), _now(), _narrator(book), tracks, picture)
    write_whole(one.path, (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode("utf-8"))


def _identifier(book: Book) -> str:
    """Return a URN that stays the same for a document and a book's name."""
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{book.id} {book.source_sha256}')}"


def _narrator(book: Book) -> str:
    return book.metadata.narrator or SYNTHETIC


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


COMPANIONS: Mapping[str, str] = MappingProxyType(
    {"srt": "{}.srt", "vtt": "{}.vtt", "epub3": "{}.epub", "w3c": "publication.json"}
)
"""Each format, and the name of its file for the whole book."""
_MAKERS = MappingProxyType({"srt": _captions, "vtt": _captions, "epub3": _epub, "w3c": _manifest})
