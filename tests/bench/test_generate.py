"""`narrate bench generate` for real, on the tiny checkpoint."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("qwen_tts") is None:
    pytest.skip(
        "needs the speech model's package: pip install -e '.[qwen]'", allow_module_level=True
    )

from narrate.bench.asked import Generate
from narrate.bench.command import measure_part
from narrate.bench.generate import GROUPS
from narrate.bench.results import read_results
from narrate.bench.watchers import Lines


def _bench(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "narrate.bench", *words],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_all_cells_do_the_work_that_was_asked_for(tmp_path: Path) -> None:
    asked = Generate(
        random_weights="tiny", backends="official:eager,qwen:sdpa+nographs", characters="12",
        batch="2", frames=3, runs=1, out=str(tmp_path / "report"), groups="text",
        commit="abc", quick=True,
    )  # fmt: skip
    results = read_results(measure_part(asked, Lines(io.StringIO())))
    assert not [cell.failed for cell in results.cells if cell.failed]
    assert {cell.work.amount for cell in results.group("text") if cell.work} == {(2, 24, 6)}
    assert results.environment["commit"] == "abc"
    said = (tmp_path / "report" / "report.md").read_text()
    assert "All backends spoke the same number of frames" in said


@pytest.mark.slow
def test_every_table_is_measured_and_can_be_compared(tmp_path: Path) -> None:
    done = _bench(
        "generate",
        "--random-weights",
        "tiny",
        "--quick",
        "--groups",
        ",".join(GROUPS),
        "--minutes",
        "9",
        "--out",
        "report",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "report"
    results = read_results(tmp_path / "report")
    assert {cell.group for cell in results.cells} == set(GROUPS)
    assert not [cell.failed for cell in results.cells if cell.failed]
    assert len({cell.work.amount for cell in results.group("chapter") if cell.work}) == 1
    assert all(len(cell.counted) == 2 for cell in results.cells)
    again = _bench("compare", "report", "report/results.json", cwd=tmp_path)
    assert again.returncode == 0
    assert "within the spread" in again.stdout


def test_an_unknown_backend_ends_in_one_line(tmp_path: Path) -> None:
    done = _bench("generate", "--backends", "gtts", "--out", "report", cwd=tmp_path)
    assert done.returncode == 2
    assert "there is no backend called 'gtts'" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "report").exists()


@pytest.mark.slow
def test_a_cold_start_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    done = _bench(
        "generate", "--random-weights", "tiny", "--backends", "qwen", "--groups", "cold",
        "--runs", "1", "--out", "report", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    held = json.loads((tmp_path / "report" / "results.json").read_text())
    for cell in held["cells"]:
        (run,) = cell["runs"]
        parts = run["parts"]
        assert set(parts) == {"python and torch", "model and first audio", "second audio"}
        assert parts["python and torch"] + parts["model and first audio"] <= run["wall_s"]
        assert run["peak_bytes"] is None
