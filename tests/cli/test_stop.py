"""A stop that somebody swallows comes again."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

SWALLOW_THE_FIRST = """
import signal
from narrate.cli.stop import install, raise_if_asked
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


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
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
