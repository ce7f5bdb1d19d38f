"""A cold start, from the start of Python to the first audio, in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from narrate.bench.models import Measured
from narrate.bench.results import Work
from narrate.errors import NarrateError
from narrate.speech.prompts import prompt_of

__all__ = ["EMPTY", "FILLED", "NO_KERNELS", "prepare", "start_cold"]

EMPTY, FILLED, NO_KERNELS = "empty", "filled", "none needed"

_LIMIT_S = 900.0
_UNTIL_FIRST = "until the first audio"
_FIRST = 12  # characters of the text that gives the first audio
_CACHES = ("TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR")


def start_cold(words: str, measured: Measured, cache: str) -> Work:
    """Start a process that loads the model and speaks; `cache` of kernels is empty or filled.

    The time is that until the first audio; the voice's prompt has to be there already. What an
    empty cache was filled with stays for the starts that want it filled. Raises `ValueError` with
    the child's last words.
    """
    folder = measured.folder / "kernels" / words
    if cache == EMPTY:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    caches = {variable: str(folder / variable) for variable in _CACHES}
    asked = {
        "words": words,
        "model": str(measured.checkpoint.folder),
        "home": str(measured.folder),
        "began": time.time(),
    }
    child = subprocess.run(
        [sys.executable, "-m", "narrate.bench.cold", json.dumps(asked)],
        env={**os.environ, **caches},
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )
    if child.returncode:
        said = child.stderr.strip().splitlines() or [f"exit code {child.returncode}"]
        raise ValueError(said[-1])
    parts = json.loads(child.stdout.splitlines()[-1])
    return Work(rows=1, apart=True, timed_s=parts.pop(_UNTIL_FIRST), parts=parts)


def prepare(words: str, measured: Measured, cache: str) -> None:
    """Have the voice's prompt ready, and kernels compiled once where a start is to find them."""
    prompt_of(measured.voice, measured.checkpoint)
    if cache == FILLED and not (measured.folder / "kernels" / words).exists():
        start_cold(words, measured, FILLED)


def _main() -> None:
    """The child: print the seconds of each part as JSON."""
    asked = json.loads(sys.argv[1])
    started = asked["began"]
    from contextlib import closing

    from narrate.bench.contestants import contestants
    from narrate.bench.texts import rows, sample
    from narrate.bench.voices import bench_voice
    from narrate.speech.backend import open_backend
    from narrate.speech.models import open_checkpoint

    checkpoint = open_checkpoint(Path(asked["model"]))
    voice = bench_voice(Path(asked["home"]), checkpoint)
    (one,) = contestants(asked["words"])
    text = rows(sample(_FIRST), 1)
    import torch

    torch.cuda.is_available()
    parts = {"python and torch": time.time() - started}
    with closing(open_backend(one.backend, one.options(checkpoint, 1, 512))) as backend:
        for name in ("model and first audio", "second audio"):
            began = time.time()
            for _ in backend.speak(iter(text), voice):
                break
            else:
                raise SystemExit("nothing was spoken")
            parts[name] = time.time() - began
            parts.setdefault(_UNTIL_FIRST, time.time() - started)
    sys.stdout.write(json.dumps(parts) + "\n")


if __name__ == "__main__":
    try:
        _main()
    except NarrateError as error:
        sys.exit(str(error))
