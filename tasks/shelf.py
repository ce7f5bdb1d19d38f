"""The two tasks of a shelf: which documents are left, and a run for one of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import task
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import StateType
from prefect.deployments import run_deployment
from prefect.logging import get_run_logger

from narrate import studio
from narrate.config import Settings
from narrate.core import canonical_digest
from narrate.store import Store
from narrate.tasks.faults import worth_retrying

__all__ = ["documents", "enqueue"]


@task(name="documents", task_run_name="documents of {inbox}", retry_condition_fn=worth_retrying)
def documents(inbox: str, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the parameters of a run for each document that is left; names those it cannot read."""
    folder = Path(inbox).expanduser().absolute()
    with Store(Settings.from_environment()) as store:
        jobs, broken = studio.unfinished(store, folder, wanted)
    for words in broken:
        get_run_logger().warning("left out: %s", words)
    return [{"document": job.document, **wanted} for job in jobs]


@task(
    name="enqueue",
    task_run_name="enqueue {job[document]}",
    retries=2,
    retry_delay_seconds=5,
    retry_condition_fn=worth_retrying,
)
def enqueue(job: dict[str, Any], deployment: str) -> bool:
    """Ask for a run of a deployment unless one for the same book is waiting already."""
    tag = f"book:{canonical_digest(job)[:16]}"
    with get_client(sync_client=True) as client:
        waiting = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                tags=FlowRunFilterTags(all_=[tag]),
                state=FlowRunFilterState(
                    type=FlowRunFilterStateType(any_=[StateType.SCHEDULED, StateType.PENDING])
                ),
            )
        )
    if waiting:
        return False
    name = Path(job["document"]).name
    run_deployment(
        deployment, parameters=job, timeout=0, tags=[tag], flow_run_name=name, as_subflow=False
    )
    return True
