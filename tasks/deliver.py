"""The last task: chapters to a book, and a look at what came out."""

from __future__ import annotations

from typing import Any

from prefect import task

from narrate import studio
from narrate.config import Settings
from narrate.store import Store
from narrate.tasks.faults import worth_retrying
from narrate.tasks.summary import summarize

__all__ = ["deliver"]


@task(
    name="deliver",
    task_run_name="deliver {book_id}",
    retries=1,
    retry_delay_seconds=2,
    retry_condition_fn=worth_retrying,
)
def deliver(book_id: str, wavs: list[str], since: float) -> dict[str, Any]:
    """Return what the run leaves behind, as plain values; its page tells of it from `since` on.

    `wavs` are the chapters that it stitched.
    """
    with Store(Settings.from_environment()) as store:
        stop = store.leases.stop_of(book_id)
        made = studio.deliver(store, book_id, stop).with_all(wavs)
        delivered = studio.checked(made).as_values()
        summarize(store, book_id, since)
        return delivered
