"""The README's measured tables are what the committed figures say."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def test_the_readme_s_tables_are_made_from_the_figures(root: Path) -> None:
    spec = importlib.util.spec_from_file_location("performance", root / "docs" / "performance.py")
    assert spec is not None and spec.loader is not None
    performance = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(performance)
    page = (root / "README.md").read_text(encoding="utf-8")
    assert performance.made(page) == page, "run `make format`: the figures and the README differ"
    changed = page.replace("| 768 | 2,", "| 768 | 3,")
    assert changed != page
    assert performance.made(changed) == page
