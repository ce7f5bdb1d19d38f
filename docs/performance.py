"""Draw the reports under docs/benchmarks again, and README.md's measured tables from all figures.

    python docs/performance.py

A table stands between two comments that name it; the text around it is written by hand. Reports of
`narrate bench generate` in folders there, taken on a card, are drawn upon without being named.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from narrate.bench.figures import figures_of
from narrate.bench.report import write_report
from narrate.bench.results import Cell, Results, read_results
from narrate.bench.tables import table

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "README.md"
FIGURES = ROOT / "docs" / "benchmarks"
MARKED = re.compile(r"<!-- measured: (\w+) -->\n.*?<!-- end -->", re.DOTALL)
_Table = tuple[list[str], list[list[str]]]
_TIMES = "seconds of audio a second"
_RUNS = ("two-cards-h200.json", "four-cards-h200.json", "two-cards-16000-h200.json")
# File, what of it is told, and which of its rows.
_ENGINE = (
    (
        "book-1.7b-h200.json",
        "engine, 1.7B, to FLAC takes on disk (ext4), checked, with the store, lengths known before",
        "record:4",
    ),
    ("engine-1.7b-h200.json", "engine, 1.7B", ""),
    ("engine-0.6b-h200.json", "engine, 0.6B", ""),
    ("engine-1.7b-h200-7718.json", "engine, 1.7B, 7,718 chunks", ""),
    ("engine-0.6b-h200-7718.json", "engine, 0.6B, 7,718 chunks", ""),
    ("official-1.7b-h200.json", "published package, 1.7B", ""),
)


def _link(path: Path) -> str:
    return f"[{path.relative_to(FIGURES).as_posix()}]({path.relative_to(ROOT).as_posix()})"


def _times(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _rows(name: str) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]]:
    held = json.loads((FIGURES / name).read_text(encoding="utf-8"))
    return held, held["rows"]


def _of_runs() -> Iterator[list[str]]:
    """Whole runs of the product, by how many cards spoke one book."""
    for name in _RUNS:
        held, rows = _rows(name)
        for row in rows:
            cards = "one card" if row["workers"] == 1 else f"{row['workers']} cards"
            what = f"a run on {cards}, {held['asked']['size'].upper()}, {row['takes']:,} chunks"
            rate = _times(row["speaking_x_realtime"])
            yield [what, held["card"], held["asked"]["batch"], rate, _link(FIGURES / name)]


def _of_engine() -> Iterator[list[str]]:
    yield from _of_runs()
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
    for path, results in _reports("generate"):
        for cell in results.group("chapter"):
            figures = figures_of(cell)
            if figures and figures.real_time and not cell.failed:
                model = results.asked["about"]["model"]
                what = f"{_name(cell)}, {model}, a chapter, {_length(cell)}"
                card, batch = str(results.environment["card"]), str(cell.axes["batch"])
                yield [what, card, batch, _times(figures.real_time), _link(path)]


def _reports(part: str) -> Iterator[tuple[Path, Results]]:
    """The reports of `narrate bench` that a card has taken."""
    for path in sorted(FIGURES.glob("*/results.json")):
        results = read_results(path)
        if results.part == part and results.environment.get("card"):
            yield path, results


def _name(cell: Cell) -> str:
    package, _, attention = str(cell.axes["backend"]).partition(":")
    named = {"official": "published package", "qwen": "engine"}[package.partition("+")[0]]
    return ", ".join(filter(None, (named, attention)))


def _length(cell: Cell) -> str:
    assert cell.work is not None
    return f"{cell.work.steps} frames a row at most" if cell.work.cut_short else "whole texts"


def _of_batches() -> _Table:
    """Times real time by rows at a time, a line for a backend of a report."""
    lines: dict[tuple[str, ...], dict[int, str]] = {}
    for path, results in _reports("generate"):
        for cell in results.group("batch"):
            figures = figures_of(cell)
            if figures and figures.real_time and not cell.failed:
                what = f"{_name(cell)}, {results.asked['about']['model']}, {_length(cell)}"
                line = (what, str(results.environment["card"]), _link(path))
                lines.setdefault(line, {})[int(cell.axes["batch"])] = _times(figures.real_time)
    batches = sorted({batch for held in lines.values() for batch in held})
    head = ["what", "card", *(f"{batch:,} row{'s' * (batch > 1)}" for batch in batches), "figures"]
    rows = [
        [what, card, *(held.get(batch, "") for batch in batches), link]
        for (what, card, link), held in lines.items()
    ]
    return head, rows


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


def _engine() -> _Table:
    return ["what", "card", "rows at a time", _TIMES, "figures"], list(_of_engine())


def _ladder() -> _Table:
    """Each rung of the ladder of the published package and the engine, by the report's order."""
    head = ["rung", "rows", _TIMES, "times as fast", "as", "card", "figures"]
    rows = []
    for path, results in _reports("optimizations"):
        found = [(cell, figures_of(cell)) for cell in results.cells if not cell.failed]
        rates = {
            str(cell.axes["rung"]): one.real_time for cell, one in found if one and one.real_time
        }
        for cell, _ in found:
            rung, against = str(cell.axes["rung"]), str(cell.axes["against"])
            if rung in rates:
                factor = f"{rates[rung] / rates[against]:.2f}" if against in rates else ""
                beside = against if factor else ""
                card = str(results.environment["card"])
                told = [rung, str(cell.axes["batch"]), _times(rates[rung])]
                rows.append([*told, factor, beside, card, _link(path)])
    return head, rows


def _weights() -> _Table:
    """A frame by how its weights are kept, and how far its logits are from those of fp32."""
    head = ["weights", "rows", "ms a frame", _TIMES, "distance: talker", "predictor", "figures"]
    files = ("few-rows-h200.json", "teacher-1.7b-h200.json")
    held = json.loads((FIGURES / files[0]).read_text(encoding="utf-8"))
    link = ", ".join(_link(FIGURES / file) for file in files)
    frames = {"bf16": held["after"]["1.7b"], **held["weights"]}
    ways = {"engine, library": "bf16"} | {f"engine, library, {one}": one for one in held["weights"]}
    lines = []
    for far in _rows(files[1])[1]:
        name, rows = ways.get(str(far["way"])), far["rows"]
        for frame in frames.get(name or "", ()):
            if frame["batch"] == rows:
                told = [f"{frame['frame']:.2f}", _times(frame["x_realtime"])]
                apart = [f"{far[f'{part}_relative']:.4f}" for part in ("talker", "predictor")]
                lines.append([str(name), str(rows), *told, *apart, link])
    return head, lines


def _commands() -> _Table:
    head = ["document", "command", "s", _TIMES, "MB, all processes", "figures"]
    return head, list(_of_commands())


def _whole() -> _Table:
    """Seconds from a command to what it leaves behind, a column for each document."""
    told = {
        "speak": "the book is planned, Prefect's server is there",
        "first_take": "the first takes are stored",
        "first_chapter": "a first chapter is written",
        "last_take": "the last takes are stored",
        "last_chapter": "all chapters are written",
        "book": "the book in one file is written",
        "checked": "all files are checked",
    }
    runs: dict[int, list[Mapping[str, Any]]] = {}
    for row in _rows("whole-1.7b-h200.json")[1]:
        runs.setdefault(row["chunks"], []).append(row)
    heads = [f"{chunks:,} chunks, {_length_of(some[0])}" for chunks, some in runs.items()]
    lines = [
        [what, *(_range(row["at_s"][moment] for row in some) for some in runs.values())]
        for moment, what in told.items()
    ]
    walls = (_range(row["wall_s"] for row in some) for some in runs.values())
    return ["s until", *heads], [*lines, ["the command ends", *walls]]


def _length_of(row: Mapping[str, Any]) -> str:
    hours = row["audio_s"] / 3600
    return f"{hours:.1f} hours" if hours >= 1 else f"{row['audio_s'] / 60:.0f} minutes"


def _range(values: Iterable[float]) -> str:
    found = [f"{value:.1f}" for value in sorted(values)]
    return found[0] if found[0] == found[-1] else f"{found[0]} to {found[-1]}"


def _deliver() -> _Table:
    head = ["what", "s", "s of processors", "cores of others", _TIMES]
    told = {
        "whole": "takes to 61 MP3 files and an M4B",
        "stitch": "of it: stitched and mastered",
        "mp3": "of it: MP3",
        "m4b": "of it: M4B",
        "check": "the check of all files",
    }
    whole, parts = "deliver.json", "deliver-parts.json"
    found = {
        part: (name, row)
        for name in (parts, whole)
        for row in _rows(name)[1]
        if (part := str(row["part"])) in told
    }
    lines = [
        [
            told[part],
            f"{row['seconds']:.0f}",
            f"{row['processor_s']:.0f}",
            f"{row['cores_busy_with_other_work']:.2g}",
            _times(row["times_real_time"]),
            f"{row['peak_mb']:.0f}",
            _link(FIGURES / name),
        ]
        for part, (name, row) in sorted(found.items(), key=lambda one: list(told).index(one[0]))
    ]
    return [*head, "MB, all processes", "figures"], lines


_TABLES: Mapping[str, Callable[[], _Table]] = {
    "engine": _engine,
    "batches": _of_batches,
    "ladder": _ladder,
    "weights": _weights,
    "commands": _commands,
    "whole": _whole,
    "deliver": _deliver,
}


def made(page: str) -> str:
    """Return the page with every marked table made anew."""

    def one(found: re.Match[str]) -> str:
        head, rows = _TABLES[found[1]]()
        return f"<!-- measured: {found[1]} -->\n{table(head, rows)}<!-- end -->"

    return MARKED.sub(one, page)


if __name__ == "__main__":
    if find_spec("matplotlib") is None:
        print("the reports stay as they are: their plots need matplotlib", file=sys.stderr)
    else:
        for results in FIGURES.glob("*/results.json"):
            write_report(read_results(results), results.parent)
    PAGE.write_text(made(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
