"""`narrate FILE` as a user meets it: results, messages, exit codes, stopping and going on."""

from __future__ import annotations

import random
import shlex
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
import soundfile

from narrate.config import Settings
from narrate.store import Store
from tests.disk import SmallDisk

from .conftest import COMMAND, Narrate

SENTENCES = [
    f"Sentence number {number} of this long test tells of ship {number * 7} and its crew."
    for number in range(1, 121)
]


TALES = [f"Tale {number} tells of the ship {number * 7} and of its crew." for number in range(2400)]


def write_book(path: Path, sentences: list[str] = SENTENCES) -> Path:
    parts = ["# A long test"]
    for start in range(0, len(sentences), 30):
        parts += [f"## Part {start // 30 + 1}", *sentences[start : start + 30]]
    path.write_text("\n\n".join(parts) + "\n")
    return path


# Every process of the run notes whom it calls or looks up, by Python's own audit events.
WATCH = """
import os, sys

def watch(event, arguments):
    if event in ("socket.connect", "socket.sendto"):
        where = arguments[1]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        where = arguments
    else:
        return
    if isinstance(where, tuple) and where[0] is not None:  # a path is a socket of this machine
        host = where[0] if isinstance(where[0], str) else where[0].decode()
        with open(os.environ["WATCHED"], "a") as log:
            log.write(host + "\\n")

sys.addaudithook(watch)
"""


def test_a_document_becomes_a_wav_whose_path_is_printed(
    narrate: Narrate, data: Path, tmp_path: Path
) -> None:
    done = narrate(data / "short-story.txt")
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.strip())
    assert path == tmp_path / "outputs" / "short-story" / "short-story.wav"
    info = soundfile.info(path)
    assert (info.samplerate, info.channels, info.subtype) == (44_100, 1, "PCM_16")
    assert info.duration > 30
    assert "Traceback" not in done.stderr and "prefect" not in done.stderr.lower()


def test_a_rerun_says_that_there_is_nothing_to_do_and_needs_no_server(
    narrate: Narrate, data: Path
) -> None:
    first = narrate(data / "short-story.txt")
    again = narrate(data / "short-story.txt", PREFECT_API_URL="http://127.0.0.1:1/api")
    assert (again.returncode, again.stdout) == (0, first.stdout)
    assert "Nothing to do" in again.stderr


def test_without_a_server_of_the_users_one_is_embedded_and_gone_afterwards(
    narrate: Narrate, environment: dict[str, str], data: Path, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    watched = tmp_path / "watched"
    watching = {
        "PYTHONPATH": f"{tmp_path}:{environment['PYTHONPATH']}",
        "WATCHED": str(watched),
        "PREFECT_API_URL": "",
    }
    done = narrate(data / "short-story.txt", **watching)
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    asked = set(watched.read_text().split())
    assert "127.0.0.1" in asked
    assert asked <= {"127.0.0.1", "::1", "localhost"}
    running = psutil.process_iter(["cmdline", "environ"])
    assert [one.info["cmdline"] for one in running if str(home) in str(one.info)] == []
    assert (home / "prefect" / "prefect.db").exists()


def test_status_tells_what_is_done_and_where(narrate: Narrate, data: Path) -> None:
    forms = "flac,epub3,w3c,srt"
    part = narrate(data / "short-story.txt", "--chapters", "1", "--format", forms)
    assert "1 of 2 chapters done; made when all are there: epub3, w3c." in part.stderr
    assert [Path(line).name for line in part.stdout.splitlines()] == ["flac"]
    said = narrate("status", "short-story").stdout
    assert "1 of 2 chapters" in said and "goes on" in said
    assert "short-story" in narrate("status").stdout
    # no WAV of the whole book was asked for
    made = narrate(data / "short-story.txt", "--format", "flac").stdout.strip()
    assert "2 of 2 chapters" in (said := narrate("status").stdout) and "finished" in said
    assert narrate("check", "short-story").returncode == 0
    assert narrate("check", data / "short-story.txt").returncode == 0
    assert narrate("export", data / "short-story.txt", "--format", "wav").returncode == 0
    for path in Path(made).iterdir():
        path.unlink()
    assert "not yet made: flac; narrate" in narrate("status").stdout
    next((Path(made).parent / "chapters").iterdir()).unlink()
    assert "1 of 2 chapters" in (said := narrate("status").stdout) and "not all stitched" in said


@pytest.mark.slow
def test_clean_removes_what_an_edit_left_behind(narrate: Narrate, tmp_path: Path) -> None:
    book = write_book(tmp_path / "book.md", SENTENCES[:4])
    narrate(book)
    write_book(book, SENTENCES[:3])
    narrate(book)
    assert narrate("clean", "--dry-run").stdout.startswith("1 take ")
    assert narrate("clean").stdout.startswith("1 take ")
    assert narrate("clean").stdout.startswith("0 takes ")


def interrupted(environment: dict[str, str], book: Path, stop: signal.Signals) -> tuple[int, str]:
    """Start a run, stop it once some takes are stored; returns its code and what it said."""
    process = subprocess.Popen(
        [*COMMAND, str(book)], env=environment, cwd=book.parent, stderr=subprocess.PIPE, text=True
    )
    home = Path(environment["NARRATE_HOME"])
    while process.poll() is None and not list(home.glob("takes/??/*.flac")):
        time.sleep(0.01)
    asked = time.monotonic()
    process.send_signal(stop)
    said = process.communicate(timeout=30)[1]
    assert time.monotonic() - asked < 6.0  # two seconds on an idle machine
    return process.returncode, said


@pytest.mark.parametrize(
    ("stop", "code"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)],
)
def test_a_stop_keeps_what_was_spoken_and_says_how_to_go_on(
    narrate: Narrate,
    environment: dict[str, str],
    tmp_path: Path,
    stop: signal.Signals,
    code: int,
) -> None:
    book = write_book(tmp_path / "book.md", TALES)
    returned, said = interrupted(environment, book, stop)
    assert returned == code, said
    assert "same command" in said and "Traceback" not in said
    with Store(Settings.from_environment({"NARRATE_HOME": environment["NARRATE_HOME"]})) as store:
        kept = {key for _, key in store.chunks("book")} & store.takes.get(
            key for _, key in store.chunks("book")
        ).keys()
        assert kept and not store.takes.damaged(kept, thorough=True)
        assert store.leases.holder("book") is None


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_moments_the_book_comes_out_byte_equal(
    narrate: Narrate, environment: dict[str, str], tmp_path: Path, kills: int
) -> None:
    book = write_book(tmp_path / "book.md")
    whole = tmp_path / "other" / "book.md"
    whole.parent.mkdir()
    write_book(whole)
    other = str(tmp_path / "other-home")
    expected = Path(narrate(whole, "--out", "other/out", NARRATE_HOME=other).stdout.strip())
    chance = random.Random(20)
    stored: dict[str, int] = {}
    for _ in range(kills):
        process = subprocess.Popen(
            [*COMMAND, str(book)], env=environment, cwd=tmp_path, stderr=subprocess.PIPE
        )
        until = time.monotonic() + chance.uniform(0.3, 2.2)
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
        process.kill()
        process.communicate()
        stored = _takes_on_record(environment, stored)
    done = narrate(book)
    assert done.returncode == 0, done.stderr
    _takes_on_record(environment, stored)
    assert Path(done.stdout.strip()).read_bytes() == expected.read_bytes()
    ours, theirs = (path.parent / "chapters" for path in (Path(done.stdout.strip()), expected))
    assert [p.read_bytes() for p in sorted(ours.iterdir())] == [
        p.read_bytes() for p in sorted(theirs.iterdir())
    ]


def _takes_on_record(environment: dict[str, str], before: dict[str, int]) -> dict[str, int]:
    """Return the takes with rows, by key; those of before are still the same files."""
    with Store(Settings.from_environment({"NARRATE_HOME": environment["NARRATE_HOME"]})) as store:
        keys = [key for _, key in store.chunks("book")]
        takes = store.takes.get(keys)
        assert not store.takes.damaged(takes, thorough=True)
        now = {key: take.audio_path.stat().st_ino for key, take in takes.items()}
    assert before.items() <= now.items()
    return now


@pytest.mark.slow
def test_a_chapter_that_is_removed_while_the_book_is_made_is_no_success(
    narrate: Narrate, environment: dict[str, str], tmp_path: Path
) -> None:
    book = write_book(tmp_path / "long.md")
    running = subprocess.Popen(
        [*COMMAND, str(book)], env=environment, cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    with Store(Settings.from_environment()) as store:
        while running.poll() is None and len(made := list(store.outputs("long").values())) < 2:
            time.sleep(0.01)
    made[0].path.unlink()
    printed, said = running.communicate(timeout=240)
    if running.returncode == 0:  # it was noticed early, and the chapter stitched once more
        assert printed.endswith("long.wav\n")
    else:
        assert running.returncode == 4
        assert made[0].path.name in said and "the same command" in said
    assert narrate(book).returncode == 0
    assert narrate("check", "outputs/long").returncode == 0


@pytest.mark.slow
def test_a_second_run_of_the_same_book_says_who_holds_it(
    narrate: Narrate, environment: dict[str, str], tmp_path: Path
) -> None:
    book = write_book(tmp_path / "book.md", TALES)
    first = subprocess.Popen([*COMMAND, str(book)], env=environment, cwd=tmp_path)
    home = Path(environment["NARRATE_HOME"])
    while first.poll() is None and not list(home.glob("takes/??/*.flac")):
        time.sleep(0.01)
    second = narrate(book)
    assert second.returncode == 6
    assert f"process {first.pid}" in second.stderr
    first.send_signal(signal.SIGINT)
    first.wait(30)


def make_unwritable(tmp_path: Path) -> Path:
    (tmp_path / "locked").write_text("a file where a folder should be")
    return tmp_path / "locked"


BAD = {
    "missing.txt": (None, 3, "no such file"),
    "empty.txt": (b"", 3, "empty"),
    "spaces.txt": (b" \n\t\n " * 50, 3, "nothing|white|empty|no words"),
    "binary.txt": (bytes(range(256)) * 40, 3, "binary|text"),
    "picture.png": (b"\x89PNG\r\n", 3, r"\.txt"),
    "signs.txt": (b"--- *** ... !!!\n", 3, "no words|nothing"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_document_is_one_line_and_exit_code_3(
    narrate: Narrate, tmp_path: Path, name: str
) -> None:
    content, code, words = BAD[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = narrate(tmp_path / name)
    assert done.returncode == code
    assert done.stdout == "" and len(done.stderr.strip().splitlines()) == 1
    assert name in done.stderr
    import re

    assert re.search(words, done.stderr), done.stderr
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--speed", "9"], 2, "0.5 to 2"),
        (["--chapters", "x"], 2, "1-3,7"),
        (["--chapters", "9"], 2, "the book has 2"),
        (["--nonsense"], 2, "--nonsense"),
        (["--language", "tlh"], 8, "tlh"),
        (["--out", "locked"], 4, "locked"),
    ],
)
def test_a_bad_request_is_one_line_and_leaves_nothing(
    narrate: Narrate, data: Path, tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    make_unwritable(tmp_path)
    done = narrate(data / "short-story.txt", *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.glob("outputs/*/*.wav"))


def test_a_name_that_the_terminal_cannot_show_is_no_fault(narrate: Narrate, tmp_path: Path) -> None:
    (tmp_path / "book.md").write_text("# Каша\n\nHello.\n")
    done = narrate("plan", tmp_path / "book.md", PYTHONIOENCODING="latin-1")
    assert done.returncode == 0, done.stderr
    assert "\\u041a" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device")
def test_an_output_that_is_full_is_said(environment: dict[str, str], data: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "plan", data / "short-story.txt"],
            env=environment, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60,
            check=False,
        )  # fmt: skip
    assert done.returncode == 5
    assert "No space left" in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_a_folder_that_was_removed_underneath_is_said(
    environment: dict[str, str], data: Path, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    words = " ".join(map(shlex.quote, [*COMMAND, str(data / "short-story.txt")]))
    done = subprocess.run(
        ["sh", "-c", f"rmdir ../gone && exec {words}"],
        cwd=gone, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 5
    assert "current folder has been removed" in done.stderr


def test_debug_shows_where_an_error_came_from(narrate: Narrate, tmp_path: Path) -> None:
    assert "Traceback" in narrate(tmp_path / "missing.txt", "--debug").stderr


def test_a_server_that_is_not_there_is_an_error_that_names_it(narrate: Narrate, data: Path) -> None:
    done = narrate(data / "short-story.txt", PREFECT_API_URL="http://127.0.0.1:1/api")
    assert done.returncode == 8
    assert "127.0.0.1:1" in done.stderr and "unset PREFECT_API_URL" in done.stderr


@pytest.mark.slow
def test_a_full_disk_under_the_outputs_loses_nothing(
    narrate: Narrate, tmp_path: Path, small_disk: SmallDisk
) -> None:
    book = write_book(tmp_path / "book.md")
    done = narrate(book, "--out", small_disk.path)
    assert done.returncode == 5 and "disk is full" in done.stderr, done.stderr
    assert not list(small_disk.path.rglob("*.part"))
    again = narrate(book)
    assert again.returncode == 0, again.stderr


@pytest.mark.slow
def test_a_full_disk_under_the_takes_keeps_what_is_stored(
    narrate: Narrate, tmp_path: Path, small_disk: SmallDisk, prefect_api: str
) -> None:
    book = write_book(tmp_path / "book.md")
    home = str(small_disk.path / "home")
    done = narrate(book, NARRATE_HOME=home)
    assert done.returncode == 5 and "disk is full" in done.stderr, done.stderr
    small_disk.resize(200 << 20)
    with Store(Settings.from_environment({"NARRATE_HOME": home})) as store:
        takes = store.takes.get(key for _, key in store.chunks("book"))
        assert not store.takes.damaged(takes, thorough=True)
    assert narrate(book, NARRATE_HOME=home).returncode == 0


def test_a_damaged_store_is_said_and_left_as_it_is(
    narrate: Narrate, data: Path, home: Path
) -> None:
    home.mkdir()
    (home / "narrate.db").write_bytes(b"not a database at all " * 100)
    done = narrate(data / "short-story.txt")
    assert done.returncode == 5 and "narrate.db" in done.stderr
    assert (home / "narrate.db").read_bytes().startswith(b"not a database")
