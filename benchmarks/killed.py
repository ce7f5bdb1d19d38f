"""`kill -9` in the middle of a book, again and again: is anything lost, twice, or different?

    python -m benchmarks.killed --size 1.7b --chunks 400 --batch 64 --kills 3 --json FILE

A book is spoken whole; then into another store by processes that are killed as soon as so many more
takes are stored, and by a last one that ends. All takes have to be there, and whole; byte-equal
where the batch is fixed. The exit code is 1 where anything is missing or damaged.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.speaking import common, keep, start
from narrate.bench.weights import make_checkpoint
from narrate.config import Settings
from narrate.store import Store


def sha256s(home: Path) -> dict[str, str]:
    """What the store holds of its only book, by key; nothing before there is a plan."""
    with Store(Settings.from_environment({"NARRATE_HOME": str(home)})) as store:
        keys = {key for book in store.books() for _, key in store.chunks(book.id)}
        return store.takes.sha256s(keys)


def damaged(home: Path) -> dict[str, str]:
    """Takes whose file is missing or is not what was stored."""
    with Store(Settings.from_environment({"NARRATE_HOME": str(home)})) as store:
        return store.takes.damaged(sha256s(home), thorough=True)


def spoken_whole(home: Path, model: Path, args: argparse.Namespace) -> float:
    """Let it end; returns its seconds."""
    with start(home, model, args) as child:
        said, _ = child.communicate(timeout=args.limit)
    if child.returncode:
        raise SystemExit(f"it ended with {child.returncode}")
    return float(json.loads(said.splitlines()[-1])["wall_s"])


def killed_after(home: Path, model: Path, args: argparse.Namespace, takes: int) -> int:
    """Kill it when the store holds so many takes; returns how many it then holds."""
    ends = time.monotonic() + args.limit
    with start(home, model, args) as child:
        while child.poll() is None and time.monotonic() < ends:
            # The store is made by the process itself; before that there is nothing to ask.
            if (home / "narrate.db").exists() and len(sha256s(home)) >= takes:
                break
            time.sleep(0.2)
        child.kill()
    return len(sha256s(home))


def main() -> None:
    """Kill, go on, compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    common(parser, ["1.7b", "0.6b", "tiny"])
    parser.add_argument("--backend", default="qwen")
    parser.add_argument("--chunks", type=int, default=400)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--pace", type=float, default=0.75, help="frames a character")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--limit", type=float, default=300.0, help="seconds for one run")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        model = args.model or make_checkpoint(folder / "model", args.size, ends=False)
        whole_s = spoken_whole(folder / "whole", model, args)
        # The same document under the same path gives the same keys, so the home is moved aside.
        (folder / "whole").rename(folder / "first")
        wanted = sha256s(folder / "first")
        held = []
        for number in range(1, args.kills + 1):
            share = len(wanted) * number // (args.kills + 1)
            held.append(killed_after(folder / "whole", model, args, max(1, share)))
            print(f"killed at {held[-1]} of {len(wanted)} takes", flush=True)
        last_s = spoken_whole(folder / "whole", model, args)
        found, broken = sha256s(folder / "whole"), damaged(folder / "whole")
    result = {
        "takes": len(wanted),
        "stored_when_killed": held,
        "missing": len(wanted.keys() - found.keys()),
        "damaged": len(broken),
        "different_bytes": sum(found.get(key) != sha for key, sha in wanted.items()),
        "whole_s": round(whole_s, 2),
        "last_run_s": round(last_s, 2),
    }
    print(json.dumps(result))
    keep(args, result)
    sys.exit(1 if result["missing"] or result["damaged"] else 0)


if __name__ == "__main__":
    main()
