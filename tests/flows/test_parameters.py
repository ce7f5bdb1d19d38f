"""The flow takes what a job holds, so that whoever starts it elsewhere can ask for the same."""

from __future__ import annotations

import inspect
from dataclasses import MISSING, fields

from narrate.config import Job
from narrate.flows.book import narrate_book


def test_the_flow_s_parameters_are_the_job_s_fields_with_their_defaults() -> None:
    parameters = inspect.signature(narrate_book.fn).parameters
    of_flow = {name: one.default for name, one in parameters.items()}
    of_job = {
        field.name: inspect.Parameter.empty if field.default is MISSING else field.default
        for field in fields(Job)
    }
    assert of_flow == of_job
