"""The other task of a second run: speak beside the run that leads the book."""

from __future__ import annotations

from typing import Any

from prefect import task

from narrate import studio
from narrate.config import Job, Settings
from narrate.store import Store
from narrate.tasks.faults import worth_retrying
from narrate.tasks.progress import reporting

__all__ = ["join"]


@task(
    name="join",
    task_run_name="join {book_id}",
    retries=2,
    retry_delay_seconds=[2, 10],
    retry_condition_fn=worth_retrying,
)
def join(book_id: str, job: dict[str, Any]) -> dict[str, Any]:
    """Speak what the leader has not claimed until it has ended; returns what is left to do."""
    with Store(Settings.from_environment()) as store, reporting() as report:
        return studio.join(store, book_id, Job(**job), report).parameters()
