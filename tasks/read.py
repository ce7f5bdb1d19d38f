"""The first task: is this a document, and which book is it?"""

from __future__ import annotations

from typing import Any

from prefect import task

from narrate import studio
from narrate.config import Job, Settings
from narrate.store import Store
from narrate.tasks.faults import worth_retrying

__all__ = ["read"]


@task(
    name="read",
    task_run_name="read {job[document]}",
    timeout_seconds=600,
    retries=1,
    retry_delay_seconds=2,
    retry_condition_fn=worth_retrying,
)
def read(job: dict[str, Any]) -> str:
    """Return the id of the book of a document; InputError if the file cannot be one."""
    with Store(Settings.from_environment()) as store:
        return studio.find_book(store, Job(**job)).book.id
