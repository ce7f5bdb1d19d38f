"""The engine on a book: text to samples on the host, at the published sizes with random weights.

    python -m benchmarks.engine --size 1.7b --batches 1,32,256,512 --json FILE

The chunks have the lengths of Pride and Prejudice, at 15 characters a second, and a 3 s reference.
How long a chunk takes scatters by 8 %, and the engine, which orders by text, does not know it.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.frames import FRAME_MS, milliseconds
from benchmarks.random_model import random_codec, random_folder, random_model
from narrate.core import Utterance, VoicePrompt
from narrate.engine.codec import Codec
from narrate.engine.engine import Engine
from narrate.engine.model.layers import Model
from narrate.engine.options import EngineOptions
from narrate.engine.parts import Parts
from narrate.engine.sampler import SamplingOptions
from narrate.engine.tokens import TextIds

# The 64 quantiles of the characters a chunk of Pride and Prejudice has (3,859 chunks, 677,179 in
# all), and how they are read.
CHARACTERS = [
    *(10, 17, 30, 42, 54, 65, 73, 82, 92, 101, 106, 112, 116, 122, 126, 131, 134, 138, 142, 146),
    *(149, 152, 155, 158, 160, 164, 166, 169, 172, 175, 178, 181, 183, 186, 189, 192, 194, 197),
    *(199, 203, 205, 208, 211, 214, 217, 220, 223, 226, 230, 234, 237, 240, 243, 247, 251, 254),
    *(258, 263, 268, 272, 277, 283, 289, 297),
]
CHARACTERS_A_SECOND, FRAMES_A_SECOND = 15, 12.5
REFERENCE_FRAMES = 38  # three seconds


def chunks(count: int, seed: int = 0) -> list[Utterance]:
    """A book's texts in an order of reading, each with the frames that it will take."""
    random = np.random.default_rng(seed)
    characters = random.permutation(np.resize(CHARACTERS, count))
    pace = random.normal(1.0, 0.08, count).clip(0.7, 1.4)
    frames = np.maximum(3, characters / CHARACTERS_A_SECOND * FRAMES_A_SECOND * pace).astype(int)
    return [
        Utterance(f"{i}", "x" * (n // 4), "en", seed * 100_000 + i, int(cap))
        for i, (n, cap) in enumerate(zip(characters, frames, strict=True))
    ]


def voice(model: Model) -> VoicePrompt:
    """A reference of three seconds."""
    random, config = np.random.default_rng(7), model.config
    codes = random.integers(0, config.predictor.vocab, (REFERENCE_FRAMES, config.groups))
    speaker = random.normal(size=config.talker.hidden).astype(np.float32)
    return VoicePrompt(codes=codes, speaker=speaker, reference_text="It is a truth.")


def speak(engine: Engine, book: list[Utterance]) -> dict[str, object]:
    """Speak a book; seconds, frames, and how often the host waited."""
    prompt = voice(engine.parts.model)
    first = engine._runner.ticks
    torch.cuda.synchronize()
    started = time.perf_counter()
    samples = first_s = 0.0
    for spoken in engine.speak(iter(book), prompt):
        first_s = first_s or time.perf_counter() - started
        samples += len(spoken.samples)
    wall_s = time.perf_counter() - started
    ticks, audio_s = engine._runner.ticks - first, samples / engine.rate_hz
    return {
        "chunks": len(book),
        "audio_s": round(audio_s, 1),
        "wall_s": round(wall_s, 3),
        "first_s": round(first_s, 3),
        "x_realtime": round(audio_s / wall_s, 1),
        "ticks": ticks,
        "ms_a_tick": round(wall_s / ticks * 1e3, 3),
        "filled": round(audio_s * FRAMES_A_SECOND / ticks / engine.batch_size, 3),
    }


def parts_of_a_tick(engine: Engine, model: Model) -> dict[str, object]:
    """Milliseconds of the recorded frame, of an arrival of newcomers and of a pass of the codec."""
    state, runner, codec = engine._runner.state, engine._runner, engine.parts.decoder
    assert isinstance(codec, Codec)
    state.progress[0].fill_(1)
    state.progress[1].fill_(5)
    state.caps.fill_(1 << 20)
    state.lengths.fill_(170)
    torch.cuda.synchronize()
    with runner.turn():
        frame = milliseconds(runner._frame)
        arrivals = {length: milliseconds(held[2]) for length, held in runner._arrivals.items()}
    torch.cuda.synchronize()
    passes = milliseconds(codec._decode, 5) + milliseconds(codec._run, 5)
    runner.clear()
    return {
        "frame_ms": round(frame, 3),
        "frame_x_realtime": round(engine.batch_size * FRAME_MS / frame, 1),
        "arrival_ms": {length: round(ms, 3) for length, ms in arrivals.items()},
        "newcomers": runner.group,
        "codec_frames": codec.layout.frames,
        "codec_pass_ms": round(passes, 3),
        "codec_x_realtime": round(codec.layout.frames * FRAME_MS / passes, 1),
    }


def run(args: argparse.Namespace) -> list[dict[str, object]]:
    """One row a batch size."""
    device = torch.device("cuda")
    folder = Path(tempfile.mkdtemp())
    random_folder(folder, args.size)
    started = time.time()
    model = random_model(args.size, args.positions, device, torch.bfloat16, args.weights)
    torch.cuda.synchronize()
    model_s = time.time() - started
    rows: list[dict[str, object]] = []
    for batch in map(int, args.batches.split(",")):
        options = EngineOptions(
            batch_size=batch, max_context=args.positions, newcomers=args.newcomers,
            kernels=args.kernels, weights=args.weights,
        )  # fmt: skip
        started = time.time()
        codec = random_codec(folder, device, batch, args.codec_frames)
        codec_s = time.time() - started
        engine = Engine.of(Parts(model, TextIds(folder), SamplingOptions(), codec), options)
        speak(engine, chunks(min(32, batch * 2), seed=9))
        start_s = time.time() - started + model_s
        count = min(args.chunks, max(24, batch * 15))
        row: dict[str, object] = {"size": args.size, "batch": batch, "kernels": args.kernels}
        row["weights"] = engine.in_use["weights"]
        row |= {"start_s": round(start_s, 1), "codec_start_s": round(codec_s, 1)}
        row |= speak(engine, chunks(count))
        row |= parts_of_a_tick(engine, model)
        row["peak_gb"] = round(torch.cuda.max_memory_allocated() / 2**30, 1)
        print(json.dumps(row), flush=True)
        rows.append(row)
        engine.close()
        codec.close()
        del engine, codec
        torch.cuda.empty_cache()
    return rows


def machine() -> dict[str, object]:
    """The card, the versions, the command and the commit."""
    git = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "card": torch.cuda.get_device_name(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "command": " ".join(["python -m benchmarks.engine", *sys.argv[1:]]),
        "commit": git.stdout.strip(),
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="1.7b", choices=["1.7b", "0.6b"])
    parser.add_argument("--batches", default="1,32,256,512")
    parser.add_argument("--kernels", default="auto")
    parser.add_argument("--weights", choices=["int8", "fp8"])
    parser.add_argument("--newcomers", type=int, help="default by batch")
    parser.add_argument("--codec-frames", type=int, help="of a pass; default by batch")
    parser.add_argument("--positions", type=int, default=512)
    parser.add_argument("--chunks", type=int, default=3859)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    rows = run(args)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps({**machine(), "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
