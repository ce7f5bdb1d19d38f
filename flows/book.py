"""The whole program on one screen: a document in, an audiobook out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.runtime import flow_run
from prefect.task_runners import ThreadPoolTaskRunner

from narrate.config import Job, Settings
from narrate.flows.parameters import parameters_of
from narrate.store import Store
from narrate.studio.abreast import BESIDE
from narrate.studio.crew import standing_by
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
    task_runner=ThreadPoolTaskRunner(max_workers=BESIDE),  # type: ignore[arg-type]
    persist_result=False,
    log_prints=False,
)
@parameters_of(Job)
def narrate_book(**asked: Any) -> dict[str, Any]:
    """Narrate a document; the store knows what is done, so a run resumes where one ended.

    One run leads a book. A second one of the same book speaks beside it until it has ended, and
    leads if it died.
    """
    job = Job(**asked).parameters()
    since, settings = time.time(), Settings.from_environment()
    with Store(settings) as store:
        while True:
            book = read(job)
            with store.leases.lead(book) as lease:
                if lease:
                    with standing_by(settings, book, Job(**job)):
                        plan(book, job)
                        stitched = [stitch.submit(book, chapter) for chapter in speak(book)]
                    return deliver(book, [wav.result() for wav in stitched], since)
            job = join(book, job)
