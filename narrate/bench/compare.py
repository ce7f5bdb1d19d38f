"""Two measurements side by side: ratios of medians, and whether they exceed the spread."""

from __future__ import annotations

from narrate.bench.figures import Figures, figures_of, too_few_runs
from narrate.bench.results import Cell, Results
from narrate.bench.tables import table
from narrate.bench.watchers import seconds
from narrate.errors import InputError

__all__ = ["comparison"]

_DIFFERENT = ("card", "processor", "commit", "python", "versions")


def comparison(a: Results, b: Results) -> str:
    """A Markdown table of the cells that both have; B's time over A's, below 1 where B is faster.

    A difference counts when the runs do not overlap: the slowest of one is faster than the fastest
    of the other. `InputError` for two measurements that have nothing in common.
    """
    if a.part != b.part:
        raise InputError(
            f"these measure different things: {a.part} and {b.part}",
            remedy="compare two results of the same command",
        )
    others = {(cell.group, cell.name): cell for cell in b.cells}
    rows = []
    for cell in a.cells:
        other = others.get((cell.group, cell.name))
        if other is not None:
            rows.append(_row(cell, other))
    if not rows:
        raise InputError(
            "these results have no cell in common",
            remedy="measure the same backends, lengths and batches in both",
        )
    head = ["table", "cell", "A median", "A min to max", "B median", "B min to max", "B / A", ""]
    notes = [f"- {name}: {_said(a, name)} / {_said(b, name)}" for name in _DIFFERENT
             if a.environment.get(name) != b.environment.get(name)]  # fmt: skip
    alone = len(a.cells) + len(b.cells) - 2 * len(rows)
    notes += [f"- {alone} cells stand in one of the two only"] if alone else []
    said = "\n".join(["", "What else differs (A / B):", *notes, ""]) if notes else ""
    return table(head, rows) + said


def _said(results: Results, name: str) -> str:
    value = results.environment.get(name)
    if isinstance(value, dict):
        return ", ".join(f"{key} {one}" for key, one in value.items())
    return str(value)


def _row(a: Cell, b: Cell) -> list[str]:
    before, after = figures_of(a), figures_of(b)
    if before is None or after is None or a.failed or b.failed:
        return [a.group, a.name, *_sides(before), *_sides(after), "", a.failed or b.failed or ""]
    return [
        a.group,
        a.name,
        *_sides(before),
        *_sides(after),
        f"{after.median_s / before.median_s:.3f}" if before.median_s else "",
        _verdict(a, b, before, after),
    ]


def _sides(figures: Figures | None) -> list[str]:
    if figures is None:
        return ["", ""]
    return [seconds(figures.median_s), f"{seconds(figures.min_s)} to {seconds(figures.max_s)}"]


def _verdict(a: Cell, b: Cell, before: Figures, after: Figures) -> str:
    if a.work and b.work and a.work.amount != b.work.amount:
        return "unequal work"
    if too_few_runs(before, after):
        return "one run says little"
    if after.max_s < before.min_s:
        return "B is faster"
    if before.max_s < after.min_s:
        return "A is faster"
    return "within the spread"
