"""A stop that somebody swallows comes again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from narrate.stop import STOPPED

SWALLOW_THE_FIRST = """
import signal
from narrate.stop import install, raise_if_asked
install()
try:
    print("ready", flush=True)
    signal.pause()
except (KeyboardInterrupt, SystemExit):
    pass
print("lost", flush=True)
while True:
    signal.pause()
"""


STOP_A_TRANSACTION = """
import signal, sys
from narrate.config import Settings
from narrate.stop import install
from narrate.store import Store
install()
with Store(Settings.from_environment()) as store:
    try:
        with store.database.session():
            for number in range(int(sys.argv[1])):
                signal.raise_signal(signal.SIGINT)
                print("goes on", flush=True)
    except KeyboardInterrupt:
        print("stopped", flush=True)
"""


LOG_AFTER_THE_END = """
import logging
from narrate.stop import quiet_the_rest

class ShutDown(logging.Handler):
    def emit(self, record):
        try:
            raise RuntimeError("cannot log after shutdown")
        except RuntimeError:
            self.handleError(record)

logging.getLogger().addHandler(ShutDown())
quiet_the_rest()
logging.getLogger().error("a task ended late")
"""


STOP_AT = """
import os, sys

def stop(event, arguments):
    if event == "import" and arguments[0] == os.environ["STOP_AT"]:
        os.kill(os.getpid(), int(os.environ["STOP"]))

sys.addaudithook(stop)
"""


STOP_IN_A_CLASS = """
import os, signal, sys
from narrate.cli import main
from narrate.cli.app import app

class Field:
    def __set_name__(self, owner, name):
        os.kill(os.getpid(), signal.SIGINT)

@app.command("begin")
def begin():
    type("Job", (), {"field": Field()})

sys.argv = ["narrate", "begin"]
main()
"""


WAIT_FOR_NOBODY = """
import sys, threading
from narrate.cli import main
from narrate.stop import leave_at_once
threading.Thread(target=threading.Event().wait).start()
leave_at_once()
sys.argv = ["narrate", "--version"]
main()
"""


def test_what_waits_for_somebody_who_will_not_come_is_left() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WAIT_FOR_NOBODY],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("narrate ")


def test_what_is_logged_after_the_end_prints_no_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOG_AFTER_THE_END], capture_output=True, timeout=60, check=True
    )
    assert done.stderr == b""


@pytest.mark.parametrize(
    "stop", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_a_stop_that_got_lost_is_given_again(stop: signal.Signals) -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", SWALLOW_THE_FIRST],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert run.stdout and run.stdout.readline() == "ready\n"
    run.send_signal(stop)
    assert run.communicate(timeout=20)[0] == "lost\n"
    assert run.returncode != 0


@pytest.mark.parametrize("stops", [1, 2])
def test_the_first_stop_waits_for_the_end_of_a_transaction_and_the_second_does_not(
    stops: int, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STOP_A_TRANSACTION, str(stops)],
        env={**os.environ, "NARRATE_HOME": str(tmp_path)},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["goes on", "stopped"]
    assert done.stderr == ""


@pytest.mark.parametrize("module", ["typer", "narrate.text"])
@pytest.mark.parametrize(
    ("stop", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_a_stop_while_the_command_is_being_imported_is_said_as_any_other(
    stop: signal.Signals, code: int, module: str, tmp_path: Path, root: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(STOP_AT)
    path = f"{tmp_path}:{root}"
    done = subprocess.run(
        [sys.executable, "-m", "narrate", "plan", "book.txt"],
        env={**os.environ, "PYTHONPATH": path, "STOP": str(int(stop)), "STOP_AT": module},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (code, "", f"{STOPPED}\n")


def test_a_stop_that_becomes_another_error_is_said_as_a_stop() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STOP_IN_A_CLASS],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (130, f"{STOPPED}\n")
