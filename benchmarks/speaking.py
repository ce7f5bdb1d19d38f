"""A book spoken into a store by a process of its own, which can be watched, killed and repeated.

    python -m benchmarks.speaking HOME --model FOLDER --chunks 200 --batch 64 --workers 2

Prints JSON: seconds until the plan stands, until each worker's model is loaded, until the first
and the last take are stored and in all, takes, seconds of audio, seconds of audio a second from
plan and load to the last take, and seconds of audio that were stored in each second since. The
document has as many paragraphs as `--chunks`, of a novel's lengths; with an endless model every
take is as long as its text asks for.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from datetime import datetime
from pathlib import Path

from narrate import studio
from narrate.bench.machine import environment
from narrate.bench.texts import chapter
from narrate.bench.voices import bench_voice
from narrate.config import Job, Settings
from narrate.speech.models import open_checkpoint
from narrate.store import Store
from narrate.studio.crew import standing_by


def start(
    home: Path, model: Path, args: argparse.Namespace, workers: int = 1, book: int | None = None
) -> subprocess.Popen[str]:
    """Start such a process, for one of several books with a card of its own; returns its pipe."""
    words = ["--model", str(model), "--chunks", str(args.chunks), "--batch", str(args.batch)]
    words += ["--pace", str(args.pace)]
    card = {}
    if book is not None:
        words += ["--book", str(book)]
        card = {"CUDA_VISIBLE_DEVICES": str(book)}
    command = [sys.executable, "-m", "benchmarks.speaking", str(home), *words]
    return subprocess.Popen(
        [*command, "--backend", args.backend, "--workers", str(workers)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **card, "NARRATE_HOME": str(home)},
    )


def common(parser: argparse.ArgumentParser, sizes: Sequence[str]) -> None:
    """Add the options that every script over such a process has."""
    parser.add_argument("--size", default="1.7b", choices=sizes)
    parser.add_argument("--model", type=Path, help="a checkpoint that is there already")
    parser.add_argument("--commit", help="of the code, where git cannot tell")
    parser.add_argument("--json", type=Path)


def keep(args: argparse.Namespace, result: Mapping[str, object]) -> None:
    """Write a result with the machine and what was asked for, where a file was named."""
    if args.json:
        asked = {"asked": {name: str(value) for name, value in vars(args).items()}}
        held = {**environment(args.commit), **asked, **result}
        args.json.write_text(json.dumps(held, indent=1) + "\n")


def job_of(home: Path, args: argparse.Namespace) -> Job:
    """The job; the recording, its transcript and the document lie in the home."""
    home.mkdir(parents=True, exist_ok=True)
    voice = bench_voice(home, open_checkpoint(args.model))
    document = home / f"book-{args.book}.txt"
    if not document.exists():
        said = [one.spoken for number in range(-(-args.chunks // 63)) for one in chapter()]
        document.write_text(
            "\n\n".join(f"{args.book}.{n}: {text}" for n, text in enumerate(said[: args.chunks]))
        )
    return Job(
        str(document),
        out=str(home / f"out-{args.book}"),
        voice=str(voice.reference_path),
        voice_text=voice.reference_text,
        backend=args.backend,
        model=str(args.model),
        batch_size=args.batch,
        frames_per_character=args.pace,
        attempts=1,
        workers=args.workers,
        language="en",
    )


class Loaded(logging.Handler):
    """Keeps the time of day at which a backend said that its model is loaded, and what is said."""

    at: float | None = None

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.words.append(record.getMessage())
        if self.at is None and "loaded" in record.msg:
            self.at = record.created

    def watch(self) -> None:
        """Listen to what backends log, and to what speaking says that it waited for."""
        for name in ("narrate.speech", "narrate.studio"):
            log = logging.getLogger(name)
            log.setLevel(logging.INFO)
            log.addHandler(self)


class LogsOfOthers(threading.Thread):
    """Reads what the further workers log, before it is removed with those who end well."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.folder = folder
        self.done = threading.Event()
        self.words: dict[str, str] = {}

    def __enter__(self) -> LogsOfOthers:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.join()

    def run(self) -> None:
        """Look five times a second."""
        while not self.done.wait(0.2):
            for path in self.folder.glob("*.log"):
                with suppress(FileNotFoundError):
                    self.words[path.name] = path.read_text() or self.words.get(path.name, "")

    def lines(self) -> list[str]:
        """All that was read."""
        return [line for words in self.words.values() for line in words.splitlines()]

    def loaded(self) -> list[float]:
        """The times of day at which their models were loaded."""
        times = [" ".join(line.split()[:2]) for line in self.lines() if "is loaded" in line]
        return [datetime.strptime(one, "%Y-%m-%d %H:%M:%S,%f").timestamp() for one in times]


_OF_BOOK = "from takes where key in (select take_key from chunks where book_id = ?)"


def as_stored(home: Path, book_id: str) -> tuple[float, float]:
    """The times of day at which the first and the last take of a book were stored."""
    query = f"select min(created_at), max(created_at) {_OF_BOOK}"
    with closing(sqlite3.connect(home / "narrate.db")) as database:
        span = database.execute(query, (book_id,)).fetchone()
    return span[0], span[1]


def by_second(home: Path, book_id: str, since: float) -> list[int]:
    """Seconds of a book's audio stored in each second since a time of day."""
    sums = "select cast(created_at - ? as int), sum(1.0 * samples / rate_hz)"
    with closing(sqlite3.connect(home / "narrate.db")) as database:
        query = f"{sums} {_OF_BOOK} group by 1"
        found = dict(database.execute(query, (since, book_id)).fetchall())
    return [round(found.get(second, 0.0)) for second in range(max(found, default=-1) + 1)]


def main() -> None:
    """Plan, speak and store; nothing is stitched."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--backend", default="qwen")
    parser.add_argument("--chunks", type=int, default=200)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--pace", type=float, default=0.75, help="frames a character")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--book", type=int, default=0, help="which of several that differ")
    args = parser.parse_args()
    home = args.home.absolute()
    os.environ["NARRATE_HOME"] = str(home)
    job = job_of(home, args)
    loaded = Loaded()
    loaded.watch()
    settings = Settings.from_environment()
    with ExitStack() as stack:
        store = stack.enter_context(Store(settings))
        others = stack.enter_context(LogsOfOthers(home / "workers"))
        began, began_at = time.perf_counter(), time.time()
        opened = studio.find_book(store, job)
        stack.enter_context(standing_by(settings, opened.book.id, job))  # as a run does
        book = studio.plan_book(store, job, opened)
        planned_s = time.perf_counter() - began
        notes: set[str] = set()  # a worker that failed, for one
        for _ in studio.speak(store, book.id, lambda progress: notes.update(progress.notes)):
            pass
        wall_s = time.perf_counter() - began
        takes = store.takes.get(key for _, key in store.chunks(book.id))
    audio_s = sum(take.duration_s for take in takes.values())
    first, last = as_stored(home, book.id)
    loads = [at for at in (loaded.at, *others.loaded()) if at is not None]
    since = max(min(loads, default=0.0), began_at + planned_s)  # models may be there before
    said = {
        "planned_s": planned_s,
        "loaded_s": [at - began_at for at in sorted(loads)],
        "first_take_s": first - began_at,
        "last_take_s": last - began_at,
        "wall_s": wall_s,
        "takes": len(takes),
        "audio_s": audio_s,
        "speaking_x_realtime": audio_s / (last - since),
        "span": (since, last),
        "audio_by_second": by_second(home, book.id, since),
        "said": [*loaded.words, *others.lines()],
        "notes": sorted(notes),
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main()
