"""`narrate bench frontend|store|stitch|book`: what a book needs beside a model."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from narrate import studio, text
from narrate.audio.prepared import Part
from narrate.audio.stitch import stitch_chapter
from narrate.audio.takes import encode_take
from narrate.bench.asked import Asked, Book, Frontend, Stitch, Store
from narrate.bench.measure import Case, Stage
from narrate.bench.results import Work
from narrate.bench.texts import LENGTHS, sample
from narrate.config import Job, Settings
from narrate.core import Spoken, Utterance
from narrate.store import NewTake
from narrate.store import Store as OpenStore
from narrate.studio.recorder import Recorder

__all__ = ["stages"]

_RATE_HZ, _TAKE_S, _PAUSE_S = 24_000, 5.0, 0.35
_TAKES, _QUICK_TAKES = 512, 48
_COPIES, _QUICK_COPIES = 60, 2
_TOGETHER = 32


@contextmanager
def stages(asked: Asked) -> Iterator[tuple[Sequence[Stage], Mapping[str, Any]]]:
    """The stages of the part that was asked for, in a folder that goes when we are done."""
    with TemporaryDirectory(prefix="narrate-bench-") as scratch:
        made, about = _MAKERS[type(asked)](asked, Path(scratch))
        yield made, about


_Made = tuple[list[Stage], Mapping[str, Any]]


def _document(asked: Any, folder: Path) -> Path:
    """The document that was given, or ours: a tutorial over and over, a chapter a time."""
    if asked.document is not None:
        return Path(asked.document).expanduser().absolute()
    copies = _QUICK_COPIES if asked.quick else _COPIES
    path = folder / "tutorial.txt"
    words = sample(LENGTHS[-1])
    path.write_text("".join(f"Chapter {n}\n\n{words}\n\n\n" for n in range(1, copies + 1)))
    return path


def _frontend(asked: Any, folder: Path) -> _Made:
    path = _document(asked, folder)
    document = text.read(path)  # says what is wrong with a document before anything is measured
    options = text.PlanOptions()

    def read(_: object) -> Work:
        return Work(rows=1, characters=len(text.read(path).source))

    def plan(_: object) -> Work:
        made = text.plan(document, options)
        return Work(rows=len(made.chunks), characters=len(document.source))

    cases = (Case("frontend", {"what": "read"}, read), Case("frontend", {"what": "plan"}, plan))
    return [Stage(cases)], {"document": f"{path.name}, {len(document.source):,} characters"}


def _samples(count: int) -> list[np.ndarray[Any, np.dtype[np.float32]]]:
    random = np.random.default_rng(0)
    length = round(_TAKE_S * _RATE_HZ)
    return [(0.1 * random.standard_normal(length)).astype(np.float32) for _ in range(count)]


def _keys(count: int) -> list[str]:
    return [hashlib.sha256(str(number).encode()).hexdigest() for number in range(count)]


def _take(key: str, audio: bytes) -> NewTake:
    return NewTake(key, audio, round(_TAKE_S * _RATE_HZ), _RATE_HZ, 0, 0, {})


@contextmanager
def _store(folder: Path) -> Iterator[OpenStore]:
    with (
        TemporaryDirectory(dir=folder) as home,
        OpenStore(Settings.from_environment({"NARRATE_HOME": home})) as store,
    ):
        yield store


def _store_part(asked: Any, folder: Path) -> _Made:
    count = _QUICK_TAKES if asked.quick else _TAKES
    noise, keys = _samples(count), _keys(count)
    files = [encode_take(one, _RATE_HZ) for one in noise]
    amount = Work(rows=count, audio_s=count * _TAKE_S)

    def encode(_: object) -> Work:
        for one in noise:
            encode_take(one, _RATE_HZ)
        return amount

    def add(store: OpenStore) -> Work:
        takes = [_take(key, audio) for key, audio in zip(keys, files, strict=True)]
        for start in range(0, count, _TOGETHER):
            store.takes.add(takes[start : start + _TOGETHER])
        return amount

    def ask(store: OpenStore) -> Work:
        if len(store.takes.get(keys)) != count:
            raise ValueError("the store has lost takes")
        return amount

    def check(store: OpenStore) -> Work:
        if store.takes.damaged(keys, thorough=True):
            raise ValueError("the store has damaged takes")
        return amount

    def record(store: OpenStore) -> Work:
        spoken = (
            Spoken(Utterance(key, "noise", "en", 0), one, _RATE_HZ, {})
            for key, one in zip(keys, noise, strict=True)
        )
        with Recorder(store) as recorder:
            stored = sum(1 for _ in recorder.record(spoken))
        return Work(rows=stored, audio_s=stored * _TAKE_S)

    whats: Mapping[str, tuple[Callable[[Any], Work], Callable[[Any], object]]] = {
        "encode to FLAC": (encode, lambda _: None),
        "hash, write and commit": (add, lambda _: None),
        "ask for all": (ask, add),
        "read and hash all": (check, add),
        "record: all of it, in threads": (record, lambda _: None),
    }
    made = [
        Stage((Case("store", {"what": what}, *both),), partial(_store, folder), stays=False)
        for what, both in whats.items()
    ]
    return made, {"takes": f"{count} of {_TAKE_S:g} s of noise, which FLAC packs worse than speech"}


def _stitch(asked: Any, folder: Path) -> _Made:
    count = _QUICK_TAKES if asked.quick else _TAKES
    parts = []
    for number, one in enumerate(_samples(count)):
        path = folder / f"{number}.flac"
        path.write_bytes(encode_take(one, _RATE_HZ))
        parts.append(Part(path, _PAUSE_S))

    def stitch(_: object) -> Work:
        made = stitch_chapter(parts, folder / "chapter.wav", seed=0)
        return Work(rows=count, audio_s=made.samples / made.rate_hz)

    case = Case("stitch", {"what": "a chapter to WAV at 44.1 kHz"}, stitch)
    return [Stage((case,))], {"takes": f"{count} of {_TAKE_S:g} s"}


def _book(asked: Any, folder: Path) -> _Made:
    path = _document(asked, folder)
    characters = len(text.read(path).source)
    job = Job(str(path), str(folder / "out"))

    @contextmanager
    def fresh() -> Iterator[OpenStore]:
        shutil.rmtree(folder / "out", ignore_errors=True)
        with _store(folder) as store:
            yield store

    def speak(store: OpenStore) -> Work:
        book = studio.plan_book(store, job)
        for chapter in studio.speak(store, book.id, lambda _: None):
            studio.stitch(store, book.id, chapter)
        delivered = studio.deliver(store, book.id)
        return Work(rows=1, characters=characters, audio_s=delivered.audio_s)

    def again(store: OpenStore) -> Work:
        speak(store)
        return Work(rows=1)  # nothing was spoken, so there is no speed to tell

    cases = (
        Case("book", {"what": "speak, stitch and deliver"}, speak),
        Case("book", {"what": "again, with nothing to do"}, again, speak),
    )
    made = [Stage((case,), fresh, stays=False) for case in cases]
    return made, {"document": f"{path.name}, {characters:,} characters, preview voice"}


_MAKERS: Mapping[type, Callable[[Any, Path], _Made]] = {
    Frontend: _frontend,
    Store: _store_part,
    Stitch: _stitch,
    Book: _book,
}
