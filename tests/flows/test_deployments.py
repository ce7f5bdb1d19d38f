"""The README's commands from a clone: a real server, real workers, and what happens to them."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from narrate.config import Settings
from narrate.store import Store
from tests import waiting

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

KEY = "sk-nobody-may-read-this"
COMMAND = [sys.executable, "-c", "from narrate.cli import main; main()"]
RUN = "import sys; from narrate.flows.book import narrate_book; narrate_book(document=sys.argv[1])"
PATIENCE_S = 600.0  # for a machine that others keep busy


wait_for = partial(waiting.wait_for, patience_s=PATIENCE_S, every_s=0.1)


def write_book(path: Path, sentences: int) -> Path:
    """Write a book of sentences that no other has: what is spoken once serves every book."""
    parts = ["# A long test"]
    for number in range(1, sentences + 1):
        if number % 100 == 1:
            parts.append(f"## Part {number // 100 + 1}")
        parts.append(f"Sentence {number} of {path.stem} tells of ship {number * 7} and its crew.")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(parts) + "\n")
    return path


def ask(api: str, path: str, method: str = "POST", **body: Any) -> Any:
    """Ask the server, and again where it is busy with its database, as its own client does."""
    return send(api, path, body, method)


def send(api: str, path: str, body: Any, method: str = "POST") -> Any:
    content = {"Content-Type": "application/json"}
    request = urllib.request.Request(
        f"{api}/{path}", json.dumps(body).encode(), content, method=method
    )

    def answered() -> list[Any] | None:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return [json.loads(answer.read() or b"null")]
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise
            return None

    return wait_for(answered)[0]


@dataclass
class Service:
    """What stands after the README's commands: a server, two workers, three deployments."""

    clone: Path
    environment: dict[str, str]
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def api(self) -> str:
        return self.environment["PREFECT_API_URL"]

    def store(self) -> Store:
        return Store(Settings.from_environment(self.environment))

    def do(self, line: str) -> None:
        """Do one line of the README: what does not end by itself goes on in the background."""
        words = shlex.split(line)
        if words[0] == "export":
            self.environment |= dict(word.split("=", 1) for word in words[1:])
            return
        given = {}
        while "=" in words[0]:
            name, _, given[name] = words.pop(0).partition("=")
        environment = self.environment | given
        log = self.clone.parent / f"{len(self.running)}.log"
        if words[:3] == ["prefect", "server", "start"] or words[:3] == [
            "prefect",
            "worker",
            "start",
        ]:
            with log.open("wb") as file:
                self.running[line] = subprocess.Popen(
                    # Tests started by a script's `&` ignore Ctrl-C, and so would a worker's run.
                    ["env", "--default-signal=INT", *words],
                    env=environment,
                    cwd=self.clone,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    start_new_session=True,
                )
            if words[1] == "server":
                port = environment["PREFECT_SERVER_API_PORT"]
                wait_for(lambda: _answers(f"http://127.0.0.1:{port}/api/health"))
            return
        done = subprocess.run(
            words,
            env=environment,
            cwd=self.clone,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"

    def states(self, name: str) -> list[str]:
        named = {"name": {"any_": [name]}}
        return [run["state"]["type"] for run in ask(self.api, "flow_runs/filter", flow_runs=named)]

    def end(self) -> None:
        for process in reversed(self.running.values()):
            started = psutil.Process(process.pid)
            for one in [*started.children(recursive=True), started]:  # a worker's runs, too
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
            process.wait(30)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def service(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Clone the repository and do what the README says, in its order."""
    folder = tmp_path_factory.mktemp("service")
    clone = folder / "clone"
    subprocess.run(
        ["git", "clone", "-q", "--no-hardlinks", str(root), str(clone)], check=True, timeout=60
    )
    readme = (clone / "README.md").read_text()
    section = readme[readme.index("## A server, a schedule, several cards") :]
    block = re.search(r"^```\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert block
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(clone),
        "NARRATE_HOME": str(folder / "home"),
        "NARRATE_API_KEY": KEY,
        "PREFECT_HOME": str(folder / "prefect"),
    }
    made = Service(clone, environment)
    try:
        for line in block[1].replace("4321", str(port)).splitlines():
            made.do(line)
        yield made
    finally:
        made.end()


def test_the_readme_s_commands_make_a_book(service: Service) -> None:
    assert (service.clone / "outputs" / "short-story" / "short-story.wav").exists()
    assert service.states("short-story.txt") == ["COMPLETED"]


def test_the_server_knows_no_sentence_of_the_book_and_no_key(service: Service) -> None:
    sentence = (service.clone / "data" / "short-story.txt").read_text().split(".")[1].strip()[:30]
    kept = [path for path in Path(service.environment["PREFECT_HOME"]).rglob("*") if path.is_file()]
    assert any(b"short-story.txt" in path.read_bytes() for path in kept)
    for path in [*kept, *service.clone.parent.glob("*.log")]:
        content = path.read_bytes()
        assert sentence.encode() not in content, path
        assert KEY.encode() not in content, path


def test_two_runs_of_one_book_share_it(service: Service) -> None:
    book = write_book(service.clone / "shared.md", 600)
    for _ in range(2):
        service.do(f"prefect deployment run narrate-book/preview -p document={book}")
    wait_for(lambda: service.states("shared.md") == ["COMPLETED"] * 2)
    wav = service.clone / "outputs" / "preview" / "shared" / "shared.wav"
    assert wav.exists()
    with service.store() as store:
        keys = {key for _, key in store.chunks("shared")}
        assert len(list(store.takes.folder.glob("??/*"))) == len(
            {key for book in store.books() for _, key in store.chunks(book.id)}
        )
        assert store.takes.known(keys).keys() == keys
        assert store.leases.workers("shared") == []


def test_a_schedule_narrates_what_is_on_the_shelf_and_leaves_the_broken_out(
    service: Service,
) -> None:
    inbox = service.clone / "inbox"
    write_book(inbox / "first.md", 3)
    write_book(inbox / "second.md", 4)
    (inbox / "broken.epub").write_bytes(b"no archive at all")
    deployments = ask(service.api, "deployments/filter")
    [shelf] = [one for one in deployments if one["name"] == "shelf"]
    assert [schedule["active"] for schedule in shelf["schedules"]] == [False]
    place = f"deployments/{shelf['id']}"
    parameters = shelf["parameters"] | {"deployment": "narrate-book/preview"}
    ask(service.api, place, "PATCH", parameters=parameters)
    schedule = [{"schedule": {"interval": 10}, "active": False}]
    [created] = send(service.api, f"{place}/schedules", schedule)
    service.do("prefect deployment schedule resume --all")
    folder = service.clone / "outputs"
    wait_for(lambda: all((folder / name / f"{name}.wav").exists() for name in ("first", "second")))
    wait_for(lambda: service.states("second.md") == ["COMPLETED"])
    ask(service.api, f"{place}/schedules/{created['id']}", "DELETE")
    assert service.states("broken.epub") == []
    assert sorted(path.name for path in inbox.iterdir()) == ["broken.epub", "first.md", "second.md"]


def test_a_run_that_is_cancelled_keeps_what_it_spoke_and_the_next_goes_on(
    service: Service,
) -> None:
    book = write_book(service.clone / "cancelled.md", 1500)
    service.do(f"prefect deployment run narrate-book/preview -p document={book}")
    with service.store() as store:

        def spoken() -> set[str]:
            return set(store.takes.known(key for _, key in store.chunks("cancelled")))

        wait_for(lambda: len(spoken()) > 50)
        named = {"name": {"any_": ["cancelled.md"]}}
        [run] = ask(service.api, "flow_runs/filter", flow_runs=named)
        service.do(f"prefect flow-run cancel {run['id']}")
        wait_for(lambda: store.leases.holder("cancelled") is None)
        kept = spoken()
        assert 50 < len(kept) < 1500
        assert not store.takes.damaged(kept, thorough=True)
    service.do(f"prefect deployment run narrate-book/preview -p document={book} --watch")
    assert (service.clone / "outputs" / "preview" / "cancelled" / "cancelled.wav").exists()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_worker_that_is_stopped_takes_its_run_along_and_nothing_that_was_spoken(
    service: Service, stop: signal.Signals
) -> None:
    name = f"stopped-{stop.name.lower()}"
    book = write_book(service.clone / f"{name}.md", 1500)
    service.do(f"prefect deployment run narrate-book/preview -p document={book}")
    with service.store() as store:

        def spoken() -> set[str]:
            return set(store.takes.known(key for _, key in store.chunks(name)))

        wait_for(lambda: len(spoken()) > 50)
        [line] = [line for line in service.running if "--pool cpu" in line]
        worker = service.running.pop(line)
        runs = psutil.Process(worker.pid).children(recursive=True)
        worker.send_signal(stop)
        worker.wait(PATIENCE_S)
        for run in runs if stop is signal.SIGKILL else ():
            with contextlib.suppress(psutil.NoSuchProcess):
                run.kill()
        wait_for(lambda: store.leases.holder(name) is None)
        kept = spoken()
        service.do(line)
        assert 50 < len(kept) < 1500
        assert not store.takes.damaged(kept, thorough=True)
    service.do(f"prefect deployment run narrate-book/preview -p document={book} --watch")
    assert (service.clone / "outputs" / "preview" / name / f"{name}.wav").exists()
    # Nobody told the server that it ended: an automation of ours notices.
    wait_for(lambda: sorted(service.states(f"{name}.md")) == ["COMPLETED", "CRASHED"])


def test_a_server_that_is_killed_and_comes_back_costs_nothing(service: Service) -> None:
    book = write_book(service.clone / "serverless.md", 3000)
    service.do(f"prefect deployment run narrate-book/preview -p document={book}")
    with service.store() as store:

        def spoken() -> int:
            return len(store.takes.known(key for _, key in store.chunks("serverless")))

        wait_for(lambda: spoken() > 50)
        [line] = [line for line in service.running if "server start" in line]
        server = service.running.pop(line)
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(30)
        before = spoken()
        wait_for(lambda: spoken() > before or store.leases.holder("serverless") is None)
        assert spoken() > before
        service.do(line)
        wav = service.clone / "outputs" / "preview" / "serverless" / "serverless.wav"
        wait_for(lambda: wav.exists() or store.leases.holder("serverless") is None)
    if not wav.exists():
        service.do(f"prefect deployment run narrate-book/preview -p document={book} --watch")
    assert wav.exists()


def test_killed_ten_times_beside_a_second_worker_the_book_ends_by_itself_byte_equal(
    prefect_api: str, home: Path, tmp_path: Path
) -> None:
    environment = {
        **os.environ,
        "PREFECT_API_URL": prefect_api,
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    }
    book = write_book(tmp_path / "book.md", 1200)
    whole = subprocess.run(
        [*COMMAND, str(book)],
        env=environment | {"NARRATE_HOME": str(tmp_path / "other")},
        cwd=_made(tmp_path / "whole"),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    place = _made(tmp_path / "here")
    log = (tmp_path / "log").open("ab")

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", RUN, str(book)],
            env=environment,
            cwd=place,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )

    chance = random.Random(10)
    workers = [start(), start()]
    pause = threading.Event()
    try:
        for kill in range(10):
            pause.wait(chance.uniform(0.5, 6.0))
            victim = workers.pop(chance.randrange(2))
            victim.kill()
            victim.wait(30)
            if kill < 9:
                workers.append(start())
        [survivor] = workers
        assert survivor.wait(PATIENCE_S) == 0, (tmp_path / "log").read_text()
    finally:
        for worker in workers:
            worker.kill()
            worker.wait(30)
        log.close()
    made = place / "outputs" / "book" / "book.wav"
    assert made.read_bytes() == Path(whole.stdout.strip()).read_bytes()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
