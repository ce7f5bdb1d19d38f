"""Time the command from outside, as its user does: `make bench [BOOK=path]`.

Each row is a fresh process in a home of its own: wall time, the peak of all its processes' memory
together, and what the run's audio adds up to. "cold" has no home, "warm" has one whose database
and Prefect files exist but no take of the document, "again" has nothing left to do.

Memory is the proportional share (PSS) where the system tells it, so pages that processes share
count once; it is sampled, so a peak of some milliseconds can be missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import soundfile
from rich.console import Console
from rich.table import Table

from benchmarks.family import peak_bytes
from narrate.config import usable_cores

SAMPLE_EVERY_S = 0.05
COMMAND = Path(sys.executable).with_name("narrate")
TUTORIAL = Path(__file__).resolve().parents[1] / "data" / "tokenization-tutorial.md"


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of the command."""

    wall_s: float
    peak_bytes: int
    stdout: str


def measure(words: list[str], home: Path, cwd: Path) -> Measured:
    """Run the command once and watch it; a failure ends the benchmark with its own words."""
    environment = os.environ | {"NARRATE_HOME": str(home)}
    environment.pop("PREFECT_API_URL", None)
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        started = time.monotonic()
        with subprocess.Popen(
            [str(COMMAND), *words], cwd=cwd, env=environment, stdout=out, stderr=err
        ) as child:
            peak = peak_bytes(child, SAMPLE_EVERY_S)
        wall_s = time.monotonic() - started
        out.seek(0)
        err.seek(0)
        if child.returncode:
            ended = f"ended with {child.returncode}: {err.read()}"
            sys.exit(f"narrate {' '.join(words)} {ended}")
        return Measured(wall_s, peak, out.read())


def audio_s(run: Measured) -> float:
    """Return how long the WAV is whose path the command printed."""
    return float(soundfile.info(run.stdout.strip()).duration)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("book", nargs="?", type=Path, default=TUTORIAL)
    parser.add_argument("--runs", type=int, default=3, help="runs of the short commands")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    document = str(options.book.resolve())

    rows: list[dict[str, object]] = []
    table = Table("command", "wall s", "min to max", "peak MB", "audio s", "x real time")

    def add(name: str, runs: list[Measured], *, speaks: bool = False) -> None:
        walls = [run.wall_s for run in runs]
        wall_s, length_s = statistics.median(walls), audio_s(runs[0]) if speaks else 0.0
        peak_bytes = max(run.peak_bytes for run in runs)
        rows.append(
            {"command": name, "runs_s": walls, "peak_mb": peak_bytes / 1e6, "audio_s": length_s}
        )
        table.add_row(
            name,
            f"{wall_s:.2f}",
            f"{min(walls):.2f} to {max(walls):.2f}",
            f"{peak_bytes / 1e6:.0f}",
            f"{length_s:.0f}" if speaks else "",
            f"{length_s / wall_s:.0f}" if speaks else "",
        )

    with tempfile.TemporaryDirectory(prefix="narrate-bench-") as folder:
        cwd, home = Path(folder), Path(folder, "home")
        add("narrate, cold", [measure([document], home, cwd)], speaks=True)
        # Another pace is another set of takes: a home that exists, and nothing spoken in it.
        fresh = [document, "--speed", "1.01", "--out", "warm"]
        add("narrate, warm", [measure(fresh, home, cwd)], speaks=True)
        again = [measure([document], home, cwd) for _ in range(options.runs)]
        add("narrate, again", again)
        for words in (["plan", document], ["status"], ["--help"]):
            runs = [measure(words, home, cwd) for _ in range(options.runs)]
            add(" ".join(["narrate", words[0]]), runs)

    console = Console()
    console.print(
        f"{options.book.name}; Python {platform.python_version()}, {platform.system()} "
        f"{platform.machine()}, {usable_cores()} cores",
        highlight=False,
    )
    console.print(table)
    if options.json:
        options.json.write_text(
            json.dumps({**machine(options.book), "rows": rows}, indent=1) + "\n"
        )


def machine(book: Path) -> dict[str, object]:
    """Return what a figure has to name: machine, versions, command, commit."""
    root = Path(__file__).resolve().parents[1]
    asked = ["git", "-C", str(root), "describe", "--always", "--dirty"]
    git = subprocess.run(asked, capture_output=True, text=True, check=False)
    versions = ("narrate", "prefect", "numpy", "soundfile", "espeakng-loader")
    return {
        "machine": f"{platform.system()} {platform.machine()}, {usable_cores()} cores",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in versions},
        "command": f"python -m benchmarks.commands {book.name}",
        "commit": git.stdout.strip(),
    }


if __name__ == "__main__":
    main()
