"""Time the engine's kernels on a card: `python benchmarks/kernels.py OUT.json [PART ...]`.

Every kernel is checked against its plain twin in fp32 or float64 first, then timed as replays of a
CUDA graph of many calls, over as many copies of its weights as the card's cache cannot hold. Parts:
products, attention, sampler, frame, codec (all by default). Weights and inputs are random, of the
published sizes.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from narrate.engine.codec.codec import Codec
from narrate.engine.codec.config import read_codec_config
from narrate.engine.codec.weights import _build
from narrate.engine.kernels import Cache, Feed, HeadNorms, Kernels, Norm, Rotary, Rows, Rules, plain

CARD = torch.device("cuda")
BF16 = torch.bfloat16
DIM, Q_HEADS, KV_HEADS = 128, 16, 8
QKV = (Q_HEADS + 2 * KV_HEADS) * DIM
ROWS = (1, 32, 128, 256, 512)
MORE_THAN_THE_CACHE = 120e6
Record = dict[str, Any]

# name: (columns of the result, depth, what is fused)
PRODUCTS = {
    "predictor qkv": (QKV, 1024, "norm"),
    "predictor out": (1024, Q_HEADS * DIM, "add"),
    "predictor gate_up": (3072, 1024, "gated"),
    "predictor down": (1024, 3072, "add"),
    "predictor head": (2048, 1024, "logits"),
    "talker qkv": (QKV, 2048, "norm"),
    "talker out": (2048, Q_HEADS * DIM, "add"),
    "talker gate_up": (6144, 2048, "gated"),
    "talker down": (2048, 6144, "add"),
}


def normal(*shape: int, scale: float = 1.0, dtype: torch.dtype = BF16) -> torch.Tensor:
    return torch.randn(*shape, device=CARD, dtype=dtype) * scale


def milliseconds(compute: Callable[[], object], calls: int = 1, replays: int = 20) -> float:
    """Milliseconds of one of the `calls` that `compute` makes, replayed as a graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        compute()
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        compute()
    for _ in range(3):
        graph.replay()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(replays):
        graph.replay()
    end.record()
    torch.cuda.synchronize()
    spent = float(start.elapsed_time(end)) / replays / calls
    graph.reset()
    return spent


def distance(got: torch.Tensor, wanted: torch.Tensor) -> float:
    wanted = wanted.double()
    return float((got.double() - wanted).norm() / wanted.norm())


def tiles(rows: int) -> list[tuple[int, int, int, int, int]]:
    if rows <= 16:
        return [(16, 16, 256, 4, 3), (16, 32, 128, 4, 4), (16, 64, 128, 4, 3), (16, 16, 128, 2, 6)]
    if rows <= 64:
        return [(32, 32, 128, 4, 4), (32, 64, 64, 4, 5), (32, 32, 64, 4, 6), (32, 16, 128, 4, 5)]
    return [
        (64, 32, 128, 4, 4),
        (64, 64, 64, 4, 5),
        (64, 128, 64, 4, 4),
        (128, 32, 64, 4, 5),
        (128, 64, 64, 4, 4),
        (128, 128, 64, 8, 3),
    ]


def product_case(name: str, rows: int) -> tuple[torch.Tensor, list[torch.Tensor], Norm, str]:
    columns, depth, fused = PRODUCTS[name]
    tall = 2 * columns if fused == "gated" else columns
    copies = math.ceil(MORE_THAN_THE_CACHE / (2 * tall * depth))
    weights = [normal(tall, depth, scale=depth**-0.5) for _ in range(copies)]
    return normal(rows, depth), weights, Norm(1 + normal(depth, scale=0.1)), fused


def one_product(
    fused: str, x: torch.Tensor, weight: torch.Tensor, norm: Norm, out: torch.Tensor, tile: Any
) -> torch.Tensor:
    from narrate.engine.kernels.fast_linear import Tile, product

    before = None if fused == "add" else norm
    return product(x, weight, out, Tile(*tile), before, fused == "gated", fused == "add")


def library_product(
    fused: str, x: torch.Tensor, weight: torch.Tensor, norm: Norm, out: torch.Tensor
) -> torch.Tensor:
    from narrate.engine.kernels.fast_linear import rms_norm

    if fused == "add":
        return out.addmm_(x, weight.T)
    y = F.linear(rms_norm(x, norm), weight)
    if fused == "gated":
        gate, up = y.chunk(2, -1)
        y = F.silu(gate) * up
    return y


def product_wanted(
    fused: str, x: torch.Tensor, weight: torch.Tensor, norm: Norm, out: torch.Tensor
) -> torch.Tensor:
    x, weight = x.double(), weight.double()
    if fused == "add":
        return out.double() + x @ weight.T
    x = x * torch.rsqrt(x.square().mean(-1, keepdim=True) + norm.eps) * norm.weight.double()
    y = x @ weight.T
    if fused == "gated":
        gate, up = y.chunk(2, -1)
        y = F.silu(gate) * up
    return y


def warm(job: tuple[str, int, Any]) -> None:
    name, rows, tile = job
    columns, depth, fused = PRODUCTS[name]
    tall = 2 * columns if fused == "gated" else columns
    x, weight, norm = normal(rows, depth), normal(tall, depth), Norm(normal(depth))
    out = normal(rows, columns, dtype=torch.float32 if fused == "logits" else BF16)
    one_product(fused, x, weight, norm, out, tile)


def products() -> list[Record]:
    jobs = [
        (name, rows, tile) for name in PRODUCTS for rows in (1, 32, 128) for tile in tiles(rows)
    ]
    with multiprocessing.get_context("spawn").Pool(14) as pool:
        pool.map(warm, jobs, chunksize=4)
    records = []
    for name in PRODUCTS:
        columns = PRODUCTS[name][0]
        for rows in ROWS:
            x, weights, norm, fused = product_case(name, rows)
            kind = torch.float32 if fused == "logits" else BF16
            out = normal(rows, columns, dtype=kind)
            wanted = product_wanted(fused, x, weights[0], norm, out)
            times: dict[str, float] = {}
            far = 0.0
            for tile in tiles(rows):
                got = one_product(fused, x, weights[0], norm, out.clone(), tile)
                far = max(far, distance(got, wanted))

                def all_of_them(tile: Any = tile) -> None:
                    for weight in weights:
                        one_product(fused, x, weight, norm, out, tile)

                times[str(tile)] = 1e3 * milliseconds(all_of_them, len(weights))
            library = 1e3 * milliseconds(
                lambda: [library_product(fused, x, weight, norm, out) for weight in weights],
                len(weights),
            )
            best = min(times, key=lambda key: times[key])
            records.append({
                "part": "products", "name": name, "rows": rows, "library_us": round(library, 2),
                "best": best, "best_us": round(times[best], 2), "error": far,
                "all_us": {key: round(value, 2) for key, value in times.items()},
            })  # fmt: skip
            print(name, rows, "library", round(library, 1), "best", best, round(times[best], 1),
                  {k: round(v, 1) for k, v in times.items()}, f"error {far:.1e}", flush=True)  # fmt: skip
    return records


def heads() -> HeadNorms:
    return HeadNorms(Norm(1 + normal(DIM, scale=0.1)), Norm(1 + normal(DIM, scale=0.1)))


def attention() -> list[Record]:
    from narrate.engine.kernels import fast_attention

    records = []
    rotary = Rotary.table(2048, DIM, 1e6, CARD)
    norms = heads()
    for rows in ROWS:
        for context in (64, 300, 1024):
            cache = Cache(*(normal(rows, KV_HEADS, context + 8, DIM) for _ in range(2)))
            qkv = normal(rows, QKV)
            slots = torch.randperm(rows, device=CARD).int()
            lengths = torch.full((rows,), context, device=CARD, dtype=torch.int32)
            wanted = plain.attend(qkv, norms, rotary, cache, slots, lengths)
            got = fast_attention.attend(qkv, norms, rotary, cache, slots, lengths)
            calls = 10

            def ours() -> None:
                for _ in range(calls):
                    fast_attention.attend(qkv, norms, rotary, cache, slots, lengths)

            q = normal(rows, Q_HEADS, 1, DIM)

            def library() -> None:
                for _ in range(calls):
                    F.scaled_dot_product_attention(q, cache.keys, cache.values, enable_gqa=True)

            spent, other = milliseconds(ours, calls), milliseconds(library, calls)
            read = 2 * cache.keys.numel() * 2
            record = {
                "part": "attention", "rows": rows, "context": context, "us": round(1e3 * spent, 2),
                "tb_per_s": round(read / spent / 1e9, 3),
                "sdpa_alone_us": round(1e3 * other, 2), "error": distance(got, wanted),
            }  # fmt: skip
            records.append(record)
            print(record, flush=True)
        cache = Cache(*(normal(rows, KV_HEADS, 17, DIM) for _ in range(2)))
        for start, count in ((0, 2), (8, 1), (15, 1)):
            qkv = normal(rows, count, QKV)
            wanted = plain.attend_short(qkv, norms, rotary, cache, start)
            got = fast_attention.attend_short(qkv, norms, rotary, cache, start)

            def short() -> None:
                for _ in range(20):
                    fast_attention.attend_short(qkv, norms, rotary, cache, start)

            record = {
                "part": "attend_short", "rows": rows, "start": start, "count": count,
                "us": round(1e3 * milliseconds(short, 20), 2), "error": distance(got, wanted),
            }  # fmt: skip
            records.append(record)
            print(record, flush=True)
    return records


def rows_of(count: int, vocab: int) -> Rows:
    return Rows(
        seeds=torch.arange(count, device=CARD) * 7919,
        frames=torch.arange(count, device=CARD, dtype=torch.int32),
        codes=torch.zeros(count, 16, device=CARD, dtype=torch.int32),
        faults=torch.zeros(count, device=CARD, dtype=torch.int32),
        seen=torch.zeros(count, vocab, device=CARD, dtype=torch.uint8),
    )


def sampler() -> list[Record]:
    from narrate.engine.kernels import fast_sampling

    records = []
    for rows in ROWS:
        for vocab, rules in (
            (3072, Rules(penalty=1.05, min_frames=2, eos=2150, suppress_from=2048)),
            (2048, Rules()),
        ):
            for spread in (0.0, 1.0, 5.0):
                logits = normal(rows, vocab, dtype=torch.float32, scale=spread)
                ours, twin = rows_of(rows, vocab), rows_of(rows, vocab)
                feed = Feed(
                    normal(vocab, 1024), normal(rows, 1024), normal(vocab, 2048),
                    normal(rows, 2048, dtype=torch.float32),
                )  # fmt: skip
                fast_sampling.sample(logits, 0, rules, ours, feed)
                plain.sample(logits, 0, rules, twin, feed)
                different = int((ours.codes != twin.codes).sum())

                def compute() -> None:
                    for _ in range(20):
                        fast_sampling.sample(logits, 1, rules, ours, feed)

                def library() -> None:
                    for _ in range(20):
                        values, index = torch.topk(logits / 0.9, 50, -1)
                        p = torch.softmax(values, -1)
                        index.gather(-1, (p / torch.empty_like(p).exponential_(1)).argmax(-1, True))

                record = {
                    "part": "sampler", "rows": rows, "vocab": vocab, "spread": spread,
                    "us": round(1e3 * milliseconds(compute, 20), 2),
                    "topk_alone_us": round(1e3 * milliseconds(library, 20), 2),
                    "different_codes": different,
                }  # fmt: skip
                records.append(record)
                print(record, flush=True)
    return records


def layers(count: int, hidden: int, inner: int, rows: int, positions: int) -> list[Record]:
    return [
        {
            "norm": Norm(torch.ones(hidden, device=CARD, dtype=BF16)),
            "qkv": normal(QKV, hidden, scale=hidden**-0.5),
            "heads": heads(),
            "out": normal(hidden, Q_HEADS * DIM, scale=0.02),
            "gate_up": normal(2 * inner, hidden, scale=hidden**-0.5),
            "down": normal(hidden, inner, scale=0.02),
            "cache": Cache(*(normal(rows, KV_HEADS, positions, DIM) for _ in range(2))),
        }
        for _ in range(count)
    ]


def frame_of(kernels: Kernels, rows: int, context: int) -> tuple[Callable[[], None], ...]:
    """(talker step, predictor) at the sizes of 1.7B, as functions of static buffers."""
    talker, predictor = layers(28, 2048, 6144, rows, context + 8), layers(5, 1024, 3072, rows, 17)
    rotary = Rotary.table(2048, DIM, 1e6, CARD)
    slots = torch.arange(rows, device=CARD, dtype=torch.int32)
    lengths = torch.full((rows,), context, device=CARD, dtype=torch.int32)
    x, norm = normal(rows, 2048), Norm(torch.ones(2048, device=CARD, dtype=BF16))
    head, small = normal(3072, 2048, scale=0.02), Norm(torch.ones(1024, device=CARD, dtype=BF16))
    project = normal(1024, 2048, scale=0.02)
    heads_ = [normal(2048, 1024, scale=0.02) for _ in range(15)]
    steps = [normal(2048 if g else 3072, 1024) for g in range(15)]
    books = [normal(2048 if g else 3072, 2048) for g in range(16)]
    total, feed_x = normal(rows, 2048, dtype=torch.float32), normal(rows, 1024)
    state, rules = rows_of(rows, 3072), Rules()
    first = Rules(penalty=1.05, min_frames=2, eos=2150, suppress_from=2048)

    def layer(one: Record, y: torch.Tensor, attend: Callable[[torch.Tensor], torch.Tensor]) -> None:
        qkv = kernels.norm_linear(y, one["norm"], one["qkv"])
        kernels.add_linear(y, attend(qkv), one["out"])
        kernels.add_linear(y, kernels.norm_swiglu(y, one["norm"], one["gate_up"]), one["down"])

    def talk() -> None:
        y = x.clone()
        for one in talker:
            layer(one, y, lambda qkv, one=one: kernels.attend(
                qkv, one["heads"], rotary, one["cache"], slots, lengths))  # type: ignore[misc]  # fmt: skip
        hidden = kernels.rms_norm(y, norm)
        logits = F.linear(hidden, head).float()
        kernels.sample(logits, 0, first, state, Feed(steps[0], feed_x, books[0], total))

    def predict() -> None:
        y = torch.stack((F.linear(x, project), feed_x), 1).view(2 * rows, 1024)
        start = 0
        for group in range(1, 16):
            count = len(y) // rows
            for one in predictor:
                layer(one, y, lambda qkv, one=one, start=start, count=count: kernels.attend_short(
                    qkv.view(rows, count, -1), one["heads"], rotary, one["cache"], start,
                ).view(rows * count, -1))  # type: ignore[misc]  # fmt: skip
            start += count
            last = y.view(rows, count, 1024)[:, -1].contiguous()
            logits = kernels.norm_linear(last, small, heads_[group - 1], torch.float32)
            step = steps[group] if group < 15 else None
            feed = Feed(step, feed_x if group < 15 else None, books[group], total)
            kernels.sample(logits, group, rules, state, feed)
            y = feed_x

    return talk, predict


def frame() -> list[Record]:
    records = []
    for rows in ROWS:
        for kernels in (Kernels.choose(CARD, name) for name in ("triton", "library")):
            talk, predict = frame_of(kernels, rows, 300)
            a = milliseconds(talk, replays=10)
            b = milliseconds(predict, replays=10)
            record = {
                "part": "frame", "kernels": kernels.name, "rows": rows, "context": 300,
                "talker_ms": round(a, 3), "predictor_ms": round(b, 3),
                "x_realtime": round(rows * 80 / (a + b), 1),
            }  # fmt: skip
            records.append(record)
            print(record, flush=True)
            torch.cuda.empty_cache()
    return records


def random_codec(folder: Path) -> Path:
    """Write a speech_tokenizer folder of the published sizes with random weights."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    sizes = {"codebook_dim": 512, "hidden_size": 512, "intermediate_size": 1024, "head_dim": 64}
    sizes |= {"latent_dim": 1024}
    (folder / "config.json").write_text(json.dumps({"decoder_config": sizes}))
    tensors: dict[str, torch.Tensor] = {}

    def get(name: str, *shape: int) -> torch.Tensor:
        last = name.rsplit(".", 1)[-1]
        noise = torch.randn(shape)
        if "usage" in last:
            noise = torch.ones(shape)
        elif last in ("alpha", "beta"):
            noise = 0.1 * noise
        elif last in ("scale", "gamma"):
            noise = 0.3 + 0.05 * noise
        elif last != "embedding_sum":
            if len(shape) == 1:
                noise = 1 + 0.1 * noise if last == "weight" else 0.02 * noise
            else:
                noise = noise / math.prod(shape[1:]) ** 0.5 * (0.002 if shape[0] == 1 else 1.0)
        tensors[f"decoder.{name}"] = noise.contiguous()
        return noise

    _build(get, read_codec_config(folder), torch.float32)
    save_file(tensors, folder / "model.safetensors")
    return folder


def codec() -> list[Record]:
    folder = random_codec(Path(os.environ.get("TMPDIR", "/tmp")) / "speech_tokenizer")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    codes = [torch.randint(0, 2048, (n, 16), device=CARD, dtype=torch.int32) for n in (300, 90, 7)]
    exact = Codec(folder, CARD, torch.float32, 512, "torch", graphs=False)
    wanted = [torch.from_numpy(one).double() for one in exact.decode(codes)]
    records: list[Record] = []
    cases = [(torch.float32, "torch", 512), (torch.float32, "triton", 512), (BF16, "torch", 512)]
    cases += [(BF16, "triton", frames) for frames in (128, 256, 512, 1024, 2048)]
    for dtype, kernels, frames in cases:
        began = time.perf_counter()
        one = Codec(folder, CARD, dtype, frames, kernels)
        got = [torch.from_numpy(samples).double() for samples in one.decode(codes)]
        started = time.perf_counter() - began
        noise = torch.cat([a - b for a, b in zip(got, wanted, strict=True)])
        signal = torch.cat(wanted)
        ratio = 20 * math.log10(float(signal.norm() / max(float(noise.norm()), 1e-9)))
        run = milliseconds(one._compute_latents, replays=5)
        wave = milliseconds(one._compute_samples, replays=5)
        record = {
            "part": "codec", "dtype": str(dtype), "kernels": kernels, "frames": frames,
            "snr_db": round(ratio, 1), "max_lsb": float(noise.abs().max()),
            "transformer_ms": round(run, 3), "wave_ms": round(wave, 3),
            "x_realtime_wave": round(frames * 80 / wave, 1),
            "x_realtime": round(frames * 80 / (wave + run), 1), "start_s": round(started, 1),
            "gb": round(torch.cuda.max_memory_allocated() / 1e9, 2),
        }  # fmt: skip
        records.append(record)
        print(record, flush=True)
        one.close()
        del one
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    return records


PARTS = {
    "products": products,
    "attention": attention,
    "sampler": sampler,
    "frame": frame,
    "codec": codec,
}


def main() -> None:
    """Run the parts, print a line a figure, write all of it as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []])
    parser.add_argument("--commit", default="unknown")
    given = parser.parse_args()
    result: Record = {
        "card": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "triton": __import__("triton").__version__,
        "command": " ".join(["python", *sys.argv]),
        "commit": given.commit,
        "records": [],
    }
    torch.manual_seed(0)
    with torch.inference_mode():
        for name in given.parts or PARTS:
            began = time.perf_counter()
            result["records"] += PARTS[name]()
            print(f"== {name}: {time.perf_counter() - began:.0f} s", flush=True)
            given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
