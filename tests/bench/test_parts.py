"""The parts without a model, and the ladder, measured small."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from narrate.bench.asked import Asked, Book, Frontend, Optimizations, Stitch, Store
from narrate.bench.command import Stopped, measure_part
from narrate.bench.results import Cell, Results, read_results
from narrate.bench.watchers import Lines
from narrate.errors import InputError, OutputError, UsageError


def _measured(asked: Asked) -> Results:
    results = read_results(measure_part(asked, Lines(io.StringIO())))
    assert all(len(cell.runs) == 1 for cell in results.cells if not cell.failed)
    return results


@pytest.mark.parametrize(
    "kind",
    [Book, *(pytest.param(kind, marks=pytest.mark.slow) for kind in (Frontend, Store, Stitch))],
)
def test_a_part_is_measured_whole(kind: type, tmp_path: Path) -> None:
    results = _measured(kind(quick=True, runs=1, out=str(tmp_path), commit="abc"))
    assert not [cell.failed for cell in results.cells if cell.failed]
    assert results.cells
    assert "No model takes part" in (tmp_path / "report.md").read_text()


def test_a_document_of_ones_own_is_read(data: Path, tmp_path: Path) -> None:
    path = data / "short-story.txt"
    asked = Frontend(document=str(path), quick=True, runs=1, out=str(tmp_path), commit="abc")
    assert str(_measured(asked).asked["about"]["document"]).startswith(path.name)


def test_a_document_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    asked = Frontend(document=str(tmp_path / "none.txt"), out=str(tmp_path / "report"))
    with pytest.raises(InputError):
        measure_part(asked, Lines(io.StringIO()))
    assert not (tmp_path / "report").exists()


def test_results_are_neither_replaced_nor_measured_for_nothing(tmp_path: Path) -> None:
    lines = io.StringIO()
    first = measure_part(Frontend(quick=True, minutes=0, out=str(tmp_path / "a")), Lines(lines))
    held = (first / "results.json").read_bytes()
    with pytest.raises(UsageError, match="another measurement"):
        measure_part(Frontend(quick=True, out=str(first)), Lines(lines))
    assert (first / "results.json").read_bytes() == held
    lines.truncate(0)
    with pytest.raises(OutputError):
        measure_part(Frontend(quick=True, out=str(first / "results.json" / "b")), Lines(lines))
    assert not lines.getvalue()


@pytest.mark.parametrize(
    "command",
    ["narrate bench", pytest.param("python -m narrate.bench", marks=pytest.mark.slow)],
)
def test_ctrl_c_leaves_a_report_of_what_was_measured(tmp_path: Path, command: str) -> None:
    words = ["store", "--runs", "2000", "--quick", "--out", "report"]
    as_command = ["-c", "from narrate.cli import main; main()", "bench"]
    begins = as_command if command == "narrate bench" else ["-m", "narrate.bench"]
    with subprocess.Popen(
        [sys.executable, *begins, *words],
        cwd=tmp_path,
        env=os.environ,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if line.startswith("7/"):
                break
        child.send_signal(signal.SIGINT)
        said = child.stderr.read()
        assert child.wait(60) == 130
    assert "what was measured is in report" in said
    assert "was spoken" not in said, "nothing was"
    results = read_results(tmp_path / "report")
    assert results.stopped == "stopped by Ctrl-C"
    assert any(cell.runs for cell in results.cells)
    assert "Not complete" in (tmp_path / "report" / "report.md").read_text()


LOSE_THE_FIRST = """
import gc, os, signal, sys
from pathlib import Path
from narrate.bench.__main__ import main

def lose(phase, _):
    # What is raised in a callback of the collector is printed and ignored.
    if Path("report/results.json").exists():
        gc.callbacks.remove(lose)
        os.kill(os.getpid(), signal.SIGTERM)

gc.callbacks.append(lose)
sys.argv = ["bench", "store", "--runs", "2000", "--quick", "--out", "report"]
sys.exit(main())
"""


@pytest.mark.slow
def test_a_stop_that_gets_lost_in_the_collector_comes_again(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOSE_THE_FIRST],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Exception ignored" in done.stderr
    assert done.returncode == 143
    assert read_results(tmp_path / "report").stopped == "stopped by SIGTERM"


def test_a_stop_is_known_to_have_arrived_before_the_report_is_drawn(tmp_path: Path) -> None:
    seen: list[bool] = []

    class Pressed(Lines):
        def ran(self, cell: Cell, left_s: float | None) -> None:
            raise KeyboardInterrupt

    asked = Frontend(quick=True, out=str(tmp_path))
    with pytest.raises(Stopped) as stopped:
        measure_part(
            asked,
            Pressed(io.StringIO()),
            lambda: seen.append((tmp_path / "report.md").exists()),
        )
    assert seen == [False]
    assert stopped.value.exit_code == 130
    assert "stopped by Ctrl-C" in (tmp_path / "report.md").read_text()


@pytest.mark.slow
@pytest.mark.skipif(find_spec("qwen_tts") is None, reason="needs the extra [qwen]")
def test_the_ladder_names_every_rung(tmp_path: Path) -> None:
    asked = Optimizations(
        random_weights="tiny", quick=True, runs=1, frames=3, batch=2, out=str(tmp_path)
    )
    results = _measured(asked)
    ran = [cell for cell in results.cells if cell.runs]
    against = {cell.axes["rung"]: cell.axes["against"] for cell in ran}
    for kind in ("INT8", "FP8"):
        assert against[f"engine, {kind} weights"] == "engine, CUDA graphs"
    assert ran[0].axes["rung"] == "fp32"
    shares = [cell.work.numbers["alike"] for cell in ran[1:] if cell.work]
    assert len(shares) == len(ran) - 1
    assert np.all((np.array(shares) >= 0) & (np.array(shares) <= 1))
    # Switches that round nothing on a processor change nothing that is said.
    assert dict(zip((cell.axes["rung"] for cell in ran[1:]), shares, strict=True))["+ TF32"] == 1.0
