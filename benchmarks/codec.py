"""The speech decoder on a card: convolutions by tile, units, and whole passes against fp32.

    python -m benchmarks.codec FILE.json [--tiles]

Random weights of the published sizes. The signal-to-noise ratio is against the same decoder in
plain torch and fp32, which the tests hold equal to the published one.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save_file
from triton.runtime.errors import OutOfResources

from benchmarks.timing import CARD, Record, distance, microseconds, normal, write
from narrate.bench.weights.configs import speech_tokenizer_config
from narrate.engine.codec import Codec, codec, fast_wave, hopper_unit, read_codec_config
from narrate.engine.codec.config import DILATIONS
from narrate.engine.codec.layers import FP32 as FULL
from narrate.engine.codec.layers import GELU, Conv, Grade, Grades, Level, Snake, Unit, parted
from narrate.engine.codec.wave import plain_conv, plain_unit
from narrate.engine.codec.weights import codec_tensors
from narrate.errors import BackendError

FRAME_MS = 80
own_grades_of = codec.grades_of
TILE_FRAMES = 512
FP32, FP16, BF16 = torch.float32, torch.float16, torch.bfloat16


class Case(NamedTuple):
    """A convolution: taps, dilation, steps, channels, times a frame, grades, and its epilogue.

    `after` says what follows: snake, gelu, live, an addition, and whether, or as what, it is kept.
    """

    taps: int
    dilation: int
    steps: int
    wide: int
    out: int
    rate: int
    reads: Grade
    gives: Grade
    after: str


HALF, PAIRS, EARLY = (Grade(FP16, parts) for parts in (1, 2, 3))
CASES = {
    "transformer qkv": Case(1, 1, 1, 512, 3072, 3, EARLY, FULL, ""),
    "transformer down": Case(1, 1, 1, 1024, 512, 3, EARLY, FULL, "add"),
    "upsampling": Case(1, 1, 2, 1024, 1024, 2, EARLY, FULL, "live"),
    "widen": Case(1, 1, 1, 1024, 4096, 4, EARLY, EARLY, "gelu"),
    "narrow": Case(1, 1, 1, 4096, 1024, 4, EARLY, EARLY, "add live"),
    "first": Case(7, 1, 1, 1024, 1536, 4, EARLY, PAIRS, "snake live"),
    "up 768": Case(2, 1, 8, 1536, 768, 4, PAIRS, HALF, "snake live wide"),
    "wide 768": Case(7, 3, 1, 768, 768, 32, HALF, PAIRS, "snake"),
    "point 768": Case(1, 1, 1, 768, 768, 32, EARLY, HALF, "add snake live wide"),
    "up 384": Case(2, 1, 5, 768, 384, 32, HALF, HALF, "snake live keep"),
    "wide 384": Case(7, 3, 1, 384, 384, 160, HALF, HALF, "snake"),
    "point 384": Case(1, 1, 1, 384, 384, 160, HALF, HALF, "add snake live keep"),
    "up 192": Case(2, 1, 4, 384, 192, 160, HALF, HALF, "live"),
    "up 96": Case(2, 1, 3, 192, 96, 640, HALF, HALF, "live"),
}
UNITS = {"unit 192": (192, 640), "unit 96": (96, 1920)}  # channels, times a frame
# How the first level is computed: its upsampling, long convolutions and points. First the
# product's own.
LEVELS = {
    "2, 1 and 3 parts": Level(PAIRS, HALF, EARLY, FP32),
    "2, 1 and 2 parts": Level(PAIRS, HALF, PAIRS, FP32),
    "one part": Level(HALF, HALF, HALF, FP16),
    "two parts": Level(PAIRS, PAIRS, PAIRS, FP16),
    "three parts": Level(EARLY, EARLY, EARLY, FP32),
}
TILES = [
    fast_wave.Tile(*tile)
    for tile in (
        (128, 128, 64, 8, 4),
        (128, 128, 64, 8, 3),
        (128, 128, 64, 4, 3),
        (128, 128, 64, 4, 4),
        (128, 256, 64, 8, 3),
        (256, 128, 64, 8, 3),
        (128, 64, 64, 4, 4),
    )
]


def compute_of(case: Case, frames: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """The convolution on random numbers, in Triton and in plain torch."""
    taps, dilation, steps, wide, out, rate, reads, gives, after = case
    weight = normal(taps, steps * out, wide, scale=(taps * wide) ** -0.5, dtype=FP32)
    scale = torch.ones(steps * out, device=CARD) if reads.parts == 3 else None
    weight = parted(weight, reads, weights=True).contiguous()
    bias = normal(steps * out, dtype=FP32)
    kept = FP32 if "wide" in after else None
    conv = Conv(weight, bias, dilation, steps, gives, reads, scale, kept)
    added = FP32 if reads == EARLY else conv.keeps
    given: dict[str, Any] = {
        "live": torch.ones(frames, device=CARD, dtype=torch.int32) if "live" in after else None,
        "add": normal(frames * rate * steps, out, dtype=added) if "add" in after else None,
        "keep": after in ("", "add") or "keep" in after or "wide" in after,
    }
    if "snake" in after:
        given["bend"] = Snake(*(normal(out, dtype=FP32, scale=0.1).exp() for _ in range(2)))
    if "gelu" in after:
        given["bend"] = GELU
    x = parted(normal(frames * rate, wide, dtype=FP32), reads)
    return partial(fast_wave.conv, x, conv, **given), partial(plain_conv, x, conv, **given)


def compile_one(job: tuple[str, fast_wave.Tile]) -> None:
    """Compile one tile of one convolution into the cache of kernels."""
    name, tile = job
    fast_wave.tile_of = lambda conv: tile
    try:
        compute_of(CASES[name], 16)[0]()
    except OutOfResources as error:
        print(name, tile, error, flush=True)


def by_tile() -> list[Record]:
    """Each convolution by tile: microseconds for TILE_FRAMES frames, TFLOP/s, error."""
    jobs = [(name, tile) for name in CASES for tile in TILES]
    with multiprocessing.get_context("spawn").Pool(14) as pool:
        pool.map(compile_one, jobs, chunksize=2)
    return [record for name, case in CASES.items() if (record := one_case(name, case))]


def one_case(name: str, case: Case) -> Record:
    """One convolution with every tile that fits the card."""
    ours, plain = compute_of(case, 64)
    wanted = plain()[1]  # type: ignore[index]
    large, _ = compute_of(case, TILE_FRAMES)
    channels = case.wide * case.reads.parts * case.out * case.steps
    flops = 2 * case.taps * channels * case.rate * TILE_FRAMES
    times: dict[str, float] = {}
    far = 0.0
    for tile in TILES:
        fast_wave.tile_of = lambda conv, tile=tile: tile  # type: ignore[misc]
        try:
            far = max(far, distance(ours()[1], wanted))  # type: ignore[index]
            times[str(tuple(tile))] = microseconds(large, replays=10)
        except OutOfResources:
            continue
    best = min(times, key=lambda key: times[key])
    record = {
        "part": "tiles",
        "name": name,
        "frames": TILE_FRAMES,
        "best": best,
        "us": {key: round(value, 1) for key, value in times.items()},
        "tflops": {key: round(flops / value / 1e6) for key, value in times.items()},
        "error": far,
    }
    print(name, best, round(times[best]), "us", record["tflops"], f"{far:.1e}", flush=True)
    return record


def units() -> list[Record]:
    """The units that are one kernel each, on cards that have one."""
    try:
        return [one_unit(name, dilation) for name in UNITS for dilation in DILATIONS]
    except BackendError as error:
        print(error, flush=True)
        return []


def one_unit(name: str, dilation: int) -> Record:
    """A residual unit that is one kernel."""
    channels, rate = UNITS[name]

    def conv(taps: int) -> Conv:
        weight = normal(taps, channels, channels, scale=(taps * channels) ** -0.5, dtype=FP16)
        apart = dilation if taps > 1 else 1
        return Conv(weight, normal(channels, dtype=FP32), apart, 1, HALF, HALF)

    def snake() -> Snake:
        return Snake(*(normal(channels, dtype=FP32, scale=0.1).exp() for _ in range(2)))

    def given(frames: int) -> tuple[torch.Tensor, Unit, torch.Tensor]:
        live = torch.ones(frames, device=CARD, dtype=torch.int32)
        return normal(frames * rate, channels, dtype=FP16), unit, live

    unit, after = Unit(snake(), conv(7), snake(), conv(1)), snake()
    few, many = given(16), given(TILE_FRAMES)
    error = distance(hopper_unit.unit(*few, after), plain_unit(*few, after))
    spent = microseconds(lambda: hopper_unit.unit(*many, None), replays=10)
    record = {
        "part": "units",
        "name": name,
        "dilation": dilation,
        "frames": TILE_FRAMES,
        "us": round(spent, 1),
        "tflops": round(2 * 8 * channels**2 * rate * TILE_FRAMES / spent / 1e6),
        "error": error,
    }
    print(record, flush=True)
    return record


def random_folder(folder: Path) -> Path:
    """Write a speech_tokenizer of the published sizes; signals keep their size on their way."""
    (folder / "config.json").write_text(json.dumps(speech_tokenizer_config("1.7b")))
    tensors: dict[str, torch.Tensor] = {}
    torch.manual_seed(0)
    for name, shape in codec_tensors(read_codec_config(folder)).items():
        last, noise = name.rsplit(".", 1)[-1], torch.randn(shape)
        if last == "cluster_usage":
            noise = torch.ones(shape)
        elif last in ("alpha", "beta"):
            noise *= 0.1
        elif last in ("scale", "gamma"):
            noise = 0.3 + 0.05 * noise
        elif len(shape) == 1:
            noise = 1 + 0.1 * noise if last == "weight" else 0.02 * noise
        elif last != "embedding_sum":
            noise *= (0.002 if shape[0] == 1 else 1.0) / math.prod(shape[1:]) ** 0.5
        tensors[name] = noise.contiguous()
    save_file(tensors, folder / "model.safetensors")
    return folder


def grades_of(first: Level, dtype: torch.dtype, levels: int) -> Grades:
    """As the product's own, with another first level."""
    usual = own_grades_of(dtype, levels)
    return usual if dtype == FP32 else usual._replace(levels=(first, *usual.levels[1:]))


def whole(folder: Path) -> list[Record]:
    """Whole passes: noise against fp32, milliseconds, times real time."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    codes = [torch.randint(0, 2048, (n, 16), device=CARD, dtype=torch.int32) for n in (300, 90, 7)]
    exact = Codec(folder, CARD, FP32, 512, "torch", graphs=False)
    wanted = torch.cat([torch.from_numpy(one).double() for one in exact.decode(codes)])
    records: list[Record] = []
    cases = [(FP32, "torch", 512), (FP32, "triton", 512), (BF16, "torch", 512)]
    cases += [(BF16, "triton", frames) for frames in (256, 1024, 2048)]
    usual, *others = LEVELS
    chosen = [(*case, usual) for case in cases] + [(*cases[-2], level) for level in others]
    for dtype, kernels, frames, level in chosen:
        codec.grades_of = partial(grades_of, LEVELS[level])
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        began = time.perf_counter()
        one = Codec(folder, CARD, dtype, frames, kernels)
        got = torch.cat([torch.from_numpy(samples).double() for samples in one.decode(codes)])
        started = time.perf_counter() - began
        noise = got - wanted
        run = microseconds(one._compute_latents, replays=5) / 1e3
        wave = microseconds(one._compute_samples, replays=5) / 1e3
        record = {
            "part": "whole",
            "asked": str(dtype),
            "kernels": kernels,
            "frames": frames,
            "level_1": level,
            "snr_db": round(20 * math.log10(float(wanted.norm() / noise.norm().clamp(1e-9))), 1),
            "most_steps_off": float(noise.abs().max()),
            "transformer_ms": round(run, 3),
            "wave_ms": round(wave, 3),
            "x_realtime": round(frames * FRAME_MS / (wave + run), 1),
            "start_s": round(started, 1),
            "peak_gb": round(torch.cuda.max_memory_allocated() / 1e9, 2),
        }
        records.append(record)
        print(record, flush=True)
        one.close()
        del one
    return records


def main() -> None:
    """Measure, print a line a figure, write JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--tiles", action="store_true", help="each convolution by tile, too")
    given = parser.parse_args()
    chosen = fast_wave.tile_of
    with torch.inference_mode(), tempfile.TemporaryDirectory() as folder:
        records = by_tile() if given.tiles else []
        records += units()
        fast_wave.tile_of = chosen
        records += whole(random_folder(Path(folder)))
    write(given.out, records)


if __name__ == "__main__":
    main()
