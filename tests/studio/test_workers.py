"""Several processes on one book: each sentence is spoken once, and a death stops nobody else."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from narrate import studio
from narrate.config import Job, Settings
from narrate.errors import BusyError, NarrateError, UsageError
from narrate.store import Book, NewTake, Store
from narrate.studio.crew import LOG_FORMAT, Crew, standing_by
from narrate.studio.judge import Judge
from tests.conftest import SAMPLE_WORDS
from tests.speech.speech_server import SpeechServer, hang, serving
from tests.waiting import wait_for

from .conftest import run

ROOT = str(Path(__file__).resolve().parents[2])

LEAD = """
import sys, time
from narrate.config import Settings
from narrate.store import Store
with Store(Settings.from_environment()) as store, store.leases.hold("tale") as lease:
    [claimed] = store.claims.take(lease, [1, 2], 1)
    print("leads", flush=True)
    sys.stdin.readline()
"""

JOIN = """
import sys
from narrate.config import Settings
from narrate.store import Store
with Store(Settings.from_environment()) as store, store.leases.join("tale") as lease:
    print("there", flush=True)
    sys.stdin.readline()
"""

CLAIM = """
from narrate.config import Settings
from narrate.store import Store
with Store(Settings.from_environment()) as store, store.leases.join("tale") as lease:
    print(len(store.claims.take(lease, [1, 2], 1000)), flush=True)
    store.claims.release(lease)
"""

IMPORTED = """
import sys
from narrate import studio
from narrate.config import Settings
from narrate.store import Store
with Store(Settings.from_environment()) as store:
    studio.import_ahead(store, "tale")
print(bool({"torch", "qwen_tts"} & set(sys.modules)), flush=True)
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    """Start Python in a process of its own; none outlives the test."""
    started = []

    def begin(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": ROOT},
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait(30)
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()


@pytest.fixture
def server() -> Iterator[SpeechServer]:
    with serving() as running:
        yield running
        running.released.set()


@pytest.fixture
def tale(tmp_path: Path) -> Path:
    path = tmp_path / "tale.md"
    parts = ["# Ships", "## One", *(f"Ship number {n} came in on the tide." for n in range(40))]
    parts += ["## Two", *(f"Boat number {n} went out in the night." for n in range(40))]
    path.write_text("\n\n".join(parts))
    return path


@pytest.fixture
def preview(tale: Path, tmp_path: Path) -> Job:
    return Job(str(tale), str(tmp_path / "out"))


@pytest.fixture
def cloned(preview: Job, spoken_sample: Path) -> Job:
    return replace(preview, voice=str(spoken_sample), voice_text=SAMPLE_WORDS)


@pytest.fixture
def asking(cloned: Job, server: SpeechServer) -> Job:
    """Let the test see what is spoken, by whichever process."""
    return replace(cloned, backend="remote", server=server.url, concurrency=2)


def begin_worker(start: Start, book: Book) -> subprocess.Popen[str]:
    worker = start("-m", "narrate.studio.worker")
    assert worker.stdin
    worker.stdin.write(f"{json.dumps(book.job)}\n{book.id}\n")
    worker.stdin.flush()
    return worker


def test_a_worker_speaks_for_the_leader_and_ends_with_the_pipe(
    store: Store, asking: Job, server: SpeechServer, start: Start
) -> None:
    book = studio.plan_book(store, asking)
    keys = {key for _, key in store.chunks(book.id)}
    with store.leases.hold(book.id):
        worker = begin_worker(start, book)
        wait_for(lambda: store.takes.known(keys).keys() == keys)
        assert worker.stdin
        worker.stdin.close()
        assert worker.wait(30) == 0
        assert list(studio.speak(store, book.id, lambda _: None)) == [1, 2]
    assert Counter(server.texts()) == {chunk.spoken: 1 for chunk, _ in store.chunks(book.id)}


def test_a_worker_without_a_leader_ends_by_itself_while_its_pipe_is_open(
    store: Store, asking: Job, server: SpeechServer, start: Start
) -> None:
    book = studio.plan_book(store, asking)
    worker = begin_worker(start, book)
    assert worker.wait(60) == 0
    assert not server.texts()


def test_who_speaks_a_book_leads_it_so_that_workers_stay(store: Store, preview: Job) -> None:
    book = studio.plan_book(store, preview)
    leaders: set[str | None] = set()
    chapters = studio.speak(store, book.id, lambda _: leaders.add(store.leases.holder(book.id)))
    assert list(chapters) == [1, 2]
    assert len(leaders) == 1 and f"process {os.getpid()}" in str(leaders)
    assert store.leases.holder(book.id) is None


def test_two_workers_speak_every_sentence_once_and_the_same_book(
    store: Store, preview: Job, asking: Job, server: SpeechServer, tmp_path: Path
) -> None:
    alone = run(store, replace(preview, out=str(tmp_path / "alone")))
    together = run(store, replace(preview, workers=2, force=True))
    assert alone.wav and together.wav
    assert together.wav.read_bytes() == alone.wav.read_bytes()
    made = run(store, replace(asking, out=str(tmp_path / "asked"), workers=3))
    assert made.wav
    assert Counter(server.texts()) == {chunk.spoken: 1 for chunk, _ in store.chunks(made.book_id)}
    assert store.leases.workers(made.book_id) == []


def test_workers_that_stand_by_speak_once_there_is_a_plan(
    store: Store, asking: Job, server: SpeechServer, home: Path
) -> None:
    """The first request hangs, whose ever it is, until another process has spoken half the book."""
    settings = Settings.from_environment()
    opened = studio.find_book(store, asking).book
    job = replace(asking, workers=2, concurrency=1)
    with standing_by(settings, opened.id, job):
        assert len(list((home / "workers").iterdir())) == 2
        book = studio.plan_book(store, job)
        chunks = store.chunks(book.id)
        server.script[chunks[0][0].spoken] = [hang]

        def release_when_half_is_spoken() -> None:
            with Store(settings) as other:
                keys = [key for _, key in chunks]
                wait_for(lambda: len(other.takes.known(keys)) > len(keys) / 2)
            server.released.set()

        watcher = threading.Thread(target=release_when_half_is_spoken)
        watcher.start()
        assert sorted(studio.speak(store, book.id, lambda _: None)) == [1, 2]
        watcher.join()
    assert not list((home / "workers").iterdir())


@pytest.mark.parametrize("as_asked", [True, False])
def test_their_models_are_loaded_before_there_is_a_plan(
    as_asked: bool, store: Store, cloned: Job, tiny_checkpoint: Path, home: Path
) -> None:
    """Once, but where the book is planned with other options than those they were told of."""
    settings = Settings.from_environment()
    quick = replace(cloned, backend="qwen", model=str(tiny_checkpoint), frames_per_character=0.05)
    job = replace(quick, workers=2, attempts=1, batch_size=8)
    opened = studio.find_book(store, job).book
    with standing_by(settings, opened.id, job):
        logs = list((home / "workers").iterdir())

        def loaded() -> list[str]:
            return [
                line for log in logs for line in log.read_text().splitlines() if "is loaded" in line
            ]

        wait_for(lambda: len(loaded()) == 2)
        book = studio.plan_book(store, job if as_asked else replace(job, batch_size=4))
        said: list[str] = []
        for _ in studio.speak(store, book.id, lambda _: None):
            said = loaded()
    assert len(said) == (2 if as_asked else 4)
    assert sum("'batch': '4'" in line for line in said) == (0 if as_asked else 2)
    keys = {key for _, key in store.chunks(book.id)}
    assert store.takes.known(keys).keys() == keys


def test_who_cannot_load_its_model_ahead_says_so_when_it_is_to_speak(
    store: Store, cloned: Job, tiny_checkpoint: Path, tmp_path: Path, home: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(tiny_checkpoint, broken)
    job = replace(cloned, backend="qwen", model=str(broken), workers=2)
    book = studio.plan_book(store, job)
    weights = next(broken.glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:100])
    with standing_by(Settings.from_environment(), book.id, job):
        logs = list((home / "workers").iterdir())
        with pytest.raises(NarrateError) as caught:
            list(studio.speak(store, book.id, lambda _: None))
    assert str(broken) in str(caught.value)
    assert all(log.exists() for log in logs)


@pytest.mark.parametrize("missing", [True, False])
@pytest.mark.parametrize("backend", ["qwen", "official"])
def test_a_model_s_libraries_are_imported_ahead_where_something_is_missing(
    backend: str, missing: bool, store: Store, cloned: Job, tiny_checkpoint: Path, start: Start
) -> None:
    job = replace(cloned, backend=backend, model=str(tiny_checkpoint))
    book = studio.plan_book(store, job)
    keys = {key for _, key in store.chunks(book.id)}
    if not missing:
        store.takes.add([NewTake(key, b"x", 1, 1, 0, 0, {}) for key in keys])
    imported = start("-c", IMPORTED).stdout
    assert imported and imported.readline() == f"{missing}\n"


def test_who_leads_a_crew_speaks_nothing(store: Store, asking: Job, server: SpeechServer) -> None:
    book = studio.plan_book(store, replace(asking, workers=2))
    mine: list[int] = []
    at_work: list[int] = []

    def look(progress: studio.Speaking) -> None:
        at_work.append(progress.workers)
        mine.extend(one.chunks for one in store.leases.workers(book.id) if one.leads)

    assert sorted(studio.speak(store, book.id, look)) == [1, 2]
    assert set(mine) == {0} and max(at_work) == 2
    assert Judge(store, book).norms, "neither of the two had spoken enough to compare"
    assert Counter(server.texts()) == {chunk.spoken: 1 for chunk, _ in store.chunks(book.id)}


def test_a_run_whose_crew_was_killed_goes_on_by_itself(
    store: Store, asking: Job, server: SpeechServer
) -> None:
    book = studio.plan_book(store, replace(asking, workers=2))
    server.script[store.chunks(book.id)[0][0].spoken] = [hang]
    notes: set[str] = set()

    def kill_all() -> None:
        wait_for(lambda: len(server.texts()) > 4)
        for one in psutil.Process().children():
            if "narrate.studio.worker" in one.cmdline():
                one.kill()
        server.released.set()

    killer = threading.Thread(target=kill_all)
    killer.start()
    spoken = studio.speak(store, book.id, lambda progress: notes.update(progress.notes))
    assert sorted(spoken) == [1, 2]
    killer.join()
    assert len(notes) == 2 and all("an error" in note for note in notes)
    assert any("this run goes on by itself" in note for note in notes)
    keys = {key for _, key in store.chunks(book.id)}
    assert store.takes.known(keys).keys() == keys


def test_they_stand_by_once_however_often_that_is_asked_for(preview: Job, home: Path) -> None:
    settings, job = Settings.from_environment(), replace(preview, workers=2)
    with standing_by(settings, "tale", job):
        first = list((home / "workers").iterdir())
        with standing_by(settings, "tale", job):
            assert list((home / "workers").iterdir()) == first
        assert list((home / "workers").iterdir()) == first


def test_what_workers_warn_of_is_told_once(tmp_path: Path) -> None:
    logs = [tmp_path / "0.log", tmp_path / "1.log"]
    formatted = logging.Formatter(LOG_FORMAT).format

    def log(path: Path, level: int, words: str) -> None:
        record = logging.LogRecord("narrate", level, "", 0, words, (), None)
        with path.open("a", encoding="utf-8") as file:
            file.write(formatted(record) + "\n")

    others = Crew({path: subprocess.Popen([sys.executable, "-c", ""]) for path in logs})
    assert others.warnings() == ()  # there is no log yet
    for path in logs:
        log(path, logging.INFO, "the engine is loaded")
        log(path, logging.WARNING, "the card is slow — very")
    with logs[0].open("a") as file:
        file.write("torch says: WARNING, something of its own\n2026-11-01 00:00:00 WARNING half")
    assert others.warnings() == ("the card is slow — very",)
    with logs[0].open("a") as file:
        file.write(" a line\n")
    log(logs[1], logging.ERROR, "it failed")
    assert others.warnings() == ("half a line", "it failed")
    for process in others.processes.values():
        process.wait()


def test_who_stood_by_for_nothing_is_gone_at_once(preview: Job, home: Path) -> None:
    before = psutil.Process().children()
    with standing_by(Settings.from_environment(), "tale", replace(preview, workers=3)):
        started = [one for one in psutil.Process().children() if one not in before]
        assert len(started) == 3
    assert not [one for one in started if one.is_running()]
    assert not list((home / "workers").iterdir())


@pytest.mark.parametrize("company", ["there", "expected"])
def test_the_engine_leaves_others_their_share(
    company: str, store: Store, cloned: Job, tiny_checkpoint: Path, start: Start
) -> None:
    """It computes many sentences at once, and yet takes no more of them than others can spare."""
    model = replace(cloned, backend="qwen", model=str(tiny_checkpoint))
    job = replace(model, batch_size=64, frames_per_character=0.05)
    book = studio.plan_book(store, replace(job, attempts=1, workers=1 + (company == "expected")))
    if company == "there":
        other = start("-c", JOIN)
        assert other.stdout and other.stdout.readline() == "there\n"
    keys = {key for _, key in store.chunks(book.id)}
    claimed: list[int] = []

    def look(_: studio.Speaking) -> None:
        """Of two that speak, each a process of its own, the one that was first."""
        claimed.append(max(one.chunks for one in store.leases.workers(book.id)))

    assert sorted(studio.speak(store, book.id, look)) == [1, 2]
    assert len(keys) / 4 < max(claimed) < len(keys) * 3 / 4
    assert store.takes.known(keys).keys() == keys


def test_who_comes_late_finds_something_to_speak(
    store: Store, asking: Job, server: SpeechServer, start: Start
) -> None:
    """One who is alone claims what it speaks in some seconds, and not the whole book."""
    book = studio.plan_book(store, asking)
    chunks = [chunk.spoken for chunk, _ in store.chunks(book.id)]

    server.script |= {words: [hang] for words in chunks[10:]}
    found: list[int] = []

    def come_late() -> None:
        wait_for(lambda: len(server.texts()) == 12)
        late = start("-c", CLAIM)
        assert late.stdout
        found.append(int(late.stdout.readline()))
        server.released.set()

    watcher = threading.Thread(target=come_late)
    watcher.start()
    assert list(studio.speak(store, book.id, lambda _: None)) == [1, 2]
    watcher.join()
    assert found[0] > len(chunks) / 2


def test_what_a_killed_worker_had_claimed_is_spoken_by_the_leader(
    store: Store, asking: Job, server: SpeechServer, start: Start
) -> None:
    book = studio.plan_book(store, asking)
    chunks = [chunk.spoken for chunk, _ in store.chunks(book.id)]

    server.script[chunks[2]] = [hang]
    with store.leases.hold(book.id):
        worker = begin_worker(start, book)
        wait_for(lambda: chunks[2] in server.texts())
        worker.kill()
        worker.wait(30)
        assert list(studio.speak(store, book.id, lambda _: None)) == [1, 2]
    server.released.set()
    keys = {key for _, key in store.chunks(book.id)}
    assert store.takes.known(keys).keys() == keys
    assert max(Counter(server.texts()).values()) <= 2


def test_a_second_run_joins_and_then_finds_nothing_left_to_speak(
    store: Store, asking: Job, server: SpeechServer, start: Start
) -> None:
    book = studio.plan_book(store, asking)
    keys = [key for _, key in store.chunks(book.id)]
    leader = start("-c", LEAD)
    assert leader.stdout and leader.stdout.readline() == "leads\n"

    def end_the_leader() -> None:
        with Store(settings) as other:
            wait_for(lambda: len(other.takes.known(keys)) == len(keys) - 1)
        leader.communicate("go\n", timeout=30)

    settings = Settings.from_environment()
    watcher = threading.Thread(target=end_the_leader)
    watcher.start()
    left = studio.join(store, book.id, replace(asking, force=True), lambda _: None)
    watcher.join()
    assert left == asking
    assert len(server.texts()) >= len(keys) - 1
    made = run(store, left)
    assert made.wav
    assert Counter(server.texts()) == {chunk.spoken: 1 for chunk, _ in store.chunks(book.id)}


def test_a_second_run_that_wants_another_voice_is_told_who_is_at_work(
    store: Store, preview: Job, start: Start
) -> None:
    book = studio.plan_book(store, preview)
    leader = start("-c", LEAD)
    assert leader.stdout and leader.stdout.readline() == "leads\n"
    with pytest.raises(BusyError, match=f"otherwise: process {leader.pid}"):
        studio.join(store, book.id, replace(preview, speed=1.5), lambda _: None)


def test_more_workers_than_cards_are_refused(
    store: Store, preview: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    with pytest.raises(UsageError, match=r"3 workers.*--workers 2"):
        run(store, replace(preview, workers=3))
