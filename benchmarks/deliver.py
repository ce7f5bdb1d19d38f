"""From stored takes to MP3 and M4B: stitched, mastered, encoded; then checked, by itself.

    python -m benchmarks.deliver BOOK --home HOME --json docs/benchmarks/deliver.json

The book is spoken first, in the preview voice, unless HOME has its takes; that is not counted. Each
row is a fresh process in whose work all cores share: `whole` is what `narrate export` does where no
chapter is there yet, `check` is what `narrate check` does then, and the others are the parts of
`whole`, one after the other, in a folder of their own. Processor time is that of the process and of
its encoders, user and system; memory is the sum of all of them, shared pages once, by samples.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.family import peak_bytes
from benchmarks.others import busy_s, cores_of_others
from narrate import studio
from narrate.audio import ffmpeg
from narrate.bench.machine import environment as facts_of_this_machine
from narrate.config import Job, Settings, usable_cores
from narrate.store import Store

FORMATS = "mp3,m4b"
SAMPLE_EVERY_S = 0.2
WORK = """
import json, resource, sys
from functools import partial
from narrate import studio
from narrate.config import Settings
from narrate.store import Store
from narrate.studio.abreast import abreast
from narrate.memory import keep_memory_flat
what, book_id = sys.argv[1:]
keep_memory_flat()
with Store(Settings.from_environment()) as store:
    if what == "check":
        found = studio.check(store.book(book_id).folder).all_faults()
    elif what == "stitch":
        chapters = [part.number for part in store.progress(book_id)]
        def one(number, stop):
            studio.stitch(store, book_id, number, stop)
        abreast([partial(one, number) for number in chapters])
        found = []
    else:
        studio.export(store, book_id, {"format": what})
        found = []
used = {}
for name, who in (("python", resource.RUSAGE_SELF), ("ffmpeg", resource.RUSAGE_CHILDREN)):
    of = resource.getrusage(who)
    used |= {f"{name}_user_s": of.ru_utime, f"{name}_system_s": of.ru_stime}
print(json.dumps({**used, "faults": found}))
"""


def spoken(home: Path, document: Path, out: Path) -> tuple[str, Path]:
    """Plan a book that goes to `out`, and speak what is missing; returns its id and folder."""
    job = Job(str(document), backend="preview", out=str(out), format="mp3")
    with Store(Settings.from_environment({"NARRATE_HOME": str(home)})) as store:
        with store.leases.hold(studio.find_book(store, job).book.id):
            book = studio.plan_book(store, job)
            for _ in studio.speak(store, book.id, lambda now: None):
                pass
        return book.id, book.folder


def encoder() -> str:
    """What the ffmpeg that is run calls itself."""
    said = subprocess.run([ffmpeg.require("this"), "-version"], capture_output=True, check=True)
    return said.stdout.decode().partition("\n")[0]


def measured(what: str, book_id: str, home: Path) -> dict[str, Any]:
    """Do one part in a process of its own."""
    environment = {**os.environ, "NARRATE_HOME": str(home)}
    all_s, started = busy_s(), time.perf_counter()
    with tempfile.TemporaryFile("w+") as said:
        words = [sys.executable, "-c", WORK, what, book_id]
        with subprocess.Popen(words, env=environment, stdout=said) as child:
            peak_mb = peak_bytes(child, SAMPLE_EVERY_S) / 2**20
        wall_s = time.perf_counter() - started
        if child.returncode:
            sys.exit(f"{what} ended with status {child.returncode}")
        said.seek(0)
        used: dict[str, Any] = json.loads(said.read())
    processor_s = sum(value for name, value in used.items() if name.endswith("_s"))
    others = cores_of_others(busy_s() - all_s, processor_s, wall_s)
    return {
        "seconds": round(wall_s, 1),
        "processor_s": round(processor_s, 1),
        "peak_mb": round(peak_mb),
        "cores_busy_with_other_work": others,
    } | {name: round(value, 1) if name != "faults" else value for name, value in used.items()}


def _print(name: str, row: dict[str, Any], audio_s: float) -> None:
    """Add what a row's times are in times real time, and print it."""
    row["times_real_time"] = round(audio_s / row["seconds"], 1)
    row["times_real_time_by_processor"] = round(usable_cores() * audio_s / row["processor_s"], 1)
    print(name, json.dumps(row), flush=True)


def main() -> None:
    """Print what each part took, and what that is times real time."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("book", type=Path)
    parser.add_argument("--home", type=Path, help="keep the takes here; by default nowhere")
    parser.add_argument("--out", type=Path, help="where files are written; by default among temps")
    parser.add_argument("--whole", action="store_true", help="leave the parts out")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--commit", default="")
    options = parser.parse_args()
    rows: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="narrate-bench-", dir=options.out) as folder:
        home, document = options.home or Path(folder) / "home", options.book.resolve()
        book_id, made = spoken(home, document, Path(folder) / "out")
        rows["whole"] = measured(FORMATS, book_id, home)
        manifest = json.loads((made / "book.json").read_text())
        audio_s = sum(chapter["duration_s"] for chapter in manifest["chapters"])
        _print("whole", rows["whole"], audio_s)
        rows["check"] = measured("check", book_id, home)
        _print("check", rows["check"], audio_s)
        if not options.whole:
            shutil.rmtree(made)
            book_id, made = spoken(home, document, Path(folder) / "parts")
            for name, what in (("stitch", "stitch"), ("mp3", "mp3"), ("m4b", FORMATS)):
                rows[name] = measured(what, book_id, home)
                _print(name, rows[name], audio_s)
    if options.json:
        facts = {
            **facts_of_this_machine(options.commit or None),
            "command": " ".join(["python -m benchmarks.deliver", *sys.argv[1:]]),
            "ffmpeg": encoder(),
            "chapters": len(manifest["chapters"]),
            "audio_s": round(audio_s, 1),
            "rows": [{"part": name} | row for name, row in rows.items()],
        }
        options.json.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
