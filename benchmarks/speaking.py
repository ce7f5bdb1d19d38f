"""A book spoken into a store by a process of its own, which can be watched, killed and repeated.

    python -m benchmarks.speaking HOME --model FOLDER --chunks 200 --batch 64 --workers 2

Prints JSON: seconds until the plan stands, until the first and the last take are stored and in all,
takes, seconds of audio, and seconds of audio a second in the middle of the book, when all workers
are at it. The document has as many paragraphs as `--chunks`, of a novel's
lengths; with an endless model every take is as long as its text asks for.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from narrate import studio
from narrate.bench.machine import environment
from narrate.bench.texts import chapter
from narrate.bench.voices import bench_voice
from narrate.config import Job, Settings
from narrate.speech.models import open_checkpoint
from narrate.store import Store

NAME = "book.txt"
_FROM, _TO = 0.2, 0.8  # of the takes, as they were stored


def start(
    home: Path, model: Path, args: argparse.Namespace, workers: int = 1
) -> subprocess.Popen[str]:
    """Start such a process; its standard output is a pipe."""
    words = ["--model", str(model), "--chunks", str(args.chunks), "--batch", str(args.batch)]
    words += ["--pace", str(args.pace)]
    command = [sys.executable, "-m", "benchmarks.speaking", str(home), *words]
    return subprocess.Popen(
        [*command, "--backend", args.backend, "--workers", str(workers)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "NARRATE_HOME": str(home)},
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
    document = home / NAME
    if not document.exists():
        said = [one.spoken for number in range(-(-args.chunks // 63)) for one in chapter()]
        document.write_text(
            "\n\n".join(f"{n}. {text}" for n, text in enumerate(said[: args.chunks]))
        )
    return Job(
        str(document),
        out=str(home / "out"),
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


def as_stored(home: Path, began: float) -> dict[str, float | None]:
    """When the first and the last take were stored, after a time of day, and the rate between.

    The rate is of seconds of audio a second between the first and the last fifth of the takes.
    """
    with closing(sqlite3.connect(home / "narrate.db")) as database:
        order = "select created_at, 1.0 * samples / rate_hz from takes order by created_at"
        takes = database.execute(order).fetchall()
    span = takes[int(_FROM * len(takes)) : int(_TO * len(takes)) + 1]
    took_s = span[-1][0] - span[0][0] if span else 0.0
    middle = sum(audio_s for _, audio_s in span[1:]) / took_s if took_s > 0 else None
    first_s, last_s = takes[0][0] - began, takes[-1][0] - began
    return {"first_take_s": first_s, "last_take_s": last_s, "middle_x_realtime": middle}


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
    args = parser.parse_args()
    home = args.home.absolute()
    os.environ["NARRATE_HOME"] = str(home)
    job = job_of(home, args)
    with Store(Settings.from_environment()) as store:
        began, began_at = time.perf_counter(), time.time()
        book = studio.plan_book(store, job)
        planned_s = time.perf_counter() - began
        notes: set[str] = set()  # a worker that failed, for one
        for _ in studio.speak(store, book.id, lambda progress: notes.update(progress.notes)):
            pass
        wall_s = time.perf_counter() - began
        takes = store.takes.get(key for _, key in store.chunks(book.id))
    audio_s = sum(take.duration_s for take in takes.values())
    said = {"planned_s": planned_s, "wall_s": wall_s, "takes": len(takes), "audio_s": audio_s}
    print(json.dumps(said | as_stored(home, began_at) | {"notes": sorted(notes)}))


if __name__ == "__main__":
    main()
