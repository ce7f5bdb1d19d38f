"""What the numbers say, in sentences that are computed from them and from nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from narrate.bench.figures import Figures, figures_of, too_few_runs
from narrate.bench.machine import BUSY_SHARE
from narrate.bench.results import Axis, Cell, Results
from narrate.bench.watchers import seconds

__all__ = ["findings"]

_Groups = Mapping[tuple[Axis, ...], list[tuple[Cell, Figures]]]


def findings(results: Results) -> list[str]:
    """One sentence a finding; first what belongs to the part, then what concerns its quality."""
    own = _OF_PART.get(results.part)
    return [*(own(results) if own else ()), *_quality(results)]


def _quality(results: Results) -> Iterator[str]:
    failed = [cell for cell in results.cells if cell.failed]
    missing = [cell for cell in results.cells if not cell.failed and not cell.counted]
    marked = [(cell, one) for cell, one in _measured(results.cells) if one.outliers]
    cells = len(results.cells)
    yield (
        f"{cells - len(failed) - len(missing)} of {cells} cells were measured"
        + (f"; {len(failed)} {_verb(failed, 'says', 'say')} why not" if failed else "")
        + (f"; {len(missing)} {_verb(missing, 'was', 'were')} not reached" if missing else "")
        + "."
    )
    unequal = [cell for cell in failed if "unequal work" in (cell.failed or "")]
    if unequal:
        yield f"{len(unequal)} cells did unequal work and count for nothing."
    if marked:
        count = sum(one.outliers for _, one in marked)
        yield f"{count} runs in {len(marked)} cells are marked as outliers, and are in the figures."
    load, cores = results.environment.get("load_at_start"), results.environment.get("cores")
    if load is not None and cores and load > BUSY_SHARE * cores:
        yield (
            f"The machine was busy when it began (load {load} on {cores} cores): times are upper "
            "bounds, and differences may be somebody else's."
        )


def _verb(cells: Sequence[Cell], one: str, several: str) -> str:
    return one if len(cells) == 1 else several


def _measured(cells: tuple[Cell, ...]) -> list[tuple[Cell, Figures]]:
    found = [(cell, figures_of(cell)) for cell in cells if cell.failed is None]
    return [(cell, one) for cell, one in found if one is not None]


def _by_axes(
    cells: tuple[Cell, ...], *names: str
) -> Mapping[tuple[Axis, ...], list[tuple[Cell, Figures]]]:
    groups: dict[tuple[Axis, ...], list[tuple[Cell, Figures]]] = {}
    for cell, one in _measured(cells):
        groups.setdefault(tuple(cell.axes[name] for name in names), []).append((cell, one))
    return groups


def _against(groups: _Groups, what: str, by: str = "backend") -> Iterator[str]:
    """Who is fastest in each group, and whether the runs are apart at all."""
    for axes, held in groups.items():
        if len(held) < 2:
            continue
        ranked = sorted(held, key=lambda pair: pair[1].median_s)
        (best, first), (other, second) = ranked[:2]
        where = what.format(*axes)
        ratio = second.median_s / first.median_s
        if too_few_runs(first, second):
            yield (
                f"{where}: {best.axes[by]} took {seconds(first.median_s)} and {other.axes[by]} "
                f"{seconds(second.median_s)}, in one run each: too few for a small difference."
            )
        elif first.max_s < second.min_s:
            yield (
                f"{where}: {best.axes[by]} is {ratio:.2f} times as fast as "
                f"{other.axes[by]}, and no run overlaps."
            )
        else:
            yield (
                f"{where}: {best.axes[by]} and {other.axes[by]} are not told apart "
                f"({ratio:.2f} between the medians, and their runs overlap)."
            )


def _published(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """The published package's cells where others ran too: it is never the fastest beside them."""
    own = tuple(cell for cell in cells if str(cell.axes["backend"]).startswith("official"))
    return own if len(own) < len(cells) else ()


def _generate(results: Results) -> Iterator[str]:
    cold = _by_axes(results.group("cold"), "kernel cache")
    yield from _against(cold, "a cold start, kernel cache {0}")
    yield from _against(_by_axes(results.group("text"), "characters"), "{0} characters")
    yield from _against(_by_axes(results.group("batch"), "batch"), "batch {0}")
    yield from _against(_by_axes(results.group("chapter"), "batch"), "a chapter at batch {0}")
    longer = _by_axes(results.group("reference"), "reference s")
    yield from _against(longer, "a recording of {0} s")
    for group, axis, what in (
        ("text", "characters", "{0} characters"),
        ("batch", "batch", "batch {0}"),
        ("reference", "reference s", "a recording of {0} s"),
    ):
        alone = _by_axes(_published(results.group(group)), axis)
        yield from _against(alone, f"the published package, {what}")
    for (backend,), held in _by_axes(results.group("batch"), "backend").items():
        ranked = sorted(held, key=lambda pair: float(pair[0].axes["batch"]))
        (few, slow), (many, fast) = ranked[0], ranked[-1]
        if few is not many and slow.real_time and fast.real_time:
            yield (
                f"{backend}: from batch {few.axes['batch']} to {many.axes['batch']} the speed "
                f"grows {fast.real_time / slow.real_time:.1f} times, to {fast.real_time:.3g} times "
                "real time."
            )
    amounts = {
        (cell.axes["characters"], cell.work.rows): cell.work.frames
        for cell, _ in _measured(results.group("text"))
        if cell.work
    }
    same = all(
        cell.work is None or amounts[cell.axes["characters"], cell.work.rows] == cell.work.frames
        for cell, _ in _measured(results.group("text"))
    )
    if amounts:
        yield (
            "All backends spoke the same number of frames for the same text."
            if same
            else "Backends spoke different numbers of frames for the same text: compare their "
            "milliseconds a frame, not their seconds."
        )


def _attention(results: Results) -> Iterator[str]:
    whole = _by_axes(results.group("sequence"), "length")
    steps = _by_axes(results.group("step"), "context", "batch")
    tables = (("Whole sequences", whole, "lengths"), ("Steps", steps, "shapes"))
    for what, groups, unit in tables:
        yield from _fastest(groups, what, unit)
    for what, groups, unit in tables:
        yield from _pair(groups, "sdpa", "flash-attn 2", what, unit)
    yield from _pair(steps, "engine triton", "sdpa", "Steps", "shapes")
    kernels = dict.fromkeys(cell.axes["kernel"] for cell, _ in _measured(results.group("packed")))
    for kernel in kernels:
        drifts = [
            cell.work.numbers["batch to serial"]
            for cell, _ in _measured(results.group("packed"))
            if cell.axes["kernel"] == kernel and cell.work
        ]
        worst = max(drifts)
        yield f"{kernel}: several sequences at once " + (
            "are bit-equal to each alone."
            if worst == 0
            else f"differ from each alone by up to {worst:.2g}."
        )


def _fastest(groups: _Groups, what: str, unit: str) -> Iterator[str]:
    """Whose median is the least, and in how many of the shapes."""
    first = [min(held, key=lambda pair: pair[1].median_s)[0] for held in groups.values() if held]
    names = Counter(str(cell.axes["kernel"]) for cell in first)
    if names:
        said = ", ".join(f"{name} in {count}" for name, count in names.most_common())
        yield f"{what}, fastest by the median of {len(first)} {unit}: {said}."


def _pair(groups: _Groups, one: str, other: str, what: str, unit: str) -> Iterator[str]:
    """Two kernels over all shapes that both ran: where they are told apart, and how far."""
    ahead: dict[str, list[float]] = {one: [], other: []}
    close = 0
    for held in groups.values():
        found = {str(cell.axes["kernel"]): figures for cell, figures in held}
        if one not in found or other not in found:
            continue
        best, rest = (one, other) if found[one].median_s <= found[other].median_s else (other, one)
        if too_few_runs(found[one], found[other]) or found[best].max_s >= found[rest].min_s:
            close += 1
        else:
            ahead[best].append(found[rest].median_s / found[best].median_s)
    count = close + sum(map(len, ahead.values()))
    if not count:
        return
    parts = [
        f"in {len(ratios)} {name} is {min(ratios):.2f} to {max(ratios):.2f} times as fast"
        for name, ratios in ahead.items()
        if ratios
    ]
    parts += [f"in {close} they are not told apart"] if close else []
    yield f"{what}, {one} and {other}, of {count} {unit}: {', '.join(parts)}."


def _optimizations(results: Results) -> Iterator[str]:
    rungs = {
        str(cell.axes["rung"]): (str(cell.axes["against"]), one)
        for cell, one in _measured(results.group("ladder"))
        if one.real_time
    }
    for rung, (against, after) in rungs.items():
        _, before = rungs.get(against, ("", None))
        if before is not None and before.real_time and after.real_time:
            factor = after.real_time / before.real_time
            apart = "" if _apart(before, after) else "; within the spread of its runs"
            apart = "; one run says little" if too_few_runs(before, after) else apart
            yield f"{rung}: {factor:.2f} times as fast as {against}{apart}."
    if len(rungs) > 1:
        first, (_, slow) = next(iter(rungs.items()))
        last, (_, fast) = max(rungs.items(), key=lambda rung: rung[1][1].real_time or 0.0)
        if slow.real_time and fast.real_time:
            factor = fast.real_time / slow.real_time
            rate = f"{fast.real_time:.3g} times real time"
            yield f"From {first} to {last}: {factor:.1f} times as fast, to {rate}."


def _apart(before: Figures, after: Figures) -> bool:
    """Whether the rates of two rungs do not overlap; rungs may speak different batches."""
    if not (before.real_time and after.real_time):
        return False
    low, high = (
        [one.real_time * one.median_s / edge for edge in (one.max_s, one.min_s)]
        for one in sorted((before, after), key=lambda one: one.real_time or 0.0)
        if one.real_time
    )
    return low[1] < high[0]


def _part(results: Results) -> Iterator[str]:
    """The parts without a model: how fast each is, in the units that it has."""
    for cell, one in _measured(results.cells):
        rates = []
        if cell.group == "store" and cell.work and one.median_s:
            rates.append(f"{cell.work.rows / one.median_s:,.0f} takes a second")
        if one.real_time:
            rates.append(f"{one.real_time:,.0f} times real time")
        elif one.characters_per_s:
            rates.append(f"{one.characters_per_s:,.0f} characters a second")
        yield f"{cell.axes['what']}: {', '.join(rates) or seconds(one.median_s)}."


_OF_PART: dict[str, Callable[[Results], Iterator[str]]] = {
    "generate": _generate,
    "attention": _attention,
    "optimizations": _optimizations,
    **dict.fromkeys(("frontend", "store", "stitch", "book"), _part),
}
