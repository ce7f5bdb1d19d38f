"""Make a checkpoint from the command line."""

from __future__ import annotations

import argparse
from pathlib import Path

import narrate.bench.weights
from narrate.bench.weights.configs import KINDS, SIZES

parser = argparse.ArgumentParser(
    prog="python -m narrate.bench.weights",
    description=(narrate.bench.weights.__doc__ or "").partition("\n")[0],
)
parser.add_argument("out", type=Path, help="the folder to write, made where it is missing")
parser.add_argument("--size", choices=sorted(SIZES), default="tiny")
parser.add_argument("--kind", choices=sorted(KINDS), default="base")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--endless", action="store_true", help="rows run to their caps")
given = parser.parse_args()
print(
    narrate.bench.weights.make_checkpoint(
        given.out, given.size, given.kind, given.seed, ends=not given.endless
    )
)
