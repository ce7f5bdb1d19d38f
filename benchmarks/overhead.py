"""What Prefect costs a book: the command with its embedded server against the library alone.

    python -m benchmarks.overhead --chunks 200 5000 --json docs/benchmarks/overhead.json

Both do the same in a fresh process each, in a warm home, with the preview voice; `library` calls
the steps of `narrate.studio` one after the other. The processor time is that of the process and
of those it started, Prefect's server among them, and as `driver` that of the process alone; the
memory is the peak of the process that speaks, without its children. A row names the cores that
others kept busy in its worst run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.others import busy_s, cores_of_others
from narrate.bench.machine import environment as facts_of_this_machine

LIBRARY = """
import sys
from narrate import studio
from narrate.config import Job, Settings
from narrate.store import Store
with Store(Settings.from_environment()) as store:
    job = Job(sys.argv[1])
    with store.leases.hold(studio.find_book(store, job).book.id) as lease:
        book = studio.plan_book(store, job)
        for chapter in studio.speak(store, book.id, lambda now: None):
            studio.stitch(store, book.id, chapter)
            studio.encode_chapter(store, book.id, chapter)
        studio.checked(studio.deliver(store, book.id))
"""
COMMAND = "from narrate.cli import main; main()"
AT_EXIT = """
import atexit, os, resource
def used():
    of = resource.getrusage(resource.RUSAGE_SELF)
    with open(os.environ["DRIVER_USED"], "w") as file:
        print(of.ru_utime + of.ru_stime, file=file)
atexit.register(used)
"""


def write_book(path: Path, chunks: int) -> None:
    """Write a text of so many chunks, chapters of a hundred."""
    lines = ["# A book"]
    for number in range(1, chunks + 1):
        if number % 100 == 1:
            lines.append(f"## Part {number // 100 + 1}")
        lines.append(f"Sentence {number} tells of ship {number * 7}, of its crew, and of the sea.")
    path.write_text("\n\n".join(lines) + "\n")


@dataclass(frozen=True, slots=True)
class Run:
    """One run: seconds by the clock and of processors, its peak memory, and what others used."""

    wall_s: float
    cpu_s: float
    driver_s: float
    peak_mb: float
    others_cores: float


def timed(code: str, book: Path, home: Path, cwd: Path) -> Run:
    """Run once."""
    told = cwd / "used"
    environment = {**os.environ, "NARRATE_HOME": str(home), "DRIVER_USED": str(told)}
    environment.pop("PREFECT_API_URL", None)
    cwd.mkdir(parents=True)
    all_s, started = busy_s(), time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", AT_EXIT + code, str(book)],
        env=environment,
        cwd=cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"a run ended with status {status}")
    wall_s, cpu_s = time.perf_counter() - started, used.ru_utime + used.ru_stime
    others = cores_of_others(busy_s() - all_s, cpu_s, wall_s)
    driver_s = round(float(told.read_text()), 2)
    return Run(round(wall_s, 2), round(cpu_s, 2), driver_s, used.ru_maxrss / 1024, others)


def _compared(runs: dict[str, list[Run]]) -> dict[str, Any]:
    wall_s = {way: statistics.median(run.wall_s for run in some) for way, some in runs.items()}
    cpu_s = {way: statistics.median(run.cpu_s for run in some) for way, some in runs.items()}
    driver_s = {way: statistics.median(run.driver_s for run in some) for way, some in runs.items()}
    over_s = wall_s["command"] - wall_s["library"]
    return {
        "library_s": [run.wall_s for run in runs["library"]],
        "command_s": [run.wall_s for run in runs["command"]],
        "overhead_s": round(over_s, 2),
        "overhead_percent": round(100 * over_s / wall_s["library"], 2),
        "library_cpu_s": [run.cpu_s for run in runs["library"]],
        "command_cpu_s": [run.cpu_s for run in runs["command"]],
        "overhead_cpu_s": round(cpu_s["command"] - cpu_s["library"], 2),
        "library_driver_s": [run.driver_s for run in runs["library"]],
        "command_driver_s": [run.driver_s for run in runs["command"]],
        "overhead_driver_s": round(driver_s["command"] - driver_s["library"], 2),
        "peak_mb": {way: round(max(run.peak_mb for run in some)) for way, some in runs.items()},
        "cores_busy_with_other_work": max(
            run.others_cores for some in runs.values() for run in some
        ),
    }


def main() -> None:
    """Print what each book took either way."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--chunks", type=int, nargs="+", default=[200])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--commit", default="")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for chunks in options.chunks:
        with tempfile.TemporaryDirectory(prefix="narrate-bench-") as folder:
            top = Path(folder)
            runs: dict[str, list[Run]] = {"library": [], "command": []}
            write_book(top / "warm.md", 1)
            timed(COMMAND, top / "warm.md", top / "home", top / "warm")
            for number in range(options.runs):
                for way, code in (("library", LIBRARY), ("command", COMMAND)):
                    book = top / f"{way}{number}.md"
                    write_book(book, chunks)
                    # Another first line: the takes of one way must not serve the other.
                    book.write_text(book.read_text().replace("of the sea", f"of {way} {number}"))
                    runs[way].append(timed(code, book, top / "home", top / f"{way}{number}"))
            row = {"chunks": chunks} | _compared(runs)
            rows.append(row)
            print(json.dumps(row), flush=True)
    if options.json:
        facts = {
            **facts_of_this_machine(options.commit or None),
            "command": " ".join(["python -m benchmarks.overhead", *sys.argv[1:]]),
            "rows": rows,
        }
        options.json.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
