"""Chunk commits a second through the store: claims, takes and their files, by many processes.

    python -m benchmarks.store --memory /dev/shm --json docs/benchmarks/store.json

Each process does what a worker does without speaking: it claims chunks, writes a file for each,
stores them many in a transaction, and ends the claims. PostgreSQL is started here, with fsync on,
beside the processes it serves. `--bytes` is the size of a take's file; each one is synced. With
`--memory /dev/shm` each row is measured again with the files in memory, the database on the disk.

A machine is seldom idle: a row names the cores that others kept busy meanwhile, and the processor
time of a thousand chunks, in our processes and in PostgreSQL's, which they disturb far less.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Any

import psutil

from benchmarks.others import busy_s, cores_of_others
from narrate.bench.machine import environment as facts_of_this_machine
from narrate.config import Settings
from narrate.core import Chunk, Plan, Span
from narrate.store import Book, Claimed, NewTake, Store
from narrate.studio.clerk import CLAIM_TAKES
from narrate.studio.recorder import COMMIT_TAKES
from tests.postgres import Cluster, binaries, cluster

BOOK = "bench"


def work(size: int) -> None:
    """Be one of the processes; waits for a line on standard input before it starts."""
    audio = os.urandom(size)
    with Store(Settings.from_environment()) as store, store.leases.join(BOOK) as lease:
        print("ready", flush=True)
        sys.stdin.readline()
        after: Claimed | None = None
        stored = 0
        while some := store.claims.take(lease, [1], CLAIM_TAKES, after):
            after = some[-1]
            keys = [one.take_key for one in some]
            for at in range(0, len(keys), COMMIT_TAKES):
                group = keys[at : at + COMMIT_TAKES]
                store.takes.add([NewTake(key, audio, 1, 1, 0, 0, {}) for key in group])
            store.claims.end(keys)
            stored += len(keys)
        print(stored, flush=True)
        sys.stdin.readline()  # the end of a Python is not what is measured


def measure(
    home: Path, server: Cluster | None, processes: int, chunks: int, size: int, takes: Path | None
) -> dict[str, Any]:
    """Have a number of processes store a book's chunks; returns how fast they were together."""
    url = server.new_database() if server else None
    if takes:
        (home / "takes").symlink_to(takes)
    environment = {**os.environ, "NARRATE_HOME": str(home)}
    environment.pop("NARRATE_DATABASE_URL", None)
    if url:
        environment["NARRATE_DATABASE_URL"] = url
    with Store(Settings.from_environment(environment)) as store:
        planned = tuple(
            Chunk(1, n, f"Text {n}.", f"Text {n}.", Span(n, n + 1), 0.35)
            for n in range(1, chunks + 1)
        )
        keys = [f"{n * 7919 % 256:02x}{n:062x}" for n in range(1, chunks + 1)]
        plan = Plan("Bench", "", "en", ("One",), planned, ())
        store.put_plan(Book(BOOK, Path("/b.txt"), "0", Path("/out/b")), plan, keys, [0] * chunks)
        command = [sys.executable, "-m", "benchmarks.store", "--work", "--bytes", str(size)]
        running = [
            subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(processes)
        ]
        for process in running:
            assert process.stdout and process.stdout.readline() == "ready\n"
        ours_s, servers_s = _used_s(running), _server_s(server)
        all_s, started = busy_s(), time.perf_counter()
        for process in running:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        counts = [int(process.stdout.readline()) for process in running if process.stdout]
        wall_s = time.perf_counter() - started
        ours_s, servers_s = _used_s(running) - ours_s, _server_s(server) - servers_s
        others = cores_of_others(busy_s() - all_s, ours_s + servers_s, wall_s)
        for process in running:
            process.communicate("end\n")
        assert sum(counts) == chunks == len(store.takes.known(keys))
    return {
        "database": "postgresql" if server else "sqlite",
        "processes": processes,
        "chunks": chunks,
        "bytes": size,
        "takes_in": "memory" if takes else "disk",
        "wall_s": round(wall_s, 3),
        "chunks_per_s": round(chunks / wall_s, 1),
        "cpu_s_per_1000": round(1000 * ours_s / chunks, 3),
        "server_cpu_s_per_1000": round(1000 * servers_s / chunks, 3),
        "cores_busy_with_other_work": others,
        "least_and_most_by_one": [min(counts), max(counts)],
    }


def _used_s(processes: list[subprocess.Popen[str]]) -> float:
    """Return the processor time that processes have used."""
    return sum(sum(psutil.Process(one.pid).cpu_times()[:2]) for one in processes)


def _server_s(server: Cluster | None) -> float:
    """Return what PostgreSQL has used: its first process, those that run, those that ended."""
    if server is None:
        return 0.0
    first = psutil.Process(int((server.folder / "data" / "postmaster.pid").read_text().split()[0]))
    running = sum(sum(child.cpu_times()[:2]) for child in first.children())
    return float(sum(first.cpu_times()[:4]) + running)


def main() -> None:
    """Print a row for each database, number of processes and size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--bytes", type=int, nargs="+", default=[1, 60_000])
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--chunks", type=int, default=6_000)
    parser.add_argument("--memory", type=Path, help="a folder in memory, to leave the disk out")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--commit", default="")
    options = parser.parse_args()
    if options.work:
        work(options.bytes[0])
        return
    rows = []
    with ExitStack() as stack:
        programs = binaries()
        server = stack.enter_context(cluster(programs, durable=True)) if programs else None
        media = [None, options.memory] if options.memory else [None]
        for medium, size, processes in product(media, options.bytes, options.processes):
            for database in ("sqlite", "postgresql") if server else ("sqlite",):
                used = server if database == "postgresql" else None
                with (
                    tempfile.TemporaryDirectory(prefix="narrate-bench-") as home,
                    tempfile.TemporaryDirectory(prefix="narrate-", dir=medium) as takes,
                ):
                    place = Path(takes) if medium else None
                    row = measure(Path(home), used, processes, options.chunks, size, place)
                rows.append(row)
                print(json.dumps(row), flush=True)
    if options.json:
        facts = {
            **facts_of_this_machine(options.commit or None),
            "command": " ".join(["python -m benchmarks.store", *sys.argv[1:]]),
            "takes_a_transaction": COMMIT_TAKES,
            "claims_a_transaction": CLAIM_TAKES,
            "rows": rows,
        }
        options.json.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
