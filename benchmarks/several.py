"""One book by several workers, each on a card of its own: how the speed grows with them.

    python -m benchmarks.several --size 1.7b --workers 1,2,4 --chunks 4000 --batch 512 --json FILE

Each count speaks the same book into an empty store, `--rounds` times, in alternating order, after
a short one that compiles the kernels and makes the voice's prompt. The whole time holds the start
of the processes and of their models, as it does for a user. Speaking begins when there are a plan
and a first worker with its model loaded, and ends with the last take, the end of the book with its
empty rows included.

With `--apart` each is a run of its own, of a book of its own with so many chunks, all in one store.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.speaking import common, keep, start
from narrate.bench.weights import make_checkpoint

_WARM_CHUNKS = 64


def run(args: argparse.Namespace, folder: Path) -> list[dict[str, object]]:
    """A row for each number of workers."""
    model = args.model or make_checkpoint(folder / "model", args.size, ends=False)
    counts = [int(one) for one in args.workers.split(",")]
    runs: dict[int, list[dict[str, Any]]] = {count: [] for count in counts}
    few = {"chunks": min(_WARM_CHUNKS, args.chunks), "apart": False}
    spoken(folder / "warm", model, argparse.Namespace(**{**vars(args), **few}), counts[0])
    voices = folder / "warm" / "voices"
    for number in range(args.rounds):
        for count in counts if number % 2 == 0 else counts[::-1]:
            home = folder / f"home-{number}-{count}"
            shutil.copytree(voices, home / "voices")
            for recording in voices.parent.glob("*.wav"):
                shutil.copy(recording, home)
            runs[count].append(spoken(home, model, args, count))
            print(count, json.dumps(runs[count][-1]), flush=True)
            keep(args, {"rows": rows_of(runs)})
    return rows_of(runs)


def spoken(home: Path, model: Path, args: argparse.Namespace, count: int) -> dict[str, Any]:
    """Speak one book, or one each; what the processes say of it, notes of failed workers too."""
    numbers = range(count) if args.apart else [None]
    workers = 1 if args.apart else count
    children = []
    with ExitStack() as stack:
        for number in numbers:
            children.append(stack.enter_context(start(home, model, args, workers, number)))
            stack.callback(children[-1].kill)  # of no effect on one that has ended
        said = [child.communicate(timeout=args.limit)[0] for child in children]
    if failed := [child.returncode for child in children if child.returncode]:
        raise SystemExit(f"of {count} workers one ended with {failed[0]}")
    held: list[dict[str, Any]] = [json.loads(words.splitlines()[-1]) for words in said]
    audio_s = sum(one["audio_s"] for one in held)
    began, ended = min(one["span"][0] for one in held), max(one["span"][1] for one in held)
    return {
        "wall_s": max(one["wall_s"] for one in held),
        "takes": sum(one["takes"] for one in held),
        "audio_s": audio_s,
        "speaking_x_realtime": audio_s / (ended - began),
        "notes": sorted({note for one in held for note in one["notes"]}),
        "processes": held,
    }


def rows_of(runs: dict[int, list[dict[str, Any]]]) -> list[dict[str, object]]:
    """What the runs so far say, a row for each number of workers that has some."""
    rows: list[dict[str, object]] = []
    first, *_ = runs
    alone = _speed(runs[first])
    speaking_alone = _speaking(runs[first])
    for count, held in runs.items():
        if not held:
            continue
        speed, speaking = _speed(held), _speaking(held)
        rows.append(
            {
                "workers": count,
                "runs_s": [one["wall_s"] for one in held],
                "notes": sorted({note for one in held for note in one["notes"]}),
                "takes": held[0]["takes"],
                "audio_s": held[0]["audio_s"],
                "x_realtime": round(speed, 1),
                "share_of_linear": round(speed / alone * first / count, 3),
                "speaking_x_realtime": round(speaking, 1),
                "speaking_share_of_linear": round(speaking / speaking_alone * first / count, 3),
            }
        )
    return rows


def _speed(runs: list[dict[str, Any]]) -> float:
    return statistics.median(float(one["audio_s"] / one["wall_s"]) for one in runs)


def _speaking(runs: list[dict[str, Any]]) -> float:
    return statistics.median(float(one["speaking_x_realtime"]) for one in runs)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    common(parser, ["1.7b", "0.6b", "tiny"])
    parser.add_argument("--backend", default="qwen")
    parser.add_argument("--workers", default="1,2")
    parser.add_argument("--chunks", type=int, default=4000)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--pace", type=float, default=0.75, help="frames a character")
    parser.add_argument("--apart", action="store_true", help="a book for each")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--limit", type=float, default=600.0, help="seconds for one run")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = run(args, Path(folder))
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
