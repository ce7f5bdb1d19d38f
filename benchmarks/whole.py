"""A book by the command itself, from its start to its files: where the time goes.

    python -m benchmarks.whole --size 1.7b --chunks 16,2600 --rounds 2 --json FILE

A Markdown document of chapters as long as a novel's, narrated as its user would, in a home that has
narrated a short one: kernels are compiled, the voice's prompt is kept, and it is known how the
voice sounds. Random weights speak noise, which is marked, so each sentence has one attempt, and the
voice's norms are made of marked takes, where a run makes them of the first good ones. The times are
seconds since the command was given, of what it leaves behind: rows of the store, files, and
Prefect's record of the run.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.speaking import as_stored, common, keep
from narrate.audio.measures import Measures
from narrate.audio.norms import norms_of
from narrate.bench.texts import CHAPTER, chapter
from narrate.bench.voices import bench_voice
from narrate.bench.weights import make_checkpoint
from narrate.config import Settings
from narrate.errors import IncompleteError
from narrate.speech.models import open_checkpoint
from narrate.store import Book, Store
from narrate.studio.judge import Judge
from narrate.studio.recorder import MEASURES

_WARM_CHUNKS = 64


def write_book(path: Path, chunks: int) -> None:
    """Write a document of so many paragraphs of a novel's lengths, a chunk each."""
    lines = [f"# The book {path.stem}"]
    said = [one.spoken for one in chapter()]
    for number in range(chunks):
        part, place = divmod(number, len(CHAPTER))
        if not place:
            lines.append(f"## Chapter {part + 1} of {path.stem}")
        lines.append(f"{path.stem}, {part + 1}, {place}: {said[place]}"[: len(said[place])])
    path.write_text("\n\n".join(lines) + "\n")


def narrated(home: Path, document: Path, model: Path, args: argparse.Namespace) -> dict[str, Any]:
    """Run the command once; what it took, and the seconds at which its parts were there."""
    voice = bench_voice(home, open_checkpoint(model))
    out = home / "outputs"
    words = ["book", str(document), "--out", str(out), "--backend", args.backend]
    words += ["--voice", str(voice.reference_path), "--voice-text", voice.reference_text or ""]
    words += ["--model", str(model), "--language", "en", "--attempts", "1"]
    words += ["--batch-size", args.batch, "--workers", str(args.workers)]
    words += ["--frames-per-character", str(args.pace), *args.words]
    environment = {**os.environ, "NARRATE_HOME": str(home)}
    environment.pop("PREFECT_API_URL", None)
    began = time.time()
    with subprocess.Popen(
        [sys.executable, "-m", "narrate", *words],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        _, said = child.communicate()
        wall_s = time.time() - began
    if child.returncode not in (0, IncompleteError.exit_code):
        raise SystemExit(f"narrate ended with {child.returncode}: {said[-2000:]}")
    with Store(Settings.from_environment({"NARRATE_HOME": str(home)})) as store:
        [book] = [one for one in store.books() if one.source_path == document]
        chunks = len(store.chunks(book.id))
    return {
        "wall_s": round(wall_s, 2),
        "chunks": chunks,
        **facts(book.folder),
        "at_s": {name: round(at - began, 2) for name, at in moments(home, book).items()},
        "said": said.splitlines()[-3:],
    }


def know_the_voice(home: Path) -> None:
    """Have the norms of the only book's voice, by which chapters are judged as they are spoken."""
    with Store(Settings.from_environment({"NARRATE_HOME": str(home)})) as store:
        [book] = store.books()
        takes = store.takes.get(key for _, key in store.chunks(book.id)).values()
        held = [take.checks[MEASURES] for take in takes]
        measures = [Measures.from_values(one) for one in held if isinstance(one, dict)]
        store.takes.put_norms(Judge(store, book).key, norms_of(measures).as_values())


def facts(folder: Path) -> dict[str, Any]:
    """What was made: chapters, seconds of audio, bytes."""
    made = json.loads((folder / "book.json").read_text())["chapters"]
    return {
        "chapters": len(made),
        "audio_s": round(sum(one["duration_s"] for one in made), 1),
        "wav_mb": round(sum(path.stat().st_size for path in folder.rglob("*.wav")) / 1e6),
    }


def moments(home: Path, book: Book) -> dict[str, float]:
    """The times of day of what happened, in the order in which it is hoped for."""
    folder = book.folder
    first, last = as_stored(home, book.id)
    wavs = sorted(path.stat().st_mtime for path in (folder / "chapters").glob("*.wav"))
    tasks = of_tasks(home)
    return {
        "flow": tasks["flow"][0],
        "speak": tasks["speak"][0],
        "first_take": first,
        "last_take": last,
        "first_chapter": wavs[0],
        "half_of_chapters": wavs[len(wavs) // 2],
        "last_chapter": wavs[-1],
        "book": (folder / f"{folder.name}.wav").stat().st_mtime,
        "checked": (folder / "check.json").stat().st_mtime,
        "delivered": tasks["deliver"][1],
    }


def of_tasks(home: Path) -> dict[str, tuple[float, float]]:
    """From when to when the last run and its single tasks took, as Prefect recorded it."""
    with closing(sqlite3.connect(home / "prefect" / "prefect.db")) as database:
        query = "select id, start_time, end_time from flow_run order by start_time desc"
        run, *times = database.execute(query).fetchone()
        query = "select name, start_time, end_time from task_run where flow_run_id = ?"
        rows = database.execute(query, (run,)).fetchall()
    found = {"flow": tuple(_stamp(one) for one in times)}
    for name, *times in rows:
        found[name.partition(" ")[0]] = tuple(_stamp(one) for one in times)
    return found  # type: ignore[return-value]


def _stamp(words: str | None) -> float:
    return datetime.fromisoformat(words).replace(tzinfo=UTC).timestamp() if words else 0.0


def main() -> None:
    """Narrate a book to begin with, then each document so many times; print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    common(parser, ["1.7b", "0.6b", "tiny"])
    parser.add_argument("--backend", default="qwen")
    parser.add_argument("--chunks", default="2600", help="of a document, or of several: 16,2600")
    parser.add_argument("--batch", default="auto")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--pace", type=float, default=0.75, help="frames a character")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--words", nargs="*", default=[], help="further options of the command")
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        model = args.model or make_checkpoint(folder / "model", args.size, ends=False)
        home = folder / "home"
        home.mkdir()
        sizes = [int(one) for one in args.chunks.split(",")]
        for number, chunks in enumerate([_WARM_CHUNKS, *sizes * args.rounds]):
            document = folder / f"v{number}.md"
            write_book(document, chunks)
            row = narrated(home, document, model, args)
            print(json.dumps(row), flush=True)
            if not number:
                know_the_voice(home)
                continue
            rows.append({**row, "x_realtime": round(row["audio_s"] / row["wall_s"], 1)})
            keep(args, {"rows": rows})


if __name__ == "__main__":
    main()
