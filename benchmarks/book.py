"""The engine's way to the disk: utterances to FLAC takes and their rows, and the same without.

    python -m benchmarks.book --size 1.7b --batches 768 --json FILE --commit REVISION

Chunks, weights and reference are those of `benchmarks.engine`. A pass speaks the whole book:
`engine` throws the samples away, `record` stores them in a new store, `record:N` with N encoders.
The noise that random weights speak packs to 0.74 of its size, speech to 0.59.
`--size tiny --batches 4 --chunks 20` runs on a processor.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import queue
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.engine import chunks, machine, voice
from benchmarks.random_model import random_codec, random_folder, random_model
from narrate.bench.weights import make_checkpoint
from narrate.config import Settings
from narrate.core import Spoken, Take, Utterance
from narrate.engine.engine import Engine
from narrate.engine.model.layers import Model
from narrate.engine.options import EngineOptions
from narrate.engine.parts import Parts
from narrate.engine.sampler import SamplingOptions
from narrate.engine.tokens import TextIds
from narrate.memory import keep_memory_flat
from narrate.store import NewTake, Store
from narrate.studio.recorder import ENCODERS, QUEUE_TAKES, Recorder


class Clock:
    """Counts the seconds of its `with` blocks."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> None:
        self.started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self.started


class TimedQueue(queue.Queue["Future[NewTake] | None"]):
    """How long the thread that speaks waited for room, and the one that stores for a take."""

    def __init__(self) -> None:
        super().__init__(QUEUE_TAKES)
        self.putting, self.getting = Clock(), Clock()

    def put(
        self, item: Future[NewTake] | None, block: bool = True, timeout: float | None = None
    ) -> None:
        """Put, by the clock."""
        with self.putting:
            super().put(item, block, timeout)

    def get(self, block: bool = True, timeout: float | None = None) -> Future[NewTake] | None:
        """Get, by the clock."""
        with self.getting:
            return super().get(block, timeout)


class TimedRecorder(Recorder):
    """A recorder that says how long it stored, as opposed to waiting for an encoder."""

    def __init__(self, store: Store, encoders: int) -> None:
        super().__init__(store)
        self.queue = self.waiting = TimedQueue()
        self.encoders = ThreadPoolExecutor(encoders, "encoder")
        self.storing, self._add = Clock(), store.takes.add
        store.takes.add = self._timed_add  # type: ignore[method-assign]

    def _timed_add(self, takes: Sequence[NewTake]) -> list[Take]:
        with self.storing:
            return self._add(takes)


def named(book: list[Utterance]) -> list[Utterance]:
    """The same utterances under keys that a store accepts."""
    return [replace(u, take_key=hashlib.sha256(u.take_key.encode()).hexdigest()) for u in book]


def speak(engine: Engine, book: list[Utterance], encoders: int) -> dict[str, object]:
    """Speak a book, and store it where there are encoders; seconds, and who waited for whom."""
    samples = [0]
    ended = [0.0]

    def spoken() -> Iterator[Spoken]:
        for one in engine.speak(iter(book), voice(engine.parts.model)):
            samples[0] += len(one.samples)
            yield one
        ended[0] = time.perf_counter()

    if engine.device.type == "cuda":
        torch.cuda.synchronize()
    row: dict[str, object] = {"pass": f"record:{encoders}" if encoders else "engine"}
    first = engine._runner.ticks
    if encoders:
        with tempfile.TemporaryDirectory() as home:
            settings = Settings.from_environment({"NARRATE_HOME": home})
            with Store(settings) as store:
                started, processor_s = time.perf_counter(), time.process_time()
                with (recorder := TimedRecorder(store, encoders)):
                    faults = Counter(take.fault for take in recorder.record(spoken()))
                wall_s = time.perf_counter() - started
                processor_s = time.process_time() - processor_s
                assert faults.total() == len(book)
                assert len(store.takes.sha256s(u.take_key for u in book)) == len(book)
                row["faults"] = {str(name): count for name, count in faults.items()}
                row["store_busy"] = round(1 - recorder.queue.getting.seconds / wall_s, 3)
                row["storing_s"] = round(recorder.storing.seconds, 3)
                row["speaking_waited_s"] = round(recorder.queue.putting.seconds, 3)
            files = [path.stat().st_size for path in Path(home).rglob("*") if path.is_file()]
            row["files"], row["written_mb"] = len(files), round(sum(files) / 1e6, 1)
    else:
        started, processor_s = time.perf_counter(), time.process_time()
        for _ in spoken():
            pass
        wall_s = time.perf_counter() - started
        processor_s = time.process_time() - processor_s
    audio_s = samples[0] / engine.rate_hz
    return row | {
        "chunks": len(book),
        "audio_s": round(audio_s, 1),
        "wall_s": round(wall_s, 3),
        "x_realtime": round(audio_s / wall_s, 1),
        "after_last_sample_s": round(started + wall_s - ended[0], 3),
        "processor_s": round(processor_s, 2),
        "ticks": engine._runner.ticks - first,
    }


def run(args: argparse.Namespace) -> Iterator[dict[str, object]]:
    """One row a batch size and pass."""
    keep_memory_flat()  # as every run of the product
    folder = Path(tempfile.mkdtemp())
    model: Model | None = None
    if args.size == "tiny":
        make_checkpoint(folder, "tiny", "base")
    else:
        random_folder(folder, args.size)
        device = torch.device("cuda")
        model = random_model(args.size, args.positions, device, torch.bfloat16)
    for batch in map(int, args.batches.split(",")):
        options = EngineOptions(batch_size=batch, max_context=args.positions)
        if model is None:
            engine = Engine(folder, options)
        else:
            codec = random_codec(folder, device, batch)
            engine = Engine.of(Parts(model, TextIds(folder), SamplingOptions(), codec), options)
        speak(engine, named(chunks(min(32, batch * 2), seed=9)), 0)
        for name in args.passes.split(","):
            kind, _, encoders = name.partition(":")
            count = 0 if kind == "engine" else int(encoders or ENCODERS)
            row = speak(engine, named(chunks(args.chunks)), count)
            yield {"size": args.size, "batch": batch, **row}
        engine.close()
        del engine
        if model is not None:
            codec.close()
            del codec
            torch.cuda.empty_cache()


def disk() -> str:
    """The kind of file system under the stores."""
    command = ["stat", "-f", "-c", "%T", tempfile.gettempdir()]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def main() -> None:
    """Measure, print, write after every pass."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="1.7b", choices=["1.7b", "0.6b", "tiny"])
    parser.add_argument("--batches", default="768")
    parser.add_argument("--passes", default="engine,record,engine,record")
    parser.add_argument("--positions", type=int, default=512)
    parser.add_argument("--chunks", type=int, default=3859)
    parser.add_argument("--commit", help="of the code, where git cannot tell")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    held: dict[str, object] = {}
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        command = " ".join(["python -m benchmarks.book", *sys.argv[1:]])
        held = {**machine(), "command": command, "disk": disk()}
        held |= {"commit": args.commit} if args.commit else {}
    rows = []
    for row in run(args):
        print(json.dumps(row), flush=True)
        rows.append(row)
        if args.json:
            args.json.write_text(json.dumps({**held, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
