"""The kernels of a frame one by one: ours against the library's, by rows and context.

    python -m benchmarks.kernels FILE.json [--tiles]

Each is checked against its plain twin or float64, then timed as replays of a CUDA graph of many
calls; products go round as many copies of their weights as the card's cache cannot hold. Random
inputs of the published sizes, bf16. With --tiles the fused products by tile, too.
"""

from __future__ import annotations

import argparse
import multiprocessing
from functools import partial
from itertools import product
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F

from benchmarks.timing import (
    CARD,
    Record,
    distance,
    microseconds,
    normal,
    weights_from_memory,
    write,
)
from narrate.engine.kernels import (
    Cache,
    Feed,
    HeadNorms,
    Kernels,
    Norm,
    Rotary,
    Rows,
    Rules,
    fast_linear,
    plain,
)

DIM, Q_HEADS, KV_HEADS = 128, 16, 8
QKV = (Q_HEADS + 2 * KV_HEADS) * DIM
ROWS = (1, 32, 128, 256, 512)
FP32, BF16 = torch.float32, torch.bfloat16


class Product(NamedTuple):
    """A product: columns of the result, depth, and what is fused into it."""

    columns: int
    depth: int
    kind: str

    @property
    def tall(self) -> int:
        """Rows of the weight."""
        return 2 * self.columns if self.kind == "norm_swiglu" else self.columns


PRODUCTS = {
    "predictor qkv": Product(QKV, 1024, "norm_linear"),
    "predictor out": Product(1024, Q_HEADS * DIM, "add_linear"),
    "predictor gate_up": Product(3072, 1024, "norm_swiglu"),
    "predictor down": Product(1024, 3072, "add_linear"),
    "talker qkv": Product(QKV, 2048, "norm_linear"),
    "talker out": Product(2048, Q_HEADS * DIM, "add_linear"),
    "talker gate_up": Product(6144, 2048, "norm_swiglu"),
    "talker down": Product(2048, 6144, "add_linear"),
}
TILES = {
    16: [(16, 16, 256, 4, 3), (16, 32, 128, 4, 4), (16, 64, 128, 4, 3)],
    64: [(32, 32, 128, 4, 4), (32, 64, 64, 4, 5), (32, 16, 128, 4, 5)],
    512: [
        (64, 32, 128, 4, 4),
        (64, 64, 64, 4, 5),
        (64, 128, 64, 4, 4),
        (128, 64, 64, 4, 4),
        (128, 128, 64, 8, 3),
    ],
}


def tiles_of(rows: int) -> list[fast_linear.Tile]:
    """The tiles to try."""
    most = next(most for most in TILES if rows <= most)
    return [fast_linear.Tile(*tile) for tile in TILES[most]]


def call(kernels: Kernels, one: Product, x: torch.Tensor, weight: torch.Tensor, norm: Norm,
         out: torch.Tensor) -> torch.Tensor:  # fmt: skip
    """The product by these kernels; `out` is the residual where there is one."""
    if one.kind == "add_linear":
        return kernels.add_linear(out, x, weight)
    return kernels.norm_linear(x, norm, weight) if one.kind == "norm_linear" else (
        kernels.norm_swiglu(x, norm, weight)
    )  # fmt: skip


def compile_one(job: tuple[str, int, fast_linear.Tile]) -> None:
    """Compile one tile of one product into the cache of kernels."""
    name, rows, tile = job
    one = PRODUCTS[name]
    fast_linear._tile = lambda rows, columns: tile
    x, norm = normal(rows, one.depth), Norm(normal(one.depth))
    out = normal(rows, one.columns)
    call(Kernels.choose(CARD, "triton"), one, x, normal(one.tall, one.depth), norm, out)


def products(by_tile: bool) -> list[Record]:
    """Fused products: microseconds of each way, weights from memory."""
    if by_tile:
        jobs = [(n, r, tile) for n, r in product(PRODUCTS, (1, 32, 128)) for tile in tiles_of(r)]
        with multiprocessing.get_context("spawn").Pool(14) as pool:
            pool.map(compile_one, jobs, chunksize=4)
    return [one_product(name, rows, by_tile) for name, rows in product(PRODUCTS, ROWS)]


def one_product(name: str, rows: int, by_tile: bool) -> Record:
    """One product at one number of rows."""
    one = PRODUCTS[name]
    weights = weights_from_memory(one.tall, one.depth)
    x, norm, out = normal(rows, one.depth), Norm(1 + normal(one.depth, scale=0.1)), normal(
        rows, one.columns
    )  # fmt: skip
    exact = [part.double() for part in (x, weights[0], norm.weight, out)]
    wanted = call(Kernels.choose(CARD, "torch"), one, exact[0], exact[1], Norm(exact[2]), exact[3])
    chosen = fast_linear._tile
    record: Record = {"part": "products", "name": name, "rows": rows, "us": {}, "error": {}}
    ways: list[tuple[str, str, fast_linear.Tile | None]] = [
        ("library", "library", None), ("triton", "triton", None)
    ]  # fmt: skip
    if by_tile:
        ways += [(str(tuple(tile)), "triton", tile) for tile in tiles_of(rows)]
    for label, option, tile in ways:
        kernels = Kernels.choose(CARD, option)
        fast_linear._tile = chosen if tile is None else partial(_always, tile)
        got = call(kernels, one, x, weights[0], norm, out.clone())
        scratch = out.clone()
        spent = microseconds(
            lambda kernels=kernels, scratch=scratch: [  # type: ignore[misc]
                call(kernels, one, x, weight, norm, scratch) for weight in weights
            ],
            len(weights),
        )
        record["us"][label], record["error"][label] = round(spent, 2), distance(got, wanted)
    fast_linear._tile = chosen
    print(name, rows, record["us"], f"{max(record['error'].values()):.1e}", flush=True)
    return record


def _always(tile: fast_linear.Tile, rows: int, columns: int) -> fast_linear.Tile:
    return tile


def head_norms() -> HeadNorms:
    """Norms of queries and keys, near one."""
    return HeadNorms(Norm(1 + normal(DIM, scale=0.1)), Norm(1 + normal(DIM, scale=0.1)))


def attention(rows: int, context: int) -> Record:
    """A decoding step of the talker's attention, beside the library's attention alone."""
    kernels, heads, rotary = Kernels.choose(CARD), head_norms(), Rotary.table(2048, DIM, 1e6, CARD)
    cache = Cache(*(normal(rows, KV_HEADS, context + 8, DIM) for _ in range(2)))
    qkv, slots = normal(rows, QKV), torch.randperm(rows, device=CARD).int()
    lengths = torch.full((rows,), context, device=CARD, dtype=torch.int32)
    given = (qkv, heads, rotary, cache, slots, lengths)
    wanted = plain.attend(*given)
    far = distance(kernels.attend(*given), wanted)
    q = normal(rows, Q_HEADS, 1, DIM)
    spent = microseconds(lambda: [kernels.attend(*given) for _ in range(10)], 10)
    library = microseconds(
        lambda: [
            F.scaled_dot_product_attention(q, cache.keys, cache.values, enable_gqa=True)
            for _ in range(10)
        ],
        10,
    )
    return {
        "part": "attention",
        "rows": rows,
        "context": context,
        "us": round(spent, 2),
        "tb_per_s": round(2 * cache.keys.nbytes / spent / 1e6, 3),
        "sdpa_alone_us": round(library, 2),
        "error": far,
    }


def short(rows: int, start: int, count: int) -> Record:
    """The predictor's attention."""
    kernels, heads, rotary = Kernels.choose(CARD), head_norms(), Rotary.table(64, DIM, 1e6, CARD)
    cache = Cache(*(normal(rows, KV_HEADS, 17, DIM) for _ in range(2)))
    given = (normal(rows, count, QKV), heads, rotary, cache, start)
    wanted = plain.attend_short(*given)
    far = distance(kernels.attend_short(*given), wanted)
    spent = microseconds(lambda: [kernels.attend_short(*given) for _ in range(20)], 20)
    kind = {"part": "attend_short", "rows": rows, "start": start, "count": count}
    return {**kind, "us": round(spent, 2), "error": far}


def rows_of(count: int, vocab: int) -> Rows:
    """The state of a batch."""
    return Rows(
        seeds=torch.arange(count, device=CARD) * 7919,
        frames=torch.arange(count, device=CARD, dtype=torch.int32),
        codes=torch.zeros(count, 16, device=CARD, dtype=torch.int32),
        faults=torch.zeros(count, device=CARD, dtype=torch.int32),
        seen=torch.zeros(count, vocab, device=CARD, dtype=torch.uint8),
    )


def sampler(rows: int, vocab: int, spread: float) -> Record:
    """A draw with all it feeds, beside torch.topk and a draw among its fifty."""
    code_0 = Rules(penalty=1.05, min_frames=2, eos=2150, suppress_from=2048)
    rules, kernels = code_0 if vocab == 3072 else Rules(), Kernels.choose(CARD)
    logits = normal(rows, vocab, dtype=FP32, scale=spread)
    ours, twin = rows_of(rows, vocab), rows_of(rows, vocab)
    total = normal(rows, 2048, dtype=FP32)
    feed = Feed(normal(vocab, 1024), normal(rows, 1024), normal(vocab, 2048), total)
    kernels.sample(logits, 0, rules, ours, feed)
    plain.sample(logits, 0, rules, twin, feed)

    def library() -> None:
        for _ in range(20):
            values, index = torch.topk(logits / 0.9, 50, -1)
            p = torch.softmax(values, -1)
            index.gather(-1, (p / torch.empty_like(p).exponential_(1)).argmax(-1, keepdim=True))

    def draw() -> None:
        for _ in range(20):
            kernels.sample(logits, 1, rules, ours, feed)

    return {
        "part": "sampler",
        "rows": rows,
        "vocab": vocab,
        "spread": spread,
        "us": round(microseconds(draw, 20), 2),
        "topk_us": round(microseconds(library, 20), 2),
        "codes_unlike_the_twins": int((ours.codes[:, 0] != twin.codes[:, 0]).sum()),
    }


def main() -> None:
    """Measure, print a line a figure, write JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--tiles", action="store_true", help="the fused products by tile, too")
    given = parser.parse_args()
    torch.manual_seed(0)
    with torch.inference_mode():
        records = [attention(*one) for one in product(ROWS, (64, 300, 1024))]
        records += [short(rows, *at) for rows, at in product(ROWS, ((0, 2), (8, 1), (15, 1)))]
        records += [sampler(*one) for one in product(ROWS, (3072, 2048), (0.0, 1.0, 5.0))]
        for record in records:
            print(record, flush=True)
        records += products(given.tiles)
    write(given.out, records)


if __name__ == "__main__":
    main()
