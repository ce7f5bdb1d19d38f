"""The report of a measurement: what it is worth, findings, tables, method, environment."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from narrate.bench.figures import ENERGY_FROM_S, OUTLIER_RULE, Figures, figures_of
from narrate.bench.findings import findings
from narrate.bench.plots import draw
from narrate.bench.results import Cell, Results, write_file
from narrate.bench.tables import table
from narrate.bench.watchers import seconds

__all__ = ["REPORT", "cell_tables", "report", "worth", "write_report"]

REPORT = "report.md"

_TITLES = {
    "cold": "Cold start until the first audio, each in a process of its own",
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
# Columns that are often the same all the way down, and are said once then.
_OFTEN_COMMON = {"batch", "characters", "runs", "frames", "audio s"}
_Column = tuple[str, Callable[[Cell, Figures], str | None]]


def write_report(results: Results, folder: Path) -> None:
    """Write `report.md` and the plots; `OutputError` where that cannot be."""
    plots = draw(results, folder)
    write_file(folder / REPORT, report(results, plots).encode())


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
    return [
        (_TITLES.get(group, group.capitalize()), _table(results.group(group))) for group in groups
    ]


def _table(cells: Sequence[Cell]) -> str:
    """What all rows have in common in a line, what differs in a table, reasons below it."""
    found = [(cell, figures_of(cell)) for cell in cells]
    axes = list(dict.fromkeys(name for cell in cells for name in cell.axes))
    columns = [*_FIGURES, *_speed_up(cells), *_factors(cells), *_own(cells)]
    head = [*axes, *(name for name, _ in columns)]
    rows = [
        [
            *(str(cell.axes.get(name, "")) for name in axes),
            *("" if one is None else of(cell, one) or "" for _, of in columns),
        ]
        for cell, one in found
    ]
    ran = [row for row, (_, one) in zip(rows, found, strict=True) if one is not None]
    kinds = [{row[place] for row in ran} for place in range(len(head))]
    common = [
        place
        for place, kind in enumerate(kinds)
        if len(ran) > 1 and len(kind) == 1 and head[place] in _OFTEN_COMMON
    ]
    shown = [
        place
        for place, name in enumerate(head)
        if place not in common and (name in axes or kinds[place] - {""})
    ]
    reasons = list(dict.fromkeys(_reason(cell) for cell in cells if _reason(cell)))
    lines = [
        [row[place] for place in shown]
        + ([f"[{reasons.index(_reason(cell)) + 1}]" if _reason(cell) else ""] if reasons else [])
        for row, cell in zip(rows, cells, strict=True)
    ]
    said = [f"{head[place]} {ran[0][place]}" for place in common if ran[0][place]]
    above = f"In all rows: {', '.join(said)}.\n\n" if said else ""
    below = "".join(f"{number}. {why}\n" for number, why in enumerate(reasons, start=1))
    named = [*(head[place] for place in shown), *(["note"] if reasons else [])]
    return above + table(named, lines) + (f"\n{below}" if below else "")


def _reason(cell: Cell) -> str:
    """Why a cell has no figures, or none that count."""
    return cell.failed or ("" if cell.counted else "not run")


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
    """How many times as fast as the rung that it is set against."""
    if not any("rung" in cell.axes for cell in cells):
        return []
    rates = {cell.axes["rung"]: one.real_time for cell in cells if (one := figures_of(cell))}

    def times(cell: Cell, one: Figures) -> str | None:
        before = rates.get(cell.axes["against"])
        return f"{one.real_time / before:.2f}" if one.real_time and before else None

    return [("× against", times)]


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


def _frames(cell: Cell) -> str | None:
    """Of all rows together, and of how many where a cap cut the texts short."""
    work = cell.work
    if work is None or not work.frames:
        return None
    return f"{work.frames:,}" + (f" of {work.whole_frames:,}" if work.cut_short else "")


def _number(cell: Cell, name: str) -> str | None:
    value = None if cell.work is None else cell.work.numbers.get(name)
    return None if value is None else f"{value:,.0f}" if abs(value) >= 1e3 else f"{value:.3g}"


def _shown(value: float | None, how: str) -> str | None:
    return None if value is None else format(value, how)


def _rate(value: float | None) -> str | None:
    return None if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


_FIGURES: tuple[_Column, ...] = (
    ("runs", lambda _, one: str(one.runs)),
    ("median", lambda _, one: seconds(one.median_s)),
    ("min", lambda _, one: seconds(one.min_s)),
    ("max", lambda _, one: seconds(one.max_s)),
    ("outliers", lambda _, one: str(one.outliers) if one.outliers else None),
    ("frames", lambda cell, _: _frames(cell)),
    ("audio s", lambda cell, _: f"{cell.work.audio_s:.1f}" if cell.work and cell.work.audio_s
     else None),
    ("× real time", lambda _, one: _rate(one.real_time)),
    ("characters/s", lambda _, one: _rate(one.characters_per_s)),
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
        "this process where there is no card. Energy is the card's own counter, which moves some "
        f"ten times a second, so it is left out for runs of less than {ENERGY_FROM_S:g} s.",
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
