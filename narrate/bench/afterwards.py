"""What is done with results that are there: compare two, or draw the report of one again."""

from __future__ import annotations

from pathlib import Path

from narrate.bench.asked import Compare, Redraw
from narrate.bench.compare import comparison
from narrate.bench.findings import findings
from narrate.bench.report import REPORT, write_report
from narrate.bench.results import broken_results, read_results

__all__ = ["afterwards", "told"]

_MOST_TOLD = 12


def afterwards(asked: Compare | Redraw) -> str:
    """The words to print: a table of ratios, or the folder of the report."""
    if isinstance(asked, Compare):
        return comparison(read_results(Path(asked.a)), read_results(Path(asked.b)))
    path = Path(asked.results)
    folder = path if path.is_dir() else path.parent
    results = read_results(path)
    try:
        write_report(results, folder)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise broken_results(path, f"{type(error).__name__}: {error}") from error
    return str(folder)


def told(folder: Path) -> str:
    """The first findings of a measurement, for whoever has waited for it, and where all are."""
    found = findings(read_results(folder))
    more = len(found) - _MOST_TOLD
    rest = f" and {more} more findings" if more > 0 else ""
    lines = [*found[:_MOST_TOLD], f"Tables{rest}: {folder / REPORT}"]
    return "\n".join(lines)
