"""The command as a user runs it: a process of its own, against one Prefect server for all tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from narrate.cli import main

COMMAND = [sys.executable, "-c", "from narrate.cli import main; main()"]

Narrate = Callable[..., subprocess.CompletedProcess[str]]
Inside = Callable[..., tuple[int, str, str]]


@pytest.fixture
def environment(home: Path, prefect_api: str) -> dict[str, str]:
    """Return what the command sees: a home of the test's own, the shared server."""
    return {
        **os.environ,
        "NARRATE_HOME": str(home),
        "PREFECT_API_URL": prefect_api,
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    }


@pytest.fixture
def narrate(environment: dict[str, str], tmp_path: Path) -> Narrate:
    """Run `narrate` with these words in the test's folder; returns what it said and its code."""

    def run(*words: object, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *map(str, words)],
            env=environment | more,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    return run


@pytest.fixture
def inside(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Inside:
    """Run `narrate` with these words in this process; returns its code and what it said."""

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["narrate", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run
