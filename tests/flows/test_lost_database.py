"""A database server that crashes in the middle of a run and comes back."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from tests.postgres import binaries, cluster

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-c", "from narrate.cli import main; main()"]
ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 240.0


def test_tests_that_are_ended_leave_no_database_server_behind() -> None:
    programs = binaries()
    if programs is None:
        pytest.skip("needs PostgreSQL's programs: apt-get install postgresql")
    code = "from tests.postgres import *\nwith cluster(binaries()) as c: print(c.folder); input()"
    with subprocess.Popen(
        [sys.executable, "-uc", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        folder = Path(run.stdout.readline().decode().strip())
        server = psutil.Process(int((folder / "data/postmaster.pid").read_text().split()[0]))
        run.terminate()
        assert run.wait(PATIENCE_S) != 0
    assert not server.is_running() and not folder.exists()


def test_a_database_that_crashes_and_recovers_costs_no_run(
    prefect_api: str, home: Path, tmp_path: Path
) -> None:
    parts = ["# A book", *(f"Sentence {n} tells of ship {n * 7} and its crew." for n in range(400))]
    (tmp_path / "book.md").write_text("\n\n".join(parts))
    programs = binaries()
    if programs is None:
        pytest.skip("needs PostgreSQL's programs: apt-get install postgresql")
    with cluster(programs) as server:
        run = subprocess.Popen(
            [*COMMAND, "book.md"],
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "PREFECT_API_URL": prefect_api,
                "NARRATE_DATABASE_URL": server.new_database(),
            },
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            pause = threading.Event()
            while run.poll() is None and not any(home.glob("takes/??/*.flac")):
                pause.wait(0.05)
            first = psutil.Process(
                int((server.folder / "data/postmaster.pid").read_text().split()[0])
            )
            [talking, *_] = [one for one in first.children() if "tester" in "".join(one.cmdline())]
            talking.kill()  # PostgreSQL then ends all its connections, and recovers
            said, errors = run.communicate(timeout=PATIENCE_S)
        finally:
            run.kill()
            run.wait(30)
    assert (run.returncode, said.strip()) == (0, str(tmp_path / "outputs/book/book.wav")), errors
    assert "Traceback" not in errors and "prefect" not in errors.lower(), errors
