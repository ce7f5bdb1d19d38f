"""A folder of documents: a run of its own for each that is new or has changed."""

from __future__ import annotations

from prefect import flow

from narrate.tasks import documents, enqueue

__all__ = ["narrate_shelf"]


@flow(name="narrate-shelf", flow_run_name="shelf {inbox}", persist_result=False, log_prints=False)
def narrate_shelf(
    inbox: str,
    deployment: str = "narrate-book/book",
    out: str = "outputs",
    voice: str | None = None,
    backend: str = "auto",
    model: str | None = None,
    format: str = "wav",
) -> int:
    """Ask for a run of a deployment for every document that is not finished; returns how many.

    Waits for none of them, moves nothing, and asks for no run where one waits or is at work.
    """
    wanted = {"out": out, "voice": voice, "backend": backend, "model": model, "format": format}
    return sum(enqueue(job, deployment) for job in documents(inbox, wanted))
