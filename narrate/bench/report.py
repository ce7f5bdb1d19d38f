"""The report of a measurement: what it is worth, findings, tables, method, environment."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

from narrate.bench.figures import OUTLIER_RULE, Figures, figures_of
from narrate.bench.findings import findings
from narrate.bench.plots import draw
from narrate.bench.results import Cell, Results, write_file
from narrate.bench.tables import table
from narrate.bench.texts import frames_for
from narrate.bench.watchers import seconds

__all__ = ["cell_tables", "report", "worth", "write_report"]

_TITLES = {
    "cold": "Cold start, each in a process of its own",
    "prompt": "Voice prompt alone",
    "text": "Texts by length",
    "batch": "Batches",
    "together": "Voice prompt and generation, together and apart",
    "reference": "Longer recordings, so more positions for the same frames",
    "chapter": "A whole chapter",
    "sequence": "Whole sequences",
    "packed": "Several sequences at once",
    "step": "One step of this model: a query a row",
    "ladder": "The ladder",
}
_Column = tuple[str, Callable[[Cell, Figures], str | None]]


def write_report(results: Results, folder: Path) -> None:
    """Write `report.md` and the plots; `OutputError` where that cannot be."""
    plots = draw(results, folder)
    write_file(folder / "report.md", report(results, plots).encode())


def report(results: Results, plots: Sequence[str]) -> str:
    """The report as Markdown; `plots` are the files beside it."""
    about = results.asked.get("about", {})
    parts = [f"# narrate bench {results.part}\n", f"`{results.command}`, {results.made_at}\n"]
    parts += [
        f"{name.capitalize()}: {value}.\n"
        for name, value in about.items()
        if isinstance(value, str)
    ]
    if results.stopped:
        parts.append(f"**Not complete: {results.stopped}.** What follows was measured before.\n")
    parts.append(f"{worth(results)}\n")
    parts.append("## Findings\n")
    parts.append("".join(f"- {one}\n" for one in findings(results)))
    parts += [f"![{Path(name).stem}]({name})\n" for name in plots]
    parts += [f"## {title}\n\n{body}" for title, body in cell_tables(results)]
    parts.append(f"## How it was measured\n\n{_method(results)}")
    parts.append(f"## Environment\n\n{_environment(results)}")
    return "\n".join(parts)


def worth(results: Results) -> str:
    """What these figures say, and what they do not."""
    environment = results.environment
    if results.part not in ("generate", "attention", "optimizations"):
        return "No model takes part here; the figures hold for this machine's processor and disk."
    if environment.get("card"):
        return f"Measured on {environment['card']}; other cards differ."
    size = results.asked.get("about", {}).get("model", "")
    toy = " and a toy model" if "tiny" in str(size) else ""
    return (
        f"**Measured on a processor{toy}, not on a card.** It shows that everything runs, that all "
        "cells do equal work, and what the programs around the model cost; it says nothing about "
        "which backend or attention is faster on a card."
    )


def cell_tables(results: Results) -> list[tuple[str, str]]:
    """A title and a Markdown table for each group of cells."""
    groups = dict.fromkeys(cell.group for cell in results.cells)
    about = results.asked.get("about", {})
    cap = about.get("most_frames") or results.asked.get("frames")
    return [
        (_TITLES.get(group, group.capitalize()), _table(results.group(group), cap))
        for group in groups
    ]


def _table(cells: Sequence[Cell], cap: int | None) -> str:
    axes = list(dict.fromkeys(name for cell in cells for name in cell.axes))
    found = [figures_of(cell) for cell in cells]
    pairs = [(cell, one) for cell, one in zip(cells, found, strict=True) if one is not None]
    spoken: tuple[_Column, ...] = (
        ("frames", lambda cell, _: _frames(cell, cap)),
        (
            "characters/s",
            lambda cell, one: None if _cut_short(cell, cap) else _rate(one.characters_per_s),
        ),
    )
    columns = [*_TIMES, *spoken, *_RATES, *_speed_up(cells), *_factors(cells), *_own(cells)]
    shown = [(name, of) for name, of in columns if any(of(cell, one) for cell, one in pairs)]
    failed = any(cell.failed for cell in cells)
    rows = []
    for cell, one in zip(cells, found, strict=True):
        row = [str(cell.axes.get(name, "")) for name in axes]
        row += ["" if one is None else of(cell, one) or "" for _, of in shown]
        rows.append([*row, cell.failed or ("" if cell.counted else "not run")] if failed else row)
    return table([*axes, *(name for name, _ in shown), *(["why not"] if failed else [])], rows)


def _speed_up(cells: Sequence[Cell]) -> list[_Column]:
    """How many times as fast as the first kernel of the same shape, which is the plain one."""
    first: dict[tuple[object, ...], tuple[str, float]] = {}

    def shape(cell: Cell) -> tuple[object, ...]:
        return tuple(value for name, value in cell.axes.items() if name != "kernel")

    for cell in cells:
        one = figures_of(cell)
        if "kernel" in cell.axes and one is not None:
            first.setdefault(shape(cell), (str(cell.axes["kernel"]), one.median_s))
    if not first:
        return []
    (name, _), *_ = first.values()

    def times(cell: Cell, one: Figures) -> str | None:
        found = first.get(shape(cell))
        return f"{found[1] / one.median_s:.2f}" if found and one.median_s else None

    return [(f"× {name}", times)]


def _factors(cells: Sequence[Cell]) -> list[_Column]:
    """How many times as fast as the rung below that ran."""
    held = [(cell, figures_of(cell)) for cell in cells if "rung" in cell.axes]
    rates = [(cell.name, one.real_time) for cell, one in held if one and one.real_time]
    below = {name: rate / before for (_, before), (name, rate) in pairwise(rates)}
    if not below:
        return []
    return [("× rung below", lambda cell, _: _shown(below.get(cell.name), ".2f"))]


def _own(cells: Sequence[Cell]) -> list[_Column]:
    """Columns for the parts of a run and for whatever numbers came out of it."""
    parts = dict.fromkeys(name for cell in cells for run in cell.runs for name in run.parts)
    numbers = dict.fromkeys(name for cell in cells if cell.work for name in cell.work.numbers)
    columns: list[_Column] = []
    for name in parts:
        columns.append((name, lambda cell, _, name=name: _part(cell, name)))  # type: ignore[misc]
    for name in numbers:
        columns.append((name, lambda cell, _, name=name: _number(cell, name)))  # type: ignore[misc]
    return columns


def _part(cell: Cell, name: str) -> str | None:
    times = [run.parts[name] for run in cell.counted if name in run.parts]
    return seconds(statistics.median(times)) if times else None


def _frames(cell: Cell, cap: int | None) -> str | None:
    """Of all rows together, and of how many where a cap cut the text short."""
    if cell.work is None or not cell.work.frames:
        return None
    whole = f" of {_whole_frames(cell):,}" if _cut_short(cell, cap) else ""
    return f"{cell.work.frames:,}{whole}"


def _cut_short(cell: Cell, cap: int | None) -> bool:
    """Whether every row ended at the cap, before its text was over."""
    work = cell.work
    return (
        work is not None
        and cap is not None
        and work.rows * cap == work.frames < _whole_frames(cell)
    )


def _whole_frames(cell: Cell) -> int:
    characters = cell.axes.get("characters")
    return cell.work.rows * frames_for(int(characters)) if cell.work and characters else 0


def _number(cell: Cell, name: str) -> str | None:
    value = None if cell.work is None else cell.work.numbers.get(name)
    return None if value is None else f"{value:.3g}"


def _shown(value: float | None, how: str) -> str | None:
    return None if value is None else format(value, how)


def _rate(value: float | None) -> str | None:
    return None if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


_TIMES: tuple[_Column, ...] = (
    ("runs", lambda _, one: str(one.runs)),
    ("median", lambda _, one: seconds(one.median_s)),
    ("min", lambda _, one: seconds(one.min_s)),
    ("max", lambda _, one: seconds(one.max_s)),
    ("outliers", lambda _, one: str(one.outliers) if one.outliers else None),
)
_RATES: tuple[_Column, ...] = (
    ("audio s", lambda cell, _: f"{cell.work.audio_s:.1f}" if cell.work and cell.work.audio_s
     else None),
    ("× real time", lambda _, one: _rate(one.real_time)),
    ("frames/s", lambda _, one: _shown(one.frames_per_s, ".1f")),
    ("ms a frame", lambda _, one: _shown(one.ms_per_frame, ".2f")),
    ("peak GB", lambda _, one: _shown(one.peak_bytes and one.peak_bytes / 1e9, ".2f")),
    ("energy J", lambda _, one: _shown(one.energy_j, ".1f")),
)  # fmt: skip


_OPENING = (
    "The first run of each cell, or of the first of several that compute at the same sizes, is not "
    "counted: on a card first runs took up to 60 % longer. Its time is in `results.json`, as round "
    "0."
)


def _method(results: Results) -> str:
    opening = any(not run.round for cell in results.cells for run in cell.runs)
    lines = [
        *([_OPENING] if opening else []),
        "Every round runs each cell once, after a warm-up outside the clock. A model is loaded "
        "alone, and anew in each round unless it comes next again; odd and even rounds go through "
        "the cells in opposite order, so drift favours nobody.",
        "The clock starts and stops when the card has done all it was given. Median, minimum and "
        f"maximum are over all runs; {OUTLIER_RULE}.",
        "Memory is the highest that torch allocated on the card, or the highest resident memory of "
        "this process where there is no card. Energy is the card's own counter.",
    ]
    seen = {cell.work.amount for cell in results.group("batch") if cell.work}
    if results.part == "generate" and seen:
        lines.append(
            "Equal work: the frames that came out were counted in every run; a cell whose runs "
            "differ is marked in its row."
        )
    return "".join(f"- {line}\n" for line in lines)


def _environment(results: Results) -> str:
    rows = []
    for name, value in results.environment.items():
        said = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        rows.append([name.replace("_", " "), "none" if said is None else str(said)])
    return table(["what", "value"], rows)
