"""Work in processes of their own: it comes back, fails, stops and ends as if it were done here."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psutil
import pytest

from narrate.apart import AT_ONCE, apart
from narrate.errors import NarrateError, StorageError
from tests.waiting import wait_for

# What is called has to be found by another process: in a module that it can import.
MODULE = """
import os, signal, time
from pathlib import Path
from narrate.errors import StorageError

def add(a, b):
    return a + b, os.getpid(), os.environ["OMP_NUM_THREADS"]

def fail(how):
    if how == "ours":
        raise StorageError("the disk is full", where="/there", remedy="make room")
    if how == "disk":
        raise FileNotFoundError(2, "no such file", "/nowhere")
    raise type("Local", (Exception,), {})("cannot be pickled")

def until_stopped(path, *, stop):
    path.with_suffix(".pid").write_text(str(os.getpid()))
    try:
        while not stop():
            path.write_text("at work")
            time.sleep(0.01)
        return "stopped"
    finally:
        path.with_suffix(".left").touch()

def die(path, times):
    said = path.read_text() if path.exists() else ""
    path.write_text(said + "x")
    if len(said) < times:
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"
"""


eventually = partial(wait_for, patience_s=20.0, every_s=0.01)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "modules"
    folder.mkdir()
    name = f"work_{uuid.uuid4().hex}"
    (folder / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    _let_the_kept_ones_go()
    yield importlib.import_module(name)
    _let_the_kept_ones_go()


def _let_the_kept_ones_go() -> None:
    """Those of other tests know no module of this one."""
    for child in psutil.Process().children():
        if "narrate.apart" in child.cmdline():
            child.kill()
            child.wait()


def test_it_returns_what_the_function_does(work) -> None:
    total, pid, threads = apart(work.add, 2, 3)
    assert (total, threads) == (5, "1")
    assert pid != os.getpid()


def test_a_process_is_kept_for_the_next_call(work) -> None:
    assert apart(work.add, 1, 1)[1] == apart(work.add, 1, 1)[1]


def test_as_many_are_at_work_as_there_are_cores(work, tmp_path: Path) -> None:
    halt = threading.Event()
    paths = [tmp_path / f"{number}" for number in range(AT_ONCE + 1)]
    with ThreadPoolExecutor(AT_ONCE + 1) as pool:
        calls = [pool.submit(apart, work.until_stopped, path, stop=halt.is_set) for path in paths]
        eventually(lambda: sum(path.exists() for path in paths) == AT_ONCE)
        halt.set()
        assert [call.result() for call in calls] == ["stopped"] * (AT_ONCE + 1)


def test_an_error_of_ours_comes_back_with_its_three_parts(work) -> None:
    with pytest.raises(StorageError) as caught:
        apart(work.fail, "ours")
    assert (caught.value.what, caught.value.where, caught.value.remedy) == (
        "the disk is full",
        "/there",
        "make room",
    )


def test_an_error_that_nobody_foresaw_says_where_it_came_from(work) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        apart(work.fail, "disk")
    assert "in fail" in "".join(caught.value.__notes__)
    with pytest.raises(RuntimeError, match="cannot be pickled"):
        apart(work.fail, "local")
    assert apart(work.add, 1, 1)[0] == 2  # the process goes on


def test_a_process_that_was_killed_is_replaced_once(work, tmp_path: Path) -> None:
    assert apart(work.die, tmp_path / "once", 1) == "alive"
    with pytest.raises(NarrateError, match="a process that was to die was ended from outside"):
        apart(work.die, tmp_path / "twice", 2)


def test_who_has_nothing_to_do_is_let_go(work) -> None:
    process = psutil.Process(apart(work.add, 1, 1)[1])
    eventually(lambda: not process.is_running())


def test_a_kept_process_that_has_gone_is_replaced(work) -> None:
    pid = apart(work.add, 1, 1)[1]
    os.kill(pid, signal.SIGKILL)
    assert apart(work.add, 1, 1)[1] != pid


def test_a_machine_without_room_for_a_process_is_told(
    work, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere"))
    with pytest.raises(NarrateError, match="no further process can be started: No such file"):
        apart(work.add, 1, 1)


LEADER = """
import importlib, sys
from pathlib import Path
from narrate.apart import apart
print(apart(importlib.import_module(sys.argv[1]).until_stopped, Path(sys.argv[2]),
            stop=lambda: Path(sys.argv[2]).with_suffix(".stop").exists()), flush=True)
"""


def _leading(work, path: Path) -> subprocess.Popen[bytes]:
    leader = subprocess.Popen(
        [sys.executable, "-c", LEADER, work.__name__, str(path)], stderr=subprocess.DEVNULL
    )
    eventually(path.exists)
    return leader


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_it_ends_with_who_called_it_and_cleans_up(work, tmp_path: Path, how: int) -> None:
    path = tmp_path / "beat"
    leader = _leading(work, path)
    pid = int(path.with_suffix(".pid").read_text())
    leader.send_signal(how)
    leader.wait()
    eventually(path.with_suffix(".left").exists)
    eventually(lambda: not psutil.pid_exists(pid))


def test_it_does_not_go_on_while_its_caller_stands_still(work, tmp_path: Path) -> None:
    path = tmp_path / "beat"
    leader = _leading(work, path)
    psutil.Process(leader.pid).suspend()
    child = psutil.Process(int(path.with_suffix(".pid").read_text()))
    # It asks, and has no answer: what it writes is the same for longer than it goes without asking.
    eventually(lambda: _rests(path))
    path.with_suffix(".stop").touch()
    psutil.Process(leader.pid).resume()
    assert leader.wait(20) == 0
    eventually(lambda: not child.is_running())


def _rests(path: Path) -> bool:
    before = path.stat().st_mtime_ns
    threading.Event().wait(0.5)
    return path.stat().st_mtime_ns == before


def test_stopping_reaches_it(work, tmp_path: Path) -> None:
    path, halt = tmp_path / "beat", threading.Event()
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(apart, work.until_stopped, path, stop=halt.is_set)
        eventually(path.exists)
        assert not call.done()
        halt.set()
        assert call.result(20) == "stopped"
