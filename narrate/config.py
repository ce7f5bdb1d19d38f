"""What the environment and the command line decide, as frozen values checked once.

This is the only module that reads environment variables.

    NARRATE_HOME           where the store, the takes and Prefect's own files live
    NARRATE_DATABASE_URL   another database than the SQLite file in the home
    PREFECT_API_URL        a Prefect server to report to, instead of an embedded one
    NARRATE_SERVER_URL     a speech server, for runs that name none
    NARRATE_API_KEY        the key that a speech server wants; there is no other way to give it
    CUDA_VISIBLE_DEVICES   which cards this process and those that it starts may use
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

from narrate.errors import UsageError

__all__ = ["FORMATS", "MASTERS", "Job", "Selection", "Settings", "usable_cores"]


def usable_cores() -> int:
    """Return how many processors this process may use: `taskset` and the like leave it fewer."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Settings:
    """Where this process keeps its state, whom it reports to, and which server may speak for it."""

    home: Path
    database_url: str
    prefect_api_url: str | None = None
    server_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    visible_cards: str | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings from the environment; relative paths count from the current folder."""
        env = os.environ if environ is None else environ
        home = Path(env.get("NARRATE_HOME") or platformdirs.user_data_path("narrate"))
        home = home.expanduser().absolute()
        url = env.get("NARRATE_DATABASE_URL") or f"sqlite:///{home / 'narrate.db'}"
        return cls(
            home,
            url,
            env.get("PREFECT_API_URL") or None,
            env.get("NARRATE_SERVER_URL") or None,
            env.get("NARRATE_API_KEY", "").strip() or None,
            env.get("CUDA_VISIBLE_DEVICES"),
        )

    @property
    def lexicon(self) -> Path:
        """Where the lexicon lies that holds for all books, if there is one."""
        return self.home / "lexicon.tsv"

    @property
    def takes(self) -> Path:
        """The folder of content-addressed takes."""
        return self.home / "takes"


FORMATS = ("wav", "flac", "mp3", "m4b", "opus", "srt", "vtt", "epub3", "w3c")
"""The kinds of files that a book can be made into."""

MASTERS = ("acx", "podcast", "none")
"""The levels that chapters can be brought to."""

_PART = re.compile(r"(\d+)(?:-(\d+))?")


@dataclass(frozen=True, slots=True)
class Selection:
    """Chapters or chunks by number, from words like `1-3,7`; an empty one means all."""

    ranges: tuple[tuple[int, int], ...] = ()

    @classmethod
    def parse(cls, words: str | None, where: str = "--chapters") -> Selection:
        """Understand `1-3,7`; anything else is a UsageError that names `where` it stands."""
        if words is None:
            return cls()
        ranges = []
        for part in words.replace(" ", "").split(","):
            found = _PART.fullmatch(part)
            first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
            if not 1 <= first <= last:
                raise UsageError(
                    f"{where} does not understand {part!r}",
                    remedy="write numbers and ranges from 1 up, such as 1-3,7",
                )
            ranges.append((first, last))
        return cls(tuple(ranges))

    def __contains__(self, chapter: int) -> bool:
        return not self.ranges or any(first <= chapter <= last for first, last in self.ranges)

    def of(self, count: int, noun: str = "chapter") -> tuple[int, ...]:
        """The selected numbers among 1 to `count`; a UsageError if one is beyond."""
        beyond = [last for _, last in self.ranges if last > count]
        if beyond:
            raise UsageError(
                f"there is no {noun} {beyond[0]}: the book has {count}",
                remedy=f"`narrate plan FILE` lists every {noun}",
            )
        return tuple(number for number in range(1, count + 1) if number in self)


@dataclass(frozen=True, slots=True)
class Job:
    """One request to narrate a document: plain values, so that it can be a flow's parameters.

    None leaves a choice to whoever knows better: `batch_size` to the free memory, `model`,
    `attention`, `frames_per_character`, `precision`, `kernels`, `weights` and `max_context` to the
    speaking part. `workers` counts the processes that
    speak the book on this host, each on a card of its own where there are cards.
    """

    document: str
    out: str = "outputs"
    voice: str | None = None
    voice_text: str | None = None
    voice_text_file: str | None = None
    voice_design: str | None = None
    backend: str = "auto"
    model: str | None = None
    server: str | None = None
    concurrency: int | None = None
    attention: str | None = None
    batch_size: int | None = None
    compile: str | None = None
    tf32: bool = False
    cudnn_benchmark: bool = False
    precision: str | None = None
    kernels: str | None = None
    weights: str | None = None
    cuda_graphs: bool = True
    max_context: int | None = None
    frames_per_character: float | None = None
    language: str | None = None
    speed: float = 1.0
    chapters: str | None = None
    seed: int | None = None
    attempts: int = 3
    max_chars: int = 300
    include: str | None = None
    format: str = "wav"
    master: str = "acx"
    title: str | None = None
    author: str | None = None
    narrator: str | None = None
    cover: str | None = None
    series: str | None = None
    year: int | None = None
    description: str | None = None
    lexicon: str | None = None
    read_as_written: bool = False
    code: str = "skip"
    verify_asr: str | None = None
    workers: int = 1
    force: bool = False

    def __post_init__(self) -> None:
        Selection.parse(self.chapters)
        self.formats  # noqa: B018 - refuses what is no format
        if self.master not in MASTERS:
            raise UsageError(
                f"--master does not know {self.master!r}",
                remedy=f"name one of {', '.join(MASTERS)}",
            )
        if not 0.5 <= self.speed <= 2.0:
            raise UsageError(f"--speed {self.speed} is out of range", remedy="use 0.5 to 2.0")
        if self.attempts < 1:
            raise UsageError(f"--attempts {self.attempts} speaks nothing", remedy="use 1 or more")
        if self.workers < 1:
            raise UsageError(f"--workers {self.workers} speak nothing", remedy="use 1 or more")
        if self.year is not None and not 0 < self.year <= 9999:
            raise UsageError(f"--year {self.year} is no year", remedy="write it as 1813")

    @property
    def selection(self) -> Selection:
        """The chapters to speak."""
        return Selection.parse(self.chapters)

    @property
    def formats(self) -> tuple[str, ...]:
        """The files to make, each once, in the order they were asked for."""
        named = tuple(dict.fromkeys(self.format.lower().replace(" ", "").split(",")))
        unknown = [name for name in named if name not in FORMATS]
        if unknown:
            raise UsageError(
                f"--format does not know {unknown[0]!r}",
                remedy=f"name one or several of {', '.join(FORMATS)}, parted by commas",
            )
        return named

    def parameters(self) -> dict[str, Any]:
        """The job as keyword arguments."""
        return asdict(self)
