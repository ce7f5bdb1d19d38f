"""The one file that runs ffmpeg: which program, how it is fed and read, and what its failures mean.

The program is the system's, else the one in the wheel `imageio-ffmpeg`. Nothing else of ffmpeg is
needed, ffprobe neither.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import importlib
import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from narrate.audio.wav import format_chunk, output_error
from narrate.audio.whole import appearing
from narrate.errors import NarrateError, OutputError

__all__ = [
    "INSTALL",
    "Stream",
    "convert",
    "decode",
    "describe",
    "encoders",
    "loudness",
    "packets",
    "pcm",
    "program",
    "require",
]

INSTALL = (
    "install ffmpeg (such as `apt install ffmpeg`) or `pip install imageio-ffmpeg`; "
    "wav and flac need neither"
)
_QUIET = ("-hide_banner", "-nostats", "-v", "error")
_READ_BYTES = 1 << 20
_WAV_FORMATS = {"<i2": (1, 2), "<f4": (3, 4)}  # format code and bytes a sample
# As bare samples they would come in packets of 40 ms, and each costs a change of threads.
_WAV_PACKETS = ("-f", "wav", "-max_size", str(1 << 16))
_FULL = "No space left on device"
_QUOTA = "Disk quota exceeded"


def program() -> str | None:
    """Find the ffmpeg that will be run, or None."""
    found = shutil.which("ffmpeg")
    if found:
        return found
    try:
        bundled = importlib.import_module("imageio_ffmpeg")
        return str(bundled.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        return None


def require(what_for: str) -> str:
    """Return the program, or an OutputError that says what to install for `what_for`."""
    found = program()
    if found is None:
        raise OutputError(f"{what_for} needs ffmpeg, which is not here", remedy=INSTALL)
    return found


def encoders(what_for: str) -> frozenset[str]:
    """Name the encoders that the program was built with."""
    said = _run([require(what_for), "-hide_banner", "-encoders"])
    lines = (line.split() for line in said.stdout.decode(errors="replace").splitlines())
    return frozenset(words[1] for words in lines if len(words) > 1)


def describe(path: Path) -> tuple[str, str]:
    """Return what ffmpeg says of a file: its streams in words, its tags and chapters as ffmetadata.

    An OutputError where the file is none that it can read.
    """
    command = [require("reading this file"), "-hide_banner", "-nostdin", "-i", _name(path)]
    done = _run([*command, "-f", "ffmetadata", "-"])
    if done.returncode:
        raise OutputError(
            "this is no audio file that can be read",
            where=str(path),
            remedy="make it again, or leave it out",
        )
    return done.stderr.decode(errors="replace"), done.stdout.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Stream:
    """What a program is fed through a pipe: the options that describe it, and its bytes.

    Beside other inputs ffmpeg reads a pipe in a thread with room for 8 packets, and sleeps 10 ms
    whenever it finds none: of AAC that made 19 times the time. So `ahead` says how many may wait,
    where there must be a thread: without one, joining AAC takes a third (docs/log.md).
    """

    options: tuple[str, ...]
    chunks: Iterable[bytes | memoryview]
    ahead: int


def pcm(blocks: Iterable[NDArray[Any]], rate_hz: int, dtype: str = "<i2") -> Stream:
    """Feed mono samples, int16 or, as `<f4`, float32, as a WAV that tells no length."""
    head = struct.pack("<4sI4s", b"RIFF", 0, b"WAVE") + format_chunk(rate_hz, *_WAV_FORMATS[dtype])
    head += struct.pack("<4sI", b"data", 0)  # 0 is read to the end, whatever the length
    samples = (np.ascontiguousarray(block, dtype=dtype).data for block in blocks)
    return Stream(_WAV_PACKETS, chain([head], samples), ahead=16)  # 1 MB


def packets(chunks: Iterable[bytes]) -> Stream:
    """Feed AAC that is encoded already, each packet behind its ADTS header."""
    return Stream(("-f", "aac"), chunks, ahead=4096)  # 1 MB


def convert(
    stream: Stream | None, inputs: Sequence[Path], options: Sequence[str], out: Path
) -> None:
    """Make `out` from a stream, input 0 where there is one, and from `inputs`.

    `options` say the rest, the container included. The file grows as `<name>.part` and appears
    under its name when it is whole and on the disk.
    """
    command = [require(f"writing {out.name}"), *_QUIET, "-y"]
    if stream:
        command += stream.options
        if inputs:
            ahead = stream.ahead if _reads_in_threads(command[0]) else 0
            command += ["-thread_queue_size", str(ahead)]
        command += ["-i", "pipe:0"]
    else:
        command += ["-nostdin"]
    for path in inputs:
        command += ["-i", _name(path)]
    with appearing(out) as beside:
        failed, said = _feed([*command, *options, _name(beside)], stream)
        if failed:
            raise _failure(said, out)


@functools.cache
def _reads_in_threads(found: str) -> bool:
    """Whether this ffmpeg takes a queue of 0 for its own choice of 8, as those from 6 on do."""
    version = re.match(r"ffmpeg version n?(\d+)\.", _run([found, "-version"]).stdout.decode())
    return version is None or int(version[1]) > 5


def decode(path: Path, rate_hz: int) -> Iterator[NDArray[np.float32]]:
    """Yield a file's samples, mixed to mono, in blocks of float32 at `rate_hz`."""
    command = [
        require("reading this file"),
        *_QUIET,
        "-nostdin",
        "-i",
        _name(path),
        "-map",
        "0:a:0",
    ]
    command += ["-ac", "1", "-ar", str(rate_hz), "-f", "f32le", "-"]
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said) as process,
    ):
        assert process.stdout is not None
        try:
            while content := process.stdout.read(_READ_BYTES):
                yield np.frombuffer(content[: len(content) // 4 * 4], dtype="<f4")
        finally:
            process.kill()
        if process.wait() > 0:
            said.seek(0)
            raise OutputError(
                f"the file cannot be decoded: {_words(said.read())}",
                where=str(path),
                remedy="make it again, or leave it out",
            )


def loudness(blocks: Iterable[NDArray[np.float32]], rate_hz: int) -> float:
    """Measure the integrated loudness of mono samples in LUFS (EBU R 128, by its ebur128)."""
    stream = pcm(blocks, rate_hz, "<f4")
    command = [require("measuring loudness"), "-hide_banner", "-nostats", *stream.options]
    command += ["-i", "pipe:0"]
    failed, words = _feed([*command, "-af", "ebur128=framelog=verbose", "-f", "null", "-"], stream)
    found = re.findall(r"I:\s+(-?[\d.]+|-inf) LUFS", words)
    if failed or not found:
        raise OutputError(f"ffmpeg measured no loudness: {words}", remedy=INSTALL)
    return float(found[-1])


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OutputError(
            f"ffmpeg does not run: {error}", where=command[0], remedy=INSTALL
        ) from error


def _feed(command: Sequence[str], stream: Stream | None) -> tuple[bool, str]:
    """Run a command on a stream; returns whether it failed, and what it said."""
    stdin = subprocess.PIPE if stream else subprocess.DEVNULL
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdin=stdin, stdout=subprocess.DEVNULL, stderr=said)
        try:
            if stream and process.stdin:
                with contextlib.suppress(BrokenPipeError):  # it has given up, and says why
                    _pour(stream.chunks, process.stdin)
            process.wait()
        finally:
            process.kill()
            process.wait()
        said.seek(0)
        words = _words(said.read())
        # NOTE: a muxer that cannot write its last bytes can still end with 0
        lost = _FULL in words or _QUOTA in words
        return bool(process.returncode) or lost, words or f"exit code {process.returncode}"


def _pour(chunks: Iterable[bytes | memoryview], pipe: IO[bytes]) -> None:
    try:
        for chunk in chunks:
            pipe.write(chunk)
    finally:
        pipe.close()


def _failure(said: str, out: Path) -> NarrateError:
    for sign, number in ((_FULL, errno.ENOSPC), (_QUOTA, errno.EDQUOT)):
        if sign in said:
            return output_error(OSError(number, sign), out)
    return OutputError(f"ffmpeg failed: {said}", where=str(out), remedy=INSTALL)


def _words(said: bytes) -> str:
    return " ".join(said.decode(errors="replace").split())[-400:]


def _name(path: Path) -> str:
    """A path as ffmpeg takes it: never an option, never a protocol."""
    return f"file:{path}"
