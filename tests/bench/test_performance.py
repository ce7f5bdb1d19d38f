"""The README's measured tables and the committed reports are what the committed figures say."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from narrate.bench.plots import PLOTS
from narrate.bench.report import report
from narrate.bench.results import read_results


def test_the_readme_s_tables_are_made_from_the_figures(root: Path) -> None:
    spec = importlib.util.spec_from_file_location("performance", root / "docs" / "performance.py")
    assert spec is not None and spec.loader is not None
    performance = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(performance)
    page = (root / "README.md").read_text(encoding="utf-8")
    assert performance.made(page) == page, (
        "run `python docs/performance.py`: the figures and the README differ"
    )
    changed = page.replace("| 768 | 2,", "| 768 | 3,")
    assert changed != page
    assert performance.made(changed) == page


def test_the_committed_reports_are_made_from_their_results(root: Path) -> None:
    folders = [path.parent for path in (root / "docs" / "benchmarks").glob("*/results.json")]
    assert folders
    for folder in folders:
        plots = [f"{name}.png" for name in PLOTS if (folder / f"{name}.png").exists()]
        held = (folder / "report.md").read_text(encoding="utf-8")
        assert held == report(read_results(folder), plots), "run `python docs/performance.py`"
        assert sum(path.stat().st_size for path in folder.iterdir()) < 1_000_000
