"""Whether a book sounds the same in any order: three orders, one batch size, byte by byte."""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from pathlib import Path

import numpy as np
import torch

from benchmarks.engine import chunks, voice
from benchmarks.random_model import random_codec, random_folder, random_model
from narrate.engine.engine import Engine
from narrate.engine.options import EngineOptions
from narrate.engine.parts import Parts
from narrate.engine.sampler import SamplingOptions
from narrate.engine.tokens import TextIds


def main() -> None:
    """Print how many takes differ between the orders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="1.7b", choices=["1.7b", "0.6b"])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--count", type=int, default=200)
    args = parser.parse_args()
    device, folder = torch.device("cuda"), Path(tempfile.mkdtemp())
    random_folder(folder, args.size)
    model = random_model(args.size, 512, device, torch.bfloat16)
    codec = random_codec(folder, device, args.batch, 1024)
    options = EngineOptions(batch_size=args.batch, max_context=512, lookahead=100)
    engine = Engine.of(Parts(model, TextIds(folder), SamplingOptions(), codec), options)
    book = chunks(args.count)
    random = np.random.default_rng(1)
    orders = {
        "as written": book,
        "backwards": book[::-1],
        "shuffled": [book[i] for i in random.permutation(len(book))],
    }
    codes: dict[str, list[str]] = {name: [] for name in orders}
    put = codec.put
    going: list[str] = []

    def note(key: object, held: torch.Tensor) -> None:
        codes[going[-1]].append(hashlib.sha256(held.cpu().numpy().tobytes()).hexdigest())
        put(key, held)

    codec.put = note  # type: ignore[method-assign, assignment]
    said: dict[str, dict[str, str]] = {}
    for name, order in orders.items():
        going.append(name)
        said[name] = {
            one.utterance.take_key: hashlib.sha256(one.samples.tobytes()).hexdigest()
            for one in engine.speak(iter(order), voice(model))
        }
    first = said["as written"]
    row: dict[str, object] = {"size": args.size, "batch": args.batch, "takes": len(first)}
    row |= {
        f"{name}: differ": sum(first[key] != other[key] for key in first)
        for name, other in said.items()
    }
    row["codes differ"] = {
        name: len(set(codes["as written"]) - set(other)) for name, other in codes.items()
    }
    row["distinct"] = len(set(first.values()))
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
