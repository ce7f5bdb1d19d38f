"""A folder of documents, looked at again and again: what is finished costs no further run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from narrate import studio
from narrate.config import Job
from narrate.store import Store

from .conftest import STORY, run

WANTED = {"voice": None, "backend": "auto", "model": None, "format": "wav"}


@pytest.fixture
def wanted(tmp_path: Path) -> dict[str, Any]:
    return {"out": str(tmp_path / "out"), **WANTED}


def left(store: Store, story: Path, wanted: dict[str, Any]) -> list[str]:
    jobs, broken = studio.unfinished(store, story.parent, wanted)
    assert not broken
    return [Path(job.document).name for job in jobs]


def test_a_book_is_finished_with_what_its_deployment_adds_and_an_export_changed(
    store: Store, story: Path, job: Job, wanted: dict[str, Any]
) -> None:
    assert left(store, story, wanted) == ["lighthouse.md"]
    made = run(store, replace(job, master="podcast", max_chars=200, author="Ann", force=True))
    assert left(store, story, wanted) == []
    studio.export(store, made.book_id, {"title": "Another", "format": "flac"})
    assert left(store, story, wanted) == []


def test_what_was_narrated_in_part_has_changed_or_is_wanted_otherwise_is_left(
    store: Store, story: Path, job: Job, wanted: dict[str, Any]
) -> None:
    run(store, replace(job, chapters="1"))
    assert left(store, story, wanted) == ["lighthouse.md"]
    run(store, job)
    assert left(store, story, wanted) == []
    assert left(store, story, wanted | {"format": "flac"}) == ["lighthouse.md"]
    story.write_text(STORY.replace("Nobody sat in it.", "Nobody sat in her."))
    assert left(store, story, wanted) == ["lighthouse.md"]
