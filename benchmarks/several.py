"""One book by several workers, each on a card of its own: how the speed grows with them.

    python -m benchmarks.several --size 1.7b --workers 1,2,4 --chunks 4000 --batch 512 --json FILE

Each count speaks the same book into an empty store, `--rounds` times, in alternating order, after
a short one that compiles the kernels and makes the voice's prompt. The whole time holds the start
of the processes and of their models, as it does for a user. Speaking begins when the first worker's
model is loaded and ends with the last take, the end of the book with its empty rows included.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
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
    few = argparse.Namespace(**{**vars(args), "chunks": min(_WARM_CHUNKS, args.chunks)})
    spoken(folder / "warm", model, few, counts[0])
    voices = folder / "warm" / "voices"
    for number in range(args.rounds):
        for count in counts if number % 2 == 0 else counts[::-1]:
            home = folder / f"home-{number}-{count}"
            shutil.copytree(voices, home / "voices")
            runs[count].append(spoken(home, model, args, count))
            print(count, json.dumps(runs[count][-1]), flush=True)
            keep(args, {"rows": rows_of(runs)})
    return rows_of(runs)


def spoken(home: Path, model: Path, args: argparse.Namespace, count: int) -> dict[str, Any]:
    """Speak the book once; what the process says of it, its notes of workers that failed too."""
    with start(home, model, args, count) as child:
        said, _ = child.communicate(timeout=args.limit)
    if child.returncode:
        raise SystemExit(f"{count} workers ended with {child.returncode}")
    held: dict[str, Any] = json.loads(said.splitlines()[-1])
    return held


def rows_of(runs: dict[int, list[dict[str, Any]]]) -> list[dict[str, object]]:
    """What the runs so far say, a row for each number of workers that has some."""
    rows: list[dict[str, object]] = []
    first, *_ = runs
    alone = statistics.median(one["wall_s"] for one in runs[first])
    speaking_alone = _speaking(runs[first])
    for count, held in runs.items():
        if not held:
            continue
        wall_s, speaking = statistics.median(one["wall_s"] for one in held), _speaking(held)
        rows.append(
            {
                "workers": count,
                "runs_s": [one["wall_s"] for one in held],
                "notes": sorted({note for one in held for note in one["notes"]}),
                "takes": held[0]["takes"],
                "audio_s": held[0]["audio_s"],
                "x_realtime": round(held[0]["audio_s"] / wall_s, 1),
                "share_of_linear": round(alone / wall_s * first / count, 3),
                "speaking_x_realtime": round(speaking, 1),
                "speaking_share_of_linear": round(speaking / speaking_alone * first / count, 3),
            }
        )
    return rows


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
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--limit", type=float, default=600.0, help="seconds for one run")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = run(args, Path(folder))
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
