"""A Prefect server that goes away in the middle of a run: for a while, and for good."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import waiting

from .wire import Wire, wired

COMMAND = [sys.executable, "-c", "from narrate.cli import main; main()"]
ROOT = Path(__file__).resolve().parents[2]
WAV = Path("outputs", "book", "book.wav")
PATIENCE_S = 240.0  # for a machine that others keep busy; four seconds on an idle one


wait_for = partial(waiting.wait_for, patience_s=PATIENCE_S)


@pytest.fixture
def wire(prefect_api: str) -> Iterator[Wire]:
    with wired(urlsplit(prefect_api).port or 0) as made:
        yield made


@pytest.fixture
def run(wire: Wire, home: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a book through the wire; some of it is spoken when the test begins."""
    parts = ["# A book", *(f"Sentence {n} tells of ship {n * 7} and its crew." for n in range(200))]
    (tmp_path / "book.md").write_text("\n\n".join(parts))
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PREFECT_API_URL": f"http://127.0.0.1:{wire.port}/api",
        "PREFECT_CLIENT_MAX_RETRIES": "2",  # of five: they take a minute
    }
    process = subprocess.Popen(
        [*COMMAND, "book.md"],
        env=environment,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(lambda: process.poll() is not None or any(home.glob("takes/??/*.flac")))
        yield process
    finally:
        process.kill()
        process.communicate()


def takes(home: Path) -> int:
    return sum(1 for _ in home.glob("takes/??/*.flac"))


@pytest.mark.slow
def test_away_for_a_while_it_costs_nothing(
    run: subprocess.Popen[str], wire: Wire, home: Path, tmp_path: Path
) -> None:
    wire.cut()
    before = takes(home)
    wait_for(lambda: takes(home) > before)
    wire.mend()
    said, errors = run.communicate(timeout=PATIENCE_S)
    assert (run.returncode, said.strip()) == (0, str(tmp_path / WAV)), errors
    assert "Traceback" not in errors


@pytest.mark.slow
def test_gone_for_good_it_costs_the_history_and_not_the_book(
    run: subprocess.Popen[str], wire: Wire, tmp_path: Path
) -> None:
    wire.cut()
    said, errors = run.communicate(timeout=PATIENCE_S)
    assert (run.returncode, said.strip()) == (0, str(tmp_path / WAV)), errors
    assert (tmp_path / WAV).exists()
    assert "Traceback" not in errors and "prefect" not in errors.lower(), errors
