"""Prefect's server as our child, and what a run leaves on a server for people to see."""

from __future__ import annotations

import base64
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import urllib.request
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from narrate.config import Settings
from narrate.errors import StorageError
from narrate.flows.server import EmbeddedServer, prefect_server

HOLD = """
import sys
from narrate.config import Settings
from narrate.errors import StorageError
from narrate.flows.server import EmbeddedServer
server = EmbeddedServer(Settings.from_environment())
print(server.process.pid, flush=True)
sys.stdin.read()
"""


def ask(api: str, path: str, **body: Any) -> list[dict[str, Any]]:
    request = urllib.request.Request(
        f"{api}/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: list[dict[str, Any]] = json.load(answer)
        return found


def test_a_server_leaves_when_its_run_is_killed(home: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        text=True,
    )
    assert parent.stdout
    server = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.communicate()
    server.wait(timeout=10)


def test_what_prefect_reads_is_set_before_it_is_imported_and_the_users_word_stands(
    home: Path,
) -> None:
    script = (
        "import os\n"
        "from narrate.config import Settings\n"
        "from narrate.flows.server import prepare_environment\n"
        "prepare_environment(Settings.from_environment(), os.environ)\n"
        "import prefect.settings as s\n"
        "print(s.PREFECT_HOME.value(), s.PREFECT_SERVER_ANALYTICS_ENABLED.value())"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    run = [sys.executable, "-c", script]
    said = subprocess.run(run, env=environment, capture_output=True, text=True, check=True).stdout
    assert said.split() == [str(home / "prefect"), "False"]
    environment["PREFECT_HOME"] = str(home / "mine")
    said = subprocess.run(run, env=environment, capture_output=True, text=True, check=True).stdout
    assert said.split()[0] == str(home / "mine")


def test_a_run_shows_its_document_its_steps_and_its_progress(
    prefect_api: str, home: Path, data: Path, tmp_path: Path
) -> None:
    document = str(shutil.copy(data / "short-story.txt", tmp_path / "a-story-of-its-own.txt"))
    done = subprocess.run(
        [sys.executable, "-c", "from narrate.cli import main; main()", document],
        env={**os.environ, "PREFECT_API_URL": prefect_api, "PYTHONPATH": str(Path.cwd())},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    named = {"name": {"any_": ["a-story-of-its-own.txt"]}}
    [run] = ask(prefect_api, "flow_runs/filter", flow_runs=named)
    assert run["state"]["type"] == "COMPLETED"
    among = {"flow_runs": {"id": {"any_": [run["id"]]}}}
    steps = {task["name"].split()[0] for task in ask(prefect_api, "task_runs/filter", **among)}
    assert steps == {"read", "plan", "speak", "stitch", "deliver"}
    artifacts = ask(prefect_api, "artifacts/filter", **among)
    assert sorted(one["type"] for one in artifacts) == ["image", "markdown", "progress"]
    left = {one["type"]: one["data"] for one in artifacts}
    assert left["progress"] == 100.0
    told = left["markdown"]
    assert "spoken now" in told and "times real time" in told
    kind, _, picture = left["image"].partition("base64,")
    assert kind == "data:image/svg+xml;" and b"<polyline" in base64.b64decode(picture)
    words = (data / "short-story.txt").read_text().split(".")[1].strip()[:30]
    assert words not in json.dumps([run, left])


@pytest.mark.slow
def test_three_cold_starts_at_once_share_one_migration(home: Path) -> None:
    servers = [EmbeddedServer(Settings.from_environment()) for _ in range(3)]
    try:
        for server in servers:
            server.wait()
    finally:
        for server in servers:
            server.stop()


def test_something_else_is_done_where_a_start_is_waited_for(home: Path) -> None:
    done: list[int] = []
    server = EmbeddedServer(Settings.from_environment())
    try:
        server.wait(lambda: done.append(0))
        assert done == [0]
        for number in range(1, 50):  # a busy machine may have it answer late
            server.wait(partial(done.append, number))
            if done[-1] != number:
                break
    finally:
        server.stop()
    assert len(done) < 50


def test_a_home_that_cannot_be_made_is_said(home: Path) -> None:
    home.write_text("a file in its place")
    with pytest.raises(StorageError, match="NARRATE_HOME"):
        EmbeddedServer(Settings.from_environment())


def test_a_damaged_history_is_said_and_not_waited_for(home: Path) -> None:
    history = home / "prefect" / "prefect.db"
    history.parent.mkdir(parents=True)
    history.write_bytes(b"no database " * 400)
    with pytest.raises(StorageError, match="damaged") as caught:
        EmbeddedServer(Settings.from_environment())
    assert caught.value.where == str(history)
    assert history.read_bytes() == b"no database " * 400


def test_damage_in_the_middle_of_the_history_is_said_before_the_run_begins(home: Path) -> None:
    history = home / "prefect" / "prefect.db"
    history.parent.mkdir(parents=True)
    with closing(sqlite3.connect(history)) as connection, connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE run (name TEXT)")
        connection.executemany("INSERT INTO run VALUES (?)", [("x" * 500,)] * 100)
    with history.open("r+b") as file:
        file.seek(5 * 4096)
        file.write(b"no page " * 512)
    server = EmbeddedServer(Settings.from_environment())
    try:
        with pytest.raises(StorageError, match="damaged") as caught:
            server.wait()
    finally:
        server.stop()
    assert caught.value.where == str(history)


def test_the_users_own_folder_for_prefect_is_made(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "new" / "mine"
    monkeypatch.setenv("PREFECT_HOME", str(mine))
    server = EmbeddedServer(Settings.from_environment())
    server.stop()
    assert server.log == mine / "server.log" and server.log.exists()
    monkeypatch.setenv("PREFECT_HOME", str(server.log / "below a file"))
    with pytest.raises(StorageError, match="PREFECT_HOME"):
        EmbeddedServer(Settings.from_environment())


def test_the_users_own_server_is_left_running(
    prefect_api: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", prefect_api)
    before = dict(os.environ)
    with prefect_server(Settings.from_environment()) as ready:
        ready()
        assert os.environ["PREFECT_HOME"] == str(home / "prefect")
    assert isinstance(ask(prefect_api, "flow_runs/filter"), list)
    assert dict(os.environ) == before
