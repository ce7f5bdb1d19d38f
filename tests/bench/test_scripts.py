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
        [sys.executable, "-m", f"benchmarks.{name}", *words, "--json", str(out)],
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
    held = _script("killed", *SMALL, "--kills", "1", root=root, out=tmp_path / "killed.json")
    assert held["takes"] > 0
    assert (held["missing"], held["damaged"], held["different_bytes"]) == (0, 0, 0)


def test_workers_speak_the_same_book(root: Path, tmp_path: Path) -> None:
    words = ("--workers", "1,2", "--rounds", "1")
    held = _script("several", *SMALL, *words, root=root, out=tmp_path / "several.json")
    one, two = held["rows"]
    assert one["takes"] == two["takes"] > 0
    assert one["audio_s"] == two["audio_s"]


def test_16_bits_are_as_near_to_fp32_as_the_published_package_s(
    root: Path, tmp_path: Path, tiny_checkpoint: Path
) -> None:
    words = ("--model", str(tiny_checkpoint), "--rows", "1,3", "--kernels", "torch")
    rows = _script("teacher", *words, root=root, out=tmp_path / "teacher.json")["rows"]
    for count in (1, 3):
        by_way = {(r["way"], r["dtype"]): r for r in rows if r["rows"] == count}
        theirs, ours = (by_way[way, "bfloat16"] for way in ("published package", "engine, torch"))
        for part in ("talker_relative", "predictor_relative"):
            assert by_way["engine, torch", "float32"][part] < 1e-5
            assert ours[part] < 1.1 * theirs[part]
            for kind, most in (("int8", 0.03), ("fp8", 0.1)):
                assert ours[part] < by_way[f"engine, torch, {kind}", "bfloat16"][part] < most
