"""What is done with results that are there: compare two, or draw the report of one again."""

from __future__ import annotations

from pathlib import Path

from narrate.bench.asked import Compare, Redraw
from narrate.bench.compare import comparison
from narrate.bench.report import write_report
from narrate.bench.results import read_results

__all__ = ["afterwards"]


def afterwards(asked: Compare | Redraw) -> str:
    """The words to print: a table of ratios, or the folder of the report."""
    if isinstance(asked, Compare):
        return comparison(read_results(Path(asked.a)), read_results(Path(asked.b)))
    path = Path(asked.results)
    folder = path if path.is_dir() else path.parent
    write_report(read_results(path), folder)
    return str(folder)
