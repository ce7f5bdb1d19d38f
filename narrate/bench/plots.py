"""The plots of a report, by matplotlib where it is installed (extra [bench]); none elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from narrate.bench.figures import Figures, figures_of
from narrate.bench.results import Cell, Results, write_file

__all__ = ["PLOTS", "draw"]

_SIZE, _DOTS = (8.0, 4.5), 120
_FAR_APART = 8.0  # lines so many times above each other need a logarithmic axis to be told apart
_MOST_INSIDE = 5  # lines whose legend finds room inside the plot
_TICKS_APART = 1.2  # on a logarithmic axis; closer ones would be written over each other


def draw(results: Results, folder: Path) -> list[str]:
    """Write the plots of a measurement; returns their file names, none without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return []
    names = []
    for name, (group, plot) in PLOTS.items():
        cells = [(cell, one) for cell in results.group(group) if (one := figures_of(cell))]
        if not cells:
            continue
        figure = Figure(figsize=_SIZE, dpi=_DOTS, layout="constrained")
        FigureCanvasAgg(figure)
        if not plot(figure.subplots(), cells, results):
            continue
        held = BytesIO()
        figure.savefig(held, format="png")
        write_file(folder / f"{name}.png", held.getvalue())
        names.append(f"{name}.png")
    return names


_Cells = list[tuple[Cell, Figures]]


def _lines(
    axes: Any, cells: _Cells, x: str, y: Callable[[Figures], float | None], by: str = "backend"
) -> bool:
    """A line for each value of `by`; True where anything could be drawn."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for cell, one in cells:
        value = y(one)
        if value is not None:
            lines.setdefault(str(cell.axes[by]), []).append((float(cell.axes[x]), value))
    for name, points in lines.items():
        axes.plot(*zip(*sorted(points), strict=True), marker="o", label=name)
    return bool(lines)


def _by_length(axes: Any, cells: _Cells, results: Results) -> bool:
    drawn = _lines(axes, cells, "characters", lambda one: one.real_time)
    axes.set(xscale="log", xlabel="characters in the text", ylabel="times real time")
    rates = [one.real_time for _, one in cells if one.real_time]
    if rates and max(rates) > _FAR_APART * min(rates):
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    _plain_ticks(axes, (float(cell.axes["characters"]) for cell, _ in cells))
    axes.set_title(_title(results, "throughput by text length"))
    _legend(axes)
    return drawn


def _by_batch(axes: Any, cells: _Cells, results: Results) -> bool:
    drawn = _lines(axes, cells, "batch", lambda one: one.ms_per_frame)
    limits: Mapping[str, float] = results.asked.get("about", {}).get("limits", {})
    if limits:
        points = sorted((int(rows), ms) for rows, ms in limits.items())
        axes.plot(*zip(*points, strict=True), "k--", label="limit by the card's data sheet")
    axes.set(xscale="log", yscale="log", xlabel="rows at a time", ylabel="ms a frame")
    _plain_ticks(axes, (float(cell.axes["batch"]) for cell, _ in cells))
    axes.set_title(_title(results, "time of a frame by batch"))
    _legend(axes)
    return drawn


def _drift(axes: Any, cells: _Cells, results: Results) -> bool:
    worst: dict[str, float] = {}
    for cell, _ in cells:
        if cell.work and "to float64" in cell.work.numbers:
            kernel = str(cell.axes["kernel"])
            worst[kernel] = max(worst.get(kernel, 0.0), cell.work.numbers["to float64"])
    axes.barh(list(worst), list(worst.values()))
    axes.invert_yaxis()
    axes.set(xlabel="largest absolute difference to float64, over all lengths")
    axes.set_title(_title(results, "drift of whole sequences in bf16"))
    return bool(worst)


def _by_context(axes: Any, cells: _Cells, results: Results) -> bool:
    largest = max(float(cell.axes["batch"]) for cell, _ in cells)
    shown = [(cell, one) for cell, one in cells if cell.axes["batch"] == largest]
    drawn = _lines(axes, shown, "context", lambda one: 1e6 * one.median_s, "kernel")
    axes.set(xscale="log", yscale="log", xlabel="positions of a row", ylabel="µs a step")
    _plain_ticks(axes, (float(cell.axes["context"]) for cell, _ in shown))
    axes.set_title(_title(results, f"one step at batch {largest:.0f}"))
    _legend(axes)
    return drawn


def _ladder(axes: Any, cells: _Cells, results: Results) -> bool:
    rungs = [(str(cell.axes["rung"]), one.real_time) for cell, one in cells if one.real_time]
    rates = [rate for _, rate in rungs]
    axes.barh([name for name, _ in rungs], rates)
    axes.invert_yaxis()
    axes.set(xlabel="times real time")
    if rates and max(rates) > _FAR_APART * min(rates):
        axes.set(xscale="log", xlim=(min(rates) / 2, max(rates) * 2))
    else:
        axes.set_xlim(0, max(rates, default=1.0) * 1.1)
    axes.xaxis.set_major_formatter("{x:,g}")
    for place, rate in enumerate(rates):
        said = f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"
        axes.annotate(said, (rate, place), (4, 0), textcoords="offset points", va="center")
    axes.set_title(_title(results, "the ladder"))
    return bool(rungs)


def _plain_ticks(axes: Any, places: Iterable[float]) -> None:
    """Numbers as they are instead of powers of ten, and on the x axis only where we measured."""
    shown: list[float] = []
    for place in sorted(set(places)):
        if not shown or place > _TICKS_APART * shown[-1]:
            shown.append(place)
    axes.set_xticks(shown)
    axes.set_xticks([], minor=True)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.yaxis.set_major_formatter("{x:,g}")
    if axes.get_yscale() == "log":
        from matplotlib.ticker import LogLocator

        axes.yaxis.set_minor_locator(LogLocator(subs=(2.0, 5.0)))
        axes.yaxis.set_minor_formatter("{x:,g}")


def _legend(axes: Any) -> None:
    """Inside, or beside the plot where there are too many lines to keep clear of."""
    if len(axes.lines) > _MOST_INSIDE:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    else:
        axes.legend()


def _title(results: Results, what: str) -> str:
    where = results.environment.get("card") or "a processor, no card"
    model = results.asked.get("about", {}).get("model")
    return ", ".join(filter(None, (what, model, where)))


PLOTS: Mapping[str, tuple[str, Callable[[Any, _Cells, Results], bool]]] = {
    "throughput-by-length": ("text", _by_length),
    "ms-a-frame-by-batch": ("batch", _by_batch),
    "ladder": ("ladder", _ladder),
    "drift": ("sequence", _drift),
    "step-by-context": ("step", _by_context),
}
