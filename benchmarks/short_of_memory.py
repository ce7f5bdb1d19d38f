"""A card whose memory is taken away: at the start, and while a book is being spoken.

    python -m benchmarks.short_of_memory --size 1.7b --batch 768 --leave 8,16,32 --json FILE

At the start: all but so many GB are taken before the engine is made, which then has to choose a
smaller batch. In the middle: after a tenth of the book all that is left is taken, and texts of
lengths that were not recorded yet come. Everything has to be spoken, or refused in one line.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from functools import partial
from pathlib import Path

import torch

from benchmarks.engine import chunks, voice
from benchmarks.speaking import common, keep
from narrate.bench.weights import make_checkpoint
from narrate.engine.engine import Engine
from narrate.engine.options import EngineOptions
from narrate.errors import BackendError


def taken(leave_bytes: int) -> torch.Tensor:
    """Take all of the card's free memory but so much."""
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info()
    return torch.empty(max(0, free - leave_bytes), dtype=torch.uint8, device="cuda")


def at_start(folder: Path, args: argparse.Namespace, leave_gb: int) -> dict[str, object]:
    """Speak with little room from the beginning."""
    hog = taken(leave_gb << 30)
    row: dict[str, object] = {"case": "start", "left_gb": leave_gb, "asked": args.batch}
    try:
        engine = Engine(folder, EngineOptions(batch_size=args.batch))
    except (BackendError, torch.OutOfMemoryError) as error:
        return row | {"refused": str(error), "in_words": isinstance(error, BackendError)}
    finally:
        del hog
        torch.cuda.empty_cache()
    try:
        row["began_with"] = engine.batch_size
        spoken = list(engine.speak(iter(chunks(args.chunks)), voice(engine.parts.model)))
        return row | {"spoken": len(spoken), "ended_with": engine.batch_size}
    finally:
        engine.close()


def in_the_middle(folder: Path, args: argparse.Namespace) -> dict[str, object]:
    """Take the rest of the memory after a tenth of the book."""
    engine = Engine(folder, EngineOptions(batch_size=args.batch, lookahead=args.batch))
    row: dict[str, object] = {
        "case": "middle",
        "asked": args.batch,
        "began_with": engine.batch_size,
    }
    hog, spoken = None, 0
    try:
        for _ in engine.speak(iter(chunks(args.chunks)), voice(engine.parts.model)):
            spoken += 1
            if hog is None and spoken >= args.chunks // 10:
                hog = taken(64 << 20)
    except BackendError as error:
        row["refused"] = str(error)
    finally:
        engine.close()
    return row | {"spoken": spoken, "ended_with": engine.batch_size}


def main() -> None:
    """Print a JSON line a case, write all."""
    parser = argparse.ArgumentParser(description=__doc__)
    common(parser, ["1.7b", "0.6b"])
    parser.add_argument("--batch", type=int, default=768)
    parser.add_argument("--chunks", type=int, default=1000)
    parser.add_argument("--leave", default="8,16,32", help="GB, with commas between")
    args = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("there is no CUDA card here, so no memory of one to run short of")
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        model = args.model or make_checkpoint(Path(folder), args.size, ends=False)
        cases = [partial(at_start, model, args, leave) for leave in map(int, args.leave.split(","))]
        for case in (*cases, partial(in_the_middle, model, args)):
            rows.append(case())
            print(json.dumps(rows[-1]), flush=True)
            keep(args, {"rows": rows})


if __name__ == "__main__":
    main()
