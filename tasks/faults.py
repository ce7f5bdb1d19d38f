"""Which failures a second try can mend."""

from __future__ import annotations

from typing import Any

from prefect import Task
from prefect.client.schemas.objects import State, TaskRun

from narrate.errors import NarrateError, StoreAwayError

__all__ = ["worth_retrying"]


def worth_retrying(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Retry what nobody foresaw, and a database that was away.

    Any other error that tells its user what to do waits for the user.
    """
    failure = state.result(raise_on_failure=False)
    return isinstance(failure, StoreAwayError) or not isinstance(failure, NarrateError)
