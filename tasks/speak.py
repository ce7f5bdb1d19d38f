"""The long task: speaks what is missing and hands over each chapter as it is complete."""

from __future__ import annotations

from collections.abc import Iterator

from prefect import task

from narrate import studio
from narrate.config import Settings
from narrate.store import Store
from narrate.tasks.faults import worth_retrying
from narrate.tasks.progress import reporting

__all__ = ["speak"]


@task(
    name="speak",
    task_run_name="speak {book_id}",
    retries=2,
    retry_delay_seconds=[2, 10],
    retry_condition_fn=worth_retrying,
)
def speak(book_id: str) -> Iterator[int]:
    """Yield the numbers of chapters whose takes are all stored.

    There is no timeout: a book takes as long as it takes, and a retry asks the store what is left.
    """
    with Store(Settings.from_environment()) as store, reporting() as report:
        yield from studio.speak(store, book_id, report)
