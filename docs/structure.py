"""Rewrite the tables of docs/structure.md: a line a module, the first line of its docstring.

    python docs/structure.py

The text around the tables is written by hand; a section whose heading names a folder in backticks
gets the modules of that folder.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "structure.md"
SECTION = re.compile(r"^## `([a-z_/]+)/`: .*$", re.MULTILINE)
HEAD = "| file | what it does |\n|---|---|\n"


def line(path: Path) -> str:
    """Return a module's row; a module without a docstring has none."""
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first = " ".join(said.partition("\n\n")[0].split())
    return f"| `{path.relative_to(ROOT).as_posix()}` | {first} |\n"


def tables(page: str) -> str:
    """Return the page with the table of every folder's section made anew."""
    parts = SECTION.split(page)
    made = [parts[0]]
    headings = SECTION.finditer(page)
    for heading, folder, body in zip(headings, parts[1::2], parts[2::2], strict=True):
        before, _, rest = body.partition("| file |")
        after = "".join(one for one in rest.splitlines(keepends=True)[1:] if one[0] != "|")
        modules = sorted((ROOT / folder).glob("*.py"))
        rows = "".join(line(path) for path in modules if path.name != "__init__.py")
        made += [heading[0], before.rstrip("\n"), "\n\n", HEAD + rows, "\n", after.lstrip("\n")]
    return "".join(made).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
