"""Rewrite the measured tables of README.md from the figures under docs/benchmarks.

    python docs/performance.py

A table stands between two comments that name it; the text around it is written by hand. Reports of
`narrate bench generate` in folders there add their batches and chapters to the table of the engine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from narrate.bench.figures import figures_of
from narrate.bench.results import read_results
from narrate.bench.tables import table

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "README.md"
FIGURES = ROOT / "docs" / "benchmarks"
MARKED = re.compile(r"<!-- measured: (\w+) -->\n.*?<!-- end -->", re.DOTALL)
_TIMES = "seconds of audio a second"
# File, what of it is told, and which of its rows.
_ENGINE = (
    (
        "book-1.7b-h200.json",
        "engine, 1.7B, to FLAC takes on disk (ext4), checked, with the store",
        "record:4",
    ),
    ("book-1.7b-h200-tmpfs.json", "engine, 1.7B", "engine"),
    ("engine-1.7b-h200.json", "engine, 1.7B", ""),
    ("engine-0.6b-h200.json", "engine, 0.6B, before the decoder's 16-bit parts", ""),
    ("official-1.7b-h200.json", "published package, 1.7B", ""),
)


def _link(path: Path) -> str:
    return f"[{path.relative_to(FIGURES).as_posix()}]({path.relative_to(ROOT).as_posix()})"


def _times(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _rows(name: str) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]]:
    held = json.loads((FIGURES / name).read_text(encoding="utf-8"))
    return held, held["rows"]


def _of_engine() -> Iterator[list[str]]:
    seen: set[tuple[str, int]] = set()
    for name, what, wanted in _ENGINE:
        held, rows = _rows(name)
        for row in rows:
            if row.get("pass", "") != wanted:
                continue
            said = f"{what}, {row['attention']}" if "attention" in row else what
            if (said, row["batch"]) not in seen:
                seen.add((said, row["batch"]))
                rate = float(row.get("x_realtime") or row["times_real_time"])
                yield [said, held["card"], str(row["batch"]), _times(rate), _link(FIGURES / name)]
    for path in sorted(FIGURES.glob("*/results.json")):
        results = read_results(path)
        if results.part != "generate" or not results.environment.get("card"):
            continue
        for cell in (*results.group("batch"), *results.group("chapter")):
            figures = figures_of(cell)
            if figures and figures.real_time and not cell.failed:
                frames = results.asked.get("frames")
                length = f"rows of {frames} frames" if frames else "whole texts"
                model = results.asked["about"]["model"]
                what = f"{cell.axes['backend']}, {model}, {cell.group}, {length}"
                card, batch = str(results.environment["card"]), str(cell.axes["batch"])
                yield [what, card, batch, _times(figures.real_time), _link(path)]


def _of_commands() -> Iterator[list[str]]:
    for name in ("commands-pride-and-prejudice.json", "commands-tutorial.json"):
        held, rows = _rows(name)
        document = held["command"].rpartition(" ")[2]
        for row in rows:
            runs = sorted(row["runs_s"])
            wall_s = runs[len(runs) // 2]
            rate = _times(row["audio_s"] / wall_s) if row["audio_s"] else ""
            memory = f"{row['peak_mb']:.0f}"
            yield [document, row["command"], f"{wall_s:.2f}", rate, memory, _link(FIGURES / name)]


_TABLES: Mapping[str, tuple[list[str], Callable[[], Iterator[list[str]]]]] = {
    "engine": (["what", "card", "rows at a time", _TIMES, "figures"], _of_engine),
    "commands": (
        ["document", "command", "s", _TIMES, "MB, all processes", "figures"],
        _of_commands,
    ),
}


def made(page: str) -> str:
    """Return the page with every marked table made anew."""

    def one(found: re.Match[str]) -> str:
        head, rows = _TABLES[found[1]]
        return f"<!-- measured: {found[1]} -->\n{table(head, list(rows()))}<!-- end -->"

    return MARKED.sub(one, page)


if __name__ == "__main__":
    PAGE.write_text(made(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
