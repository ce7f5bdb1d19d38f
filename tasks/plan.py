"""The second task: what is said, in which order, and under which key."""

from __future__ import annotations

from typing import Any

from prefect import task

from narrate import studio
from narrate.config import Job, Settings
from narrate.store import Store
from narrate.tasks.faults import worth_retrying

__all__ = ["plan"]


@task(
    name="plan",
    task_run_name="plan {book_id}",
    timeout_seconds=1800,
    retries=1,
    retry_delay_seconds=2,
    retry_condition_fn=worth_retrying,
)
def plan(book_id: str, job: dict[str, Any]) -> None:
    """Make the store hold the book's plan; with `force` its takes are to be spoken again."""
    wanted = Job(**job)
    with Store(Settings.from_environment()) as store:
        studio.plan_book(store, wanted, fresh=wanted.force)
