"""One book, one run."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from narrate.errors import BusyError
from narrate.store.schema import LeaseRow

from .conftest import OpenStore

HOLD = """
import sys
from narrate.config import Settings
from narrate.store import Store
with Store(Settings.from_environment()) as store, store.leases.hold("book"):
    print("held", flush=True)
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
        assert store.holder("other")


def test_a_killed_run_loses_its_lease_at_once(open_store: OpenStore, other_run) -> None:
    other_run.kill()
    other_run.wait()
    with open_store() as store:
        assert store.holder("book") is None
        with store.leases.hold("book"):
            assert store.holder("book")


def test_a_run_that_ends_gives_its_lease_back(open_store: OpenStore, other_run) -> None:
    other_run.communicate("")
    with open_store() as store, store.database.reading() as session:
        assert session.get(LeaseRow, "book") is None


def test_a_lease_of_another_host_holds_until_it_expires(open_store: OpenStore) -> None:
    with open_store() as store:
        row = {"owner": "x", "host": "elsewhere", "pid": 1, "started": 0.0}
        with store.database.session() as session:
            session.merge(LeaseRow(book_id="book", expires_at=time.time() + 60, **row))
        with pytest.raises(BusyError, match="elsewhere"):
            store.leases.hold("book").__enter__()
        with store.database.session() as session:
            session.merge(LeaseRow(book_id="book", expires_at=time.time() - 1, **row))
        with store.leases.hold("book"):
            pass


def test_within_one_process_the_book_may_be_taken_twice(open_store: OpenStore) -> None:
    with open_store() as store, open_store() as again:
        with store.leases.hold("book") as outer:
            with again.leases.hold("book") as inner:
                assert inner is outer
            assert store.holder("book")
        assert store.holder("book") is None


def test_a_failure_tells_everyone_on_the_book_to_stop(open_store: OpenStore) -> None:
    with open_store() as store:
        with pytest.raises(ZeroDivisionError), store.leases.hold("book") as lease:
            assert not lease.stop.is_set()
            raise ZeroDivisionError
        assert lease.stop.is_set()
