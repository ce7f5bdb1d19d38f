"""Claims: no two processes speak the same take, and nothing stays claimed by the dead."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from narrate.core import Chunk, Plan, Span
from narrate.store import Book, Claimed, Lease, NewTake, Store
from narrate.store.schema import WorkerRow

from .conftest import OpenStore

KEYS = [f"{n:064x}" for n in range(1, 201)]

SPEAK = """
import json, sys
from narrate.config import Settings
from narrate.store import NewTake, Store
said = []
with Store(Settings.from_environment()) as store, store.leases.join("b") as lease:
    print("ready", flush=True)
    sys.stdin.readline()
    while claimed := store.claims.take(lease, [1, 2], int(sys.argv[1])):
        said += [one.take_key for one in claimed]
        store.takes.add([NewTake(one.take_key, b"x", 1, 1, 0, 0, {}) for one in claimed])
        store.claims.end([one.take_key for one in claimed])
print(json.dumps(said), flush=True)
"""


def put_book(
    store: Store, keys: list[str] = KEYS, name: str = "b", words: Sequence[str] = ()
) -> None:
    half = len(keys) // 2
    said = words or [f"Text {n}." for n in range(1, len(keys) + 1)]
    chunks = tuple(
        Chunk(1 if n <= half else 2, n, text, text, Span(n, n + 1), 0.35)
        for n, text in enumerate(said, start=1)
    )
    plan = Plan("Title", "", "en", ("One", "Two"), chunks, ())
    store.put_plan(Book(name, Path("/b.txt"), "0", Path("/out", name)), plan, keys, [0] * len(keys))


def new_take(key: str, fault: str | None = None) -> NewTake:
    return NewTake(key, b"x", 1, 1, seed=0, attempt=0, checks={}, fault=fault)


def keys_of(claimed: list[Claimed]) -> list[str]:
    return [one.take_key for one in claimed]


@contextlib.contextmanager
def stranger(store: Store, name: str, *, expires_s: float = 60.0) -> Iterator[Lease]:
    """Stand for a process on another host."""
    lease = Lease("b")
    lease.worker_id = name
    with store.database.session() as session:
        row = {"id": name, "book_id": "b", "host": "elsewhere", "pid": 1, "started": 0.0}
        session.merge(WorkerRow(expires_at=time.time() + expires_s, **row))
    yield lease


def expire(store: Store, name: str) -> None:
    with store.database.session() as session:
        session.get_one(WorkerRow, name).expires_at = time.time() - 1


def test_claims_come_in_reading_order_and_never_twice(store: Store) -> None:
    put_book(store)
    with store.leases.join("b") as mine, stranger(store, "other") as other:
        assert keys_of(store.claims.take(mine, [1, 2], 3)) == KEYS[:3]
        assert keys_of(store.claims.take(other, [1, 2], 3)) == KEYS[3:6]
        assert keys_of(store.claims.take(mine, [2], 2)) == KEYS[100:102]
        last = Claimed(50, KEYS[49], 0, "Text 50.")
        assert keys_of(store.claims.take(mine, [1], 2, last)) == KEYS[50:52]


def test_the_longest_come_first_where_that_is_asked_for(store: Store) -> None:
    words = ["four", "one and two", "x", "five", "six times two", "y"]
    put_book(store, KEYS[:6], words=words)
    with store.leases.join("b") as lease:
        first = store.claims.take(lease, [1, 2], 3, longest_first=True)
        assert [one.spoken for one in first] == ["six times two", "one and two", "four"]
        then = store.claims.take(lease, [1, 2], 2, first[-1], longest_first=True)
        assert [one.spoken for one in then] == ["five", "x"]
        assert [one.spoken for one in store.claims.take(lease, [1, 2], 9)] == ["y"]


@pytest.mark.parametrize(
    ("least", "sizes"),
    [(4, [20, 20, 15, 11, 8, 6, 5, 4, 4, 4, 3]), (10, [20, 20, 15, 11, 10, 10, 10, 4])],
)
def test_claims_get_smaller_towards_the_end_where_several_share_a_book(
    least: int, sizes: list[int], store: Store
) -> None:
    put_book(store, KEYS[:100], words=["x" * (1 + n % 7) for n in range(100)])
    with store.leases.join("b") as lease:
        take = partial(store.claims.take, longest_first=True, parts=4, least=least)
        found, last = [], None
        while some := take(lease, [1, 2], 20, last):
            found.append(len(some))
            last = some[-1]
    assert found == sizes


def test_a_server_has_counted_the_chunks_before_any_is_claimed(store: Store) -> None:
    if store.database.is_sqlite:
        pytest.skip("a file of our own counts nothing")
    put_book(store, KEYS[:100])
    with store.database.reading() as session:
        query = text("select reltuples from pg_class where relname = 'chunks'")
        assert session.scalar(query) == 100


def test_what_is_stored_is_not_claimed_again(store: Store) -> None:
    put_book(store, KEYS[:4])
    store.takes.add([new_take(KEYS[1])])
    with store.leases.join("b") as lease:
        assert keys_of(store.claims.take(lease, [1, 2], 9)) == [KEYS[0], *KEYS[2:4]]
        store.takes.add([new_take(KEYS[0])])
        assert store.claims.among(KEYS) == {KEYS[0], *KEYS[2:4]}
        store.claims.end([KEYS[0]])
        assert store.claims.among(KEYS) == set(KEYS[2:4])
        assert store.claims.take(lease, [1, 2], 9) == []


def test_more_claims_end_at_once_than_a_statement_can_name(store: Store) -> None:
    put_book(store, KEYS[:4])
    with store.leases.join("b") as lease:
        store.claims.take(lease, [1, 2], 9)
        store.claims.end([*(f"{n:064x}" for n in range(300_000)), *KEYS[:4]])
        assert not store.claims.among(KEYS)


def test_a_bad_take_stays_claimed_until_it_is_decided_what_becomes_of_it(store: Store) -> None:
    put_book(store, KEYS[:2])
    with store.leases.join("b") as lease:
        first, _ = store.claims.take(lease, [1, 2], 9)
        store.takes.add([new_take(KEYS[0], "silent")])
        assert store.claims.among(KEYS) == set(KEYS[:2])
        assert store.rename_take("b", first, KEYS[9], 1)
        assert store.claims.among(KEYS) == {KEYS[1]}
        assert not store.rename_take("b", first, KEYS[8], 1)  # who comes second changes nothing
        assert keys_of(store.claims.take(lease, [1, 2], 9)) == [KEYS[9]]


def test_words_that_two_books_share_are_claimed_once(store: Store) -> None:
    put_book(store, KEYS[:4])
    put_book(store, KEYS[2:6], "c")
    with store.leases.join("b") as lease, store.leases.join("c") as other:
        assert keys_of(store.claims.take(lease, [1, 2], 9)) == KEYS[:4]
        assert keys_of(store.claims.take(other, [1, 2], 9)) == KEYS[4:6]


def test_claims_of_an_expired_worker_are_free_and_its_late_takes_do_no_harm(store: Store) -> None:
    put_book(store, KEYS[:4])
    with store.leases.join("b") as mine, stranger(store, "late") as late:
        assert len(store.claims.take(late, [1, 2], 2)) == 2
        expire(store, "late")
        assert keys_of(store.claims.take(mine, [1, 2], 9)) == KEYS[:4]
        store.takes.add([new_take(KEYS[0])])
        (kept,) = store.takes.get([KEYS[0]]).values()
        store.takes.add([NewTake(KEYS[0], b"late", 1, 1, 0, 0, {})])
        assert store.takes.get([KEYS[0]]) == {KEYS[0]: kept}
        assert not store.takes.damaged([KEYS[0]], thorough=True)
        assert store.claims.take(late, [1, 2], 9) == []  # and it may go on


def test_release_gives_back_what_is_not_stored(store: Store) -> None:
    put_book(store, KEYS[:4])
    with store.leases.join("b") as lease:
        store.claims.take(lease, [1, 2], 9)
        store.takes.add([new_take(KEYS[0])])
        store.claims.release(lease)
        assert keys_of(store.claims.take(lease, [1, 2], 9)) == KEYS[1:4]


def test_the_store_tells_who_leads_and_who_speaks_what(store: Store) -> None:
    put_book(store)
    with store.leases.hold("b") as mine, stranger(store, "other") as other:
        store.claims.take(mine, [1, 2], 5)
        store.claims.take(other, [2], 7)
        leader, second = store.leases.workers("b")
        assert (leader.leads, leader.chunks, leader.chapter) == (True, 5, 1)
        assert (second.leads, second.chunks, second.chapter) == (False, 7, 2)
        assert second.name == "process 1 on elsewhere"
        assert store.claims.others(mine) == store.claims.others(other) == 1
        store.claims.release(mine)  # and so it only waits for the other
        assert (store.claims.others(mine), store.claims.others(other)) == (1, 0)


@pytest.mark.parametrize("most", [pytest.param(1, marks=pytest.mark.slow), 7])
def test_processes_that_claim_at_once_speak_every_take_once(
    store: Store, environment: dict[str, str], most: int
) -> None:
    put_book(store)
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", SPEAK, str(most)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        for _ in range(4)
    ]
    for run in runs:
        assert run.stdout and run.stdout.readline() == "ready\n"
    for run in runs:
        assert run.stdin
        run.stdin.write("go\n")
        run.stdin.flush()
    said: Counter[str] = Counter()
    for run in runs:
        said.update(json.loads(run.communicate(timeout=60)[0]))
    assert said == Counter(KEYS)


def test_what_a_killed_process_had_claimed_is_free_at_once(
    open_store: OpenStore, environment: dict[str, str]
) -> None:
    script = SPEAK.replace(
        "        store.takes.add",
        '        print("claimed", flush=True)\n        sys.stdin.read()\n        store.takes.add',
    )
    with open_store() as store:
        put_book(store)
        run = subprocess.Popen(
            [sys.executable, "-c", script, "200"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        assert run.stdout and run.stdin and run.stdout.readline() == "ready\n"
        run.stdin.write("go\n")
        run.stdin.flush()
        assert run.stdout.readline() == "claimed\n"
        with store.leases.join("b") as lease:
            assert store.claims.take(lease, [1, 2], 9) == []
            run.kill()
            run.communicate(timeout=30)
            assert keys_of(store.claims.take(lease, [1, 2], 3)) == KEYS[:3]


WRITE = """
import sys
from narrate.config import Settings
from narrate.store import NewTake, Store
with Store(Settings.from_environment()) as store, store.leases.join("b") as lease:
    print("ready", flush=True)
    sys.stdin.readline()
    for n in range(25):
        store.takes.add([NewTake(sys.argv[1] + f"{n:062x}", b"x", 1, 1, 0, 0, {})])
"""


@pytest.mark.slow
def test_twenty_writers_wait_for_each_other_and_none_is_told_of_a_lock(
    store: Store, environment: dict[str, str]
) -> None:
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE, f"{number:02x}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
        )
        for number in range(20)
    ]
    for run in runs:
        assert run.stdout and run.stdout.readline() == "ready\n"
    for run in runs:
        assert run.stdin
        run.stdin.write("go\n")
        run.stdin.flush()
    errors = [run.communicate(timeout=120)[1] for run in runs]
    assert [run.returncode for run in runs] == [0] * 20, errors
    keys = [f"{number:02x}{n:062x}" for number in range(20) for n in range(25)]
    assert len(store.takes.known(keys)) == 500
