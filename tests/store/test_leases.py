"""One book, one leader, and whoever speaks beside it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time

import pytest
from sqlalchemy import select, update

from narrate.errors import BusyError, OutputError
from narrate.store import leases, processes
from narrate.store.schema import LeaseRow, WorkerRow

from .conftest import OpenStore

HOLD = """
import sys
from narrate.config import Settings
from narrate.store import Store
with Store(Settings.from_environment()) as store, store.leases.hold("book"):
    print("held", flush=True)
    sys.stdin.read()
"""

LEAD = """
import sys
from narrate.config import Settings
from narrate.store import Store
with Store(Settings.from_environment()) as store, store.leases.lead("book") as lease:
    print("leads" if lease else "beside", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other_run(environment: dict[str, str]):
    """A second process that holds the book."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    )
    assert process.stdout and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_run_is_refused_and_told_who_holds_the_book(
    open_store: OpenStore, other_run
) -> None:
    with open_store() as store, pytest.raises(BusyError, match=str(other_run.pid)):
        store.leases.hold("book").__enter__()


def test_another_book_is_free(open_store: OpenStore, other_run) -> None:
    with open_store() as store, store.leases.hold("other"):
        assert store.leases.holder("other")


def test_a_killed_run_loses_its_lease_at_once(open_store: OpenStore, other_run) -> None:
    other_run.kill()
    other_run.wait()
    with open_store() as store:
        assert store.leases.holder("book") is None
        with store.leases.hold("book"):
            assert store.leases.holder("book")


def test_a_run_that_ends_leaves_nothing_of_its_own_behind(open_store: OpenStore, other_run) -> None:
    other_run.communicate("", timeout=30)
    with open_store() as store, store.database.reading() as session:
        assert session.get(LeaseRow, "book") is None
        assert session.scalars(select(WorkerRow)).all() == []


def test_a_lease_of_another_host_holds_until_it_expires(open_store: OpenStore) -> None:
    def elsewhere(expires_s: int) -> None:
        with store.database.session() as session:
            row = {"id": "x", "book_id": "book", "host": "elsewhere", "pid": 1, "started": 0.0}
            session.merge(WorkerRow(expires_at=time.time() + expires_s, **row))
            session.flush()
            session.merge(LeaseRow(book_id="book", worker_id="x"))

    with open_store() as store:
        elsewhere(60)
        with pytest.raises(BusyError, match="elsewhere"):
            store.leases.hold("book").__enter__()
        with store.leases.lead("book") as lease:
            assert lease is None
        elsewhere(-1)
        with store.leases.hold("book"):
            assert store.leases.holder("book") != "process 1 on elsewhere"


def test_a_living_run_on_a_machine_of_the_same_name_is_not_taken_for_dead(
    open_store: OpenStore,
) -> None:
    nobody = {"pid": 4_194_304, "started": 1.0}  # no process here has that number
    row = {"id": "x", "book_id": "book", "host": socket.gethostname(), **nobody}
    with open_store() as store:
        for machine, is_alive in (("another boot", True), (processes.machine(), False)):
            with store.database.session() as session:
                session.merge(WorkerRow(machine=machine, expires_at=time.time() + 60, **row))
                session.flush()
                session.merge(LeaseRow(book_id="book", worker_id="x"))
            assert bool(store.leases.holder("book")) is is_alive


def test_a_run_that_was_killed_and_not_yet_waited_for_has_ended(
    open_store: OpenStore, other_run
) -> None:
    other_run.kill()
    os.waitid(os.P_PID, other_run.pid, os.WEXITED | os.WNOWAIT)  # now it is a zombie
    with open_store() as store:
        assert store.leases.holder("book") is None


def test_of_many_that_start_at_once_one_leads(environment: dict[str, str]) -> None:
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", LEAD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        for _ in range(5)
    ]
    said = [run.stdout.readline() for run in runs if run.stdout]
    for run in runs:
        run.communicate("", timeout=60)
    assert sorted(said) == ["beside\n"] * 4 + ["leads\n"]


def test_within_one_process_the_book_may_be_taken_twice(open_store: OpenStore) -> None:
    with open_store() as store, open_store() as again:
        with store.leases.hold("book") as outer:
            with again.leases.hold("book") as inner:
                assert inner is outer
            assert store.leases.holder("book")
        assert store.leases.holder("book") is None


def test_a_failure_tells_everyone_on_the_book_to_stop(open_store: OpenStore) -> None:
    with open_store() as store:
        with pytest.raises(ZeroDivisionError), store.leases.hold("book") as lease:
            assert not lease.stop.is_set()
            raise ZeroDivisionError
        assert lease.stop.is_set()


def test_who_stood_still_and_lost_the_lead_is_told_so_whatever_it_failed_by(
    environment: dict[str, str], open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "HEARTBEAT_S", 0.05)
    other = None

    def fail_after_another_took_over(lease: leases.Lease) -> None:
        nonlocal other
        with lease.lock:  # no heartbeat, as where a process is suspended
            with store.database.session() as session:
                session.execute(update(WorkerRow).values(expires_at=0.0))
            other = subprocess.Popen(
                [sys.executable, "-c", HOLD], env=environment, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
            assert other.stdout and other.stdout.readline() == "held\n"
        assert lease.stop.wait(60)
        raise OutputError("a file was taken away")

    with open_store() as store:
        try:
            with (
                pytest.raises(BusyError, match="another has taken its place"),
                store.leases.hold("book") as lease,
            ):
                fail_after_another_took_over(lease)
        finally:
            if other:
                other.kill()
                other.communicate()


def test_who_wakes_up_asks_whether_it_still_leads(
    environment: dict[str, str], open_store: OpenStore
) -> None:
    with open_store() as store, contextlib.ExitStack() as stack:
        lease = stack.enter_context(store.leases.hold("book"))
        assert not store.leases.is_over(lease)
        with store.database.session() as session:
            session.execute(update(WorkerRow).values(expires_at=0.0))
        other = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", HOLD], env=environment, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )
        )  # fmt: skip
        assert other.stdout and other.stdout.readline() == "held\n"
        assert not store.leases.is_over(lease)  # what it last heard is from just now
        lease.renewed -= leases.LEASE_S + 1  # it slept; no heartbeat has come since
        assert store.leases.is_over(lease) and lease.lost
        other.kill()


def test_who_wakes_up_and_still_leads_goes_on(open_store: OpenStore) -> None:
    with open_store() as store, store.leases.hold("book") as lease:
        lease.renewed -= leases.LEASE_S + 1
        assert not store.leases.is_over(lease)
        assert lease.renewed > time.time() - leases.LEASE_S
