"""The flow takes what a job holds, so that whoever starts it elsewhere can ask for the same."""

from __future__ import annotations

from dataclasses import MISSING, fields

from narrate.config import Job
from narrate.flows.book import narrate_book


def test_the_parameters_that_a_server_shows_are_the_job_s_fields_with_their_defaults() -> None:
    shown = narrate_book.parameters
    assert shown.required == ["document"]
    assert {name: one.get("default", MISSING) for name, one in shown.properties.items()} == {
        field.name: field.default for field in fields(Job)
    }
    assert shown.properties["speed"]["type"] == "number"
