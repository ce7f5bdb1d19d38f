"""The scripts that are kept for a card, small and without one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

if find_spec("qwen_tts") is None:
    pytest.skip("needs the extra [qwen]", allow_module_level=True)

pytestmark = pytest.mark.slow
SMALL = ("--size", "tiny", "--chunks", "8", "--batch", "2", "--pace", "0.02")


def _script(name: str, *words: str, root: Path, out: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *SMALL, *words, "--json", str(out)],
        cwd=root,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    held: dict[str, Any] = json.loads(out.read_text())
    return held


def test_a_killed_book_is_spoken_to_its_end_with_the_same_bytes(root: Path, tmp_path: Path) -> None:
    held = _script("killed", "--kills", "1", root=root, out=tmp_path / "killed.json")
    assert held["takes"] > 0
    assert (held["missing"], held["damaged"], held["different_bytes"]) == (0, 0, 0)


def test_workers_speak_the_same_book(root: Path, tmp_path: Path) -> None:
    words = ("--workers", "1,2", "--rounds", "1")
    held = _script("several", *words, root=root, out=tmp_path / "several.json")
    one, two = held["rows"]
    assert one["takes"] == two["takes"] > 0
    assert one["audio_s"] == two["audio_s"]
