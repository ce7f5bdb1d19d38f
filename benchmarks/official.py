"""The published package behind our seam, by attention and batch, at a published size.

    python -m benchmarks.official --size 1.7b --attention sdpa,flash_attention_2 --json FILE

The checkpoint has random weights in the published layout, written to a folder and loaded as any
other; speed does not depend on their values. Every row runs to its cap, so all cells do equal work.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from narrate.bench.weights import make_checkpoint
from narrate.core import Utterance, Voice
from narrate.errors import NarrateError
from narrate.speech.backend import SpeechOptions, open_backend
from narrate.speech.models import Checkpoint, open_checkpoint
from narrate.speech.voice import VoiceRequest, open_voice

RATE_HZ = 24_000
WORDS = "What a speaker says in three seconds."
TEXT = "The keeper carried oil in one hand and bread in the other, and the gulls knew him well."


def reference(folder: Path) -> Path:
    """Write three seconds of a tone that swells like syllables, with its transcript beside it."""
    t = np.arange(3 * RATE_HZ) / RATE_HZ
    wave = 0.3 * np.sin(2 * np.pi * 160 * t) * (1 + np.sin(2 * np.pi * 4 * t)) / 2
    soundfile.write(folder / "me.wav", wave, RATE_HZ)
    (folder / "me.txt").write_text(WORDS)
    return folder / "me.wav"


def now() -> float:
    """The time once the card has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def cell(
    checkpoint: Checkpoint, voice: Voice, attention: str, batch: int, frames: int, runs: int
) -> dict[str, Any]:
    """Time one attention at one batch; a failure is a row that says why."""
    options = SpeechOptions(checkpoint=checkpoint, attention=attention, batch_size=batch, seed=1)
    row: dict[str, Any] = {"attention": attention, "batch": batch, "frames_asked": frames}
    try:
        backend = open_backend("official", options)
        with closing(backend):
            asked = [Utterance(f"{n}", TEXT, "en", n, frames) for n in range(batch)]
            few = [replace(one, frame_cap=4) for one in asked[:1]]
            list(backend.speak(iter(few), voice))  # loads the model, warms it up
            if torch.cuda.is_available():
                torch.cuda.reset_peak_memory_stats()
            walls, counts = [], []
            for _ in range(runs):
                began = now()
                spoken = list(backend.speak(iter(asked), voice))
                walls.append(now() - began)
                counts.append([int(str(one.checks["frames"])) for one in spoken])
            peak_bytes = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
            in_use = dict(getattr(backend, "in_use", {}))
    except NarrateError as error:
        return row | {"failed": str(error)}
    audio_s = sum(counts[-1]) * 0.08
    wall_s = statistics.median(walls)
    return row | {
        "in_use": in_use,
        "runs_s": [round(wall, 4) for wall in walls],
        "frames": counts[-1],
        "ms_a_frame": round(wall_s / max(counts[-1]) * 1e3, 2),
        "times_real_time": round(audio_s / wall_s, 3),
        "peak_gb": round(peak_bytes / 2**30, 2),
    }


def main() -> None:
    """Make the checkpoint, run every cell, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="1.7b")
    parser.add_argument("--attention", default="sdpa,flash_attention_2,eager")
    parser.add_argument("--cells", default="1x60,32x40", help="batch x frames, comma between")
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--commit", default=os.environ.get("COMMIT", "unknown"))
    parser.add_argument("--json", type=Path)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["NARRATE_HOME"] = scratch
        began = time.perf_counter()
        folder = make_checkpoint(Path(scratch) / "model", words.size, "base")
        checkpoint = open_checkpoint(folder)
        print(f"checkpoint in {time.perf_counter() - began:.1f} s", flush=True)
        asked = VoiceRequest(str(reference(Path(scratch))))
        voice = open_voice(asked, Path(scratch), checkpoint).voice
        rows = []
        for batch, frames in (map(int, one.split("x")) for one in words.cells.split(",")):
            for attention in words.attention.split(","):
                rows.append(cell(checkpoint, voice, attention, batch, frames, words.runs))
                print(json.dumps(rows[-1]), flush=True)
    card = torch.cuda.get_device_name() if torch.cuda.is_available() else "none: CPU"
    result = {
        "what": "official backend, random weights of the published shapes",
        "size": words.size,
        "card": card,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "command": " ".join(["python -m benchmarks.official", *sys.argv[1:]]),
        "commit": words.commit,
        "rows": rows,
    }
    if words.json:
        words.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
