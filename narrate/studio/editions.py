"""The files of a book in the formats asked for: which there should be, and making what is missing.

A file is current when its sound and its labels are. Where only the labels changed, its sound is
copied; where it comes from the same chapters, nothing is done.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from narrate.apart import Stop
from narrate.audio import ffmpeg
from narrate.audio.encode import (
    ENCODE_VERSION,
    FORMATS,
    Labels,
    check_encoders,
    encode,
    encode_piece,
    encoder_options,
    join_pieces,
    relabel,
)
from narrate.audio.mastering import MASTERS
from narrate.audio.pieces import Piece, pieces_of
from narrate.audio.stitch import read_chapter
from narrate.audio.tags import Mark, tags_of
from narrate.config import Job
from narrate.core import Cover, canonical_digest
from narrate.errors import OutputError, StorageError
from narrate.store import Book, Output, Store
from narrate.studio.abreast import abreast

__all__ = [
    "Edition",
    "check_programs",
    "editions",
    "is_made",
    "make",
    "make_all",
    "stale_editions",
]


@dataclass(frozen=True, slots=True)
class Edition:
    """One file that a book should have; `span` is the part of its only chapter, in samples."""

    form: str
    kind: str
    number: int
    path: Path
    chapters: tuple[Output, ...]
    span: tuple[int, int] | None
    labels: Labels

    @property
    def samples(self) -> int:
        """How long it is, at the chapters' rate."""
        if self.span:
            return self.span[1] - self.span[0]
        return sum(chapter.samples for chapter in self.chapters)

    @property
    def voice_hz(self) -> int:
        """The highest rate that its speech had before it was stitched; 0 where one is not known."""
        rates = [chapter.voice_hz for chapter in self.chapters]
        return max(rates) if all(rates) else 0

    @property
    def sound(self) -> str:
        """Identity of what is heard: the chapters' and our own encoding."""
        options = encoder_options(self.form, self.voice_hz)
        chapters = [chapter.inputs for chapter in self.chapters]
        return canonical_digest([ENCODE_VERSION, self.form, options, chapters, self.span])

    @property
    def inputs(self) -> str:
        """Identity of the file: its sound and its labels."""
        return f"{self.sound}.{canonical_digest(_label_values(self.labels))}"


def check_programs(job: Job) -> None:
    """Raise the OutputError now that the end of the run would bring: ffmpeg is needed, or more."""
    audio = [name for name in job.formats if name in FORMATS]
    if "epub3" in job.formats and "mp3" not in job.formats:
        audio.append("m4b")  # a read-along book takes MP3 if it is there
    check_encoders(audio)
    master = MASTERS[job.master]
    if master and master.loudness_lufs is not None:
        ffmpeg.require(f"--master {job.master}")


def editions(
    store: Store, book: Book, forms: Iterable[str], chapters: Mapping[int, Output]
) -> list[Edition]:
    """Return the files of these formats that can be made of the chapters that are finished."""
    titles, cover = store.chapter_titles(book.id), store.cover(book.id)
    whole = len(chapters) == len(titles)
    found: list[Edition] = []
    for form in forms:
        if form not in FORMATS:
            continue
        if FORMATS[form].by_chapter:
            for number, chapter in sorted(chapters.items()):
                found += _of_chapter(book, cover, form, titles, number, chapter)
        elif whole:
            found += _of_book(book, cover, form, titles, chapters)
    return found


def is_made(edition: Edition, made: Mapping[tuple[str, int], Output]) -> bool:
    """Whether a file is among a book's outputs as it should be."""
    known = made.get((edition.kind, edition.number))
    return bool(known and known.inputs == edition.inputs and known.path == edition.path)


def make(store: Store, book_id: str, edition: Edition, stop: Stop | None = None) -> Output:
    """Make one file, unless it is there; by copying the sound where that is there."""
    known = store.outputs(book_id).get((edition.kind, edition.number))
    if known and known.inputs == edition.inputs and known.path == edition.path:
        return known
    rate_hz = edition.chapters[0].rate_hz
    if known and known.inputs.startswith(edition.sound):
        relabel(edition.form, known.path, edition.path, edition.labels)
    else:
        _encode(edition, stop)
    old = store.drop_output(book_id, edition.kind, edition.number)
    if old and old != edition.path:
        old.unlink(missing_ok=True)
    output = Output(
        edition.kind, edition.number, edition.path, edition.inputs, edition.samples, rate_hz
    )
    store.put_output(book_id, output)
    return output


def make_all(
    store: Store, book_id: str, wanted: Iterable[Edition], stop: Stop | None = None
) -> None:
    """Make what is missing, as many files at a time as there are cores; a failure ends it."""
    abreast([partial(make, store, book_id, edition) for edition in wanted], stop)


def stale_editions(
    store: Store, book: Book, chapters: Mapping[int, Output]
) -> list[tuple[str, int]]:
    """Name the files on record whose sound is no longer the book's."""
    current = {(one.kind, one.number): one for one in editions(store, book, FORMATS, chapters)}
    known = store.outputs(book.id)
    stale = []
    for kind, number in store.output_keys(book.id):
        if kind.partition(".")[0] not in FORMATS:
            continue
        one, output = current.get((kind, number)), known.get((kind, number))
        if not (one and output and output.inputs.startswith(one.sound)):
            stale.append((kind, number))
    return stale


def _of_chapter(
    book: Book, cover: Cover | None, form: str, titles: list[str], number: int, chapter: Output
) -> Iterator[Edition]:
    stem = chapter.path.stem
    title = titles[number - 1] or f"{number}"
    spans = _spans(chapter, FORMATS[form].longest_s)
    for part, span in enumerate(spans, 1):
        several = len(spans) > 1
        named = f"{title} ({part} of {len(spans)})" if several else title
        yield Edition(
            form,
            f"{form}.{part}" if several else form,
            number,
            book.folder
            / form
            / f"{stem}{f'-part-{part}' if several else ''}{FORMATS[form].suffix}",
            (chapter,),
            span if several else None,
            Labels(tags_of(book.metadata, named, number, len(titles)), cover=cover),
        )


def _of_book(
    book: Book,
    cover: Cover | None,
    form: str,
    titles: list[str],
    chapters: Mapping[int, Output],
) -> Iterator[Edition]:
    metadata = book.metadata
    groups = _groups(chapters, FORMATS[form].longest_s)
    for part, numbers in enumerate(groups, 1):
        several = len(groups) > 1
        title = f"{metadata.title} ({part} of {len(groups)})" if several else ""
        stem = f"{book.folder.name}{f'-part-{part}' if several else ''}"
        yield Edition(
            form,
            form,
            part if several else 0,
            book.folder / f"{stem}{FORMATS[form].suffix}",
            tuple(chapters[number] for number in numbers),
            None,
            Labels(
                tags_of(metadata, title, part if several else 0, len(groups)),
                tuple(_marks(chapters, numbers, titles)),
                cover,
            ),
        )


def _marks(
    chapters: Mapping[int, Output], numbers: Iterable[int], titles: list[str]
) -> Iterator[Mark]:
    start = 0
    for number in numbers:
        chapter = chapters[number]
        end = start + chapter.samples
        first, last = (round(1000 * at / chapter.rate_hz) for at in (start, end))
        yield Mark(first, last, titles[number - 1] or f"{number}")
        start = end


def _groups(chapters: Mapping[int, Output], longest_s: float) -> list[list[int]]:
    """Chapter numbers in as few files as hold them, each no longer than may be."""
    groups: list[list[int]] = []
    filled_s = 0.0
    for number, chapter in sorted(chapters.items()):
        if not groups or filled_s + chapter.duration_s > longest_s:
            groups.append([])
            filled_s = 0.0
        groups[-1].append(number)
        filled_s += chapter.duration_s
    return groups


def _spans(chapter: Output, longest_s: float) -> list[tuple[int, int]]:
    """A chapter in as many even parts as it needs, cut in the middle of pauses."""
    longest = longest_s * chapter.rate_hz
    pauses = [(end + start) // 2 for (_, end), (start, _) in pairwise(chapter.marks)]
    count = -(-chapter.samples // int(longest))
    while True:
        aims = [chapter.samples * part // count for part in range(1, count)]
        cuts = sorted({min(pauses, key=lambda at: abs(at - aim)) for aim in aims if pauses})
        edges = [0, *cuts, chapter.samples]
        spans = list(pairwise(edges))
        if all(end - start <= longest for start, end in spans) or count > len(pauses):
            return spans
        count += 1


def _blocks(
    edition: Edition, stop: Stop | None, first: int = 0, last: int | None = None
) -> Iterator[NDArray[np.int16]]:
    """The samples of an edition, or those from `first` up to `last`."""
    offset, _ = edition.span or (0, 0)
    first, last = offset + first, offset + (edition.samples if last is None else last)
    at = 0
    for chapter in edition.chapters:
        start, end = max(0, first - at), min(chapter.samples, last - at)
        if start < end:
            yield from read_chapter(chapter.path, chapter.rate_hz, stop, first=start, last=end)
        at += chapter.samples


def _encode(edition: Edition, stop: Stop | None) -> None:
    """Encode a file, on all cores where its format can be put together from pieces."""
    form, rate_hz = FORMATS[edition.form], edition.chapters[0].rate_hz
    pieces = pieces_of(edition.samples) if form.in_pieces and rate_hz == form.rate_hz else []
    if len(pieces) < 2:
        blocks = _blocks(edition, stop)
        encode(
            edition.form, blocks, rate_hz, edition.path, edition.labels, voice_hz=edition.voice_hz
        )
        return
    beside = edition.path.with_name(f"{edition.path.name}.pieces")
    paths = [beside / f"{number:05}.aac" for number in range(len(pieces))]

    def encode_one(piece: Piece, path: Path, stop: Stop) -> None:
        blocks = _blocks(edition, stop, piece.start, piece.end)
        encode_piece(edition.form, blocks, rate_hz, path, voice_hz=edition.voice_hz)

    shutil.rmtree(beside, ignore_errors=True)  # of a run that was killed
    try:
        abreast([partial(encode_one, *one) for one in zip(pieces, paths, strict=True)], stop)
        join_pieces(edition.form, pieces, paths, edition.path, edition.labels)
    except (OutputError, StorageError) as error:
        if Path(error.where).parent != beside:
            raise
        raise type(error)(error.what, where=str(edition.path), remedy=error.remedy) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _label_values(labels: Labels) -> object:
    cover = labels.cover and hashlib.sha256(labels.cover.data).hexdigest()
    return [labels.tags, [asdict(mark) for mark in labels.marks], cover]
