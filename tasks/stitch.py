"""One chapter to one WAV and its other formats, while later chapters are still being spoken."""

from __future__ import annotations

from prefect import task

from narrate import studio
from narrate.config import Settings
from narrate.store import Store
from narrate.tasks.faults import worth_retrying

__all__ = ["stitch"]


@task(
    name="stitch",
    task_run_name="stitch {book_id} chapter {chapter}",
    retries=1,
    retry_delay_seconds=2,
    retry_condition_fn=worth_retrying,
)
def stitch(book_id: str, chapter: int) -> str:
    """Return the path of the chapter's WAV; ends early when the run is being stopped."""
    with Store(Settings.from_environment()) as store:
        stop = store.leases.stop_of(book_id)
        path = studio.stitch(store, book_id, chapter, stop).path
        studio.encode_chapter(store, book_id, chapter, stop)
        return str(path)
