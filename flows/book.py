"""The whole program on one screen: a document in, an audiobook out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.runtime import flow_run
from prefect.task_runners import ThreadPoolTaskRunner

from narrate.config import Job, Settings
from narrate.store import Store
from narrate.tasks import deliver, join, plan, read, speak, stitch

__all__ = ["narrate_book"]


def _run_name() -> str:
    """Name a run by its book, and its chapters where not all are wanted."""
    asked = flow_run.parameters
    some = f" chapters {asked['chapters']}" if asked.get("chapters") else ""
    return Path(asked["document"]).name + some


@flow(
    name="narrate-book",
    flow_run_name=_run_name,
    task_runner=ThreadPoolTaskRunner(max_workers=1),  # type: ignore[arg-type]
    persist_result=False,
    log_prints=False,
)
def narrate_book(
    document: str,
    out: str = "outputs",
    voice: str | None = None,
    voice_text: str | None = None,
    voice_text_file: str | None = None,
    voice_design: str | None = None,
    backend: str = "auto",
    model: str | None = None,
    server: str | None = None,
    concurrency: int | None = None,
    attention: str | None = None,
    batch_size: int | None = None,
    compile: str | None = None,
    tf32: bool = False,
    cudnn_benchmark: bool = False,
    precision: str | None = None,
    kernels: str | None = None,
    cuda_graphs: bool = True,
    max_context: int | None = None,
    frames_per_character: float | None = None,
    language: str | None = None,
    speed: float = 1.0,
    chapters: str | None = None,
    seed: int | None = None,
    attempts: int = 3,
    max_chars: int = 300,
    include: str | None = None,
    format: str = "wav",
    master: str = "acx",
    title: str | None = None,
    author: str | None = None,
    narrator: str | None = None,
    cover: str | None = None,
    series: str | None = None,
    year: int | None = None,
    description: str | None = None,
    lexicon: str | None = None,
    read_as_written: bool = False,
    code: str = "skip",
    verify_asr: str | None = None,
    workers: int = 1,
    force: bool = False,
) -> dict[str, Any]:
    """Narrate a document; the store knows what is done, so a run resumes where one ended.

    One run leads a book. A second one of the same book speaks beside it until it has ended, and
    leads if it died.
    """
    job = Job(**locals()).parameters()  # first of all: the parameters, and nothing else yet
    since = time.time()
    with Store(Settings.from_environment()) as store:
        while True:
            book = read(job)
            with store.leases.lead(book) as lease:
                if lease:
                    plan(book, job)
                    stitched = [stitch.submit(book, chapter) for chapter in speak(book)]
                    for chapter_wav in stitched:
                        chapter_wav.result()
                    return deliver(book, since)
            job = join(book, job)
