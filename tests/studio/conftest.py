"""The pipeline without Prefect: the studio's steps one after the other, in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from narrate import studio
from narrate.config import Job, Settings
from narrate.store import Store

STORY = """# The Lighthouse

## The lamp

Every evening at six the keeper climbed the ninety steps. He carried oil in one hand and bread in
the other. The gulls knew him, and made no noise.

On the third of March the lamp would not light. He tried it twice.

## The boat

A small boat waited below the rocks. Nobody sat in it. "Whose is that?" he asked the gulls.
"""


@pytest.fixture
def store(home: Path):
    with Store(Settings.from_environment()) as opened:
        yield opened


@pytest.fixture
def story(tmp_path: Path) -> Path:
    path = tmp_path / "lighthouse.md"
    path.write_text(STORY)
    return path


@pytest.fixture
def job(story: Path, tmp_path: Path) -> Job:
    return Job(str(story), str(tmp_path / "out"))


def run(store: Store, job: Job, spoken: list[str] | None = None) -> studio.Delivered:
    """Do what the flow does; collects what was said in `spoken`."""
    book = studio.plan_book(store, job, fresh=job.force)
    before = set(store.takes.get(key for _, key in store.chunks(book.id)))
    for chapter in list(studio.speak(store, book.id, lambda now: None)):
        studio.stitch(store, book.id, chapter)
    if spoken is not None:
        spoken += [c.spoken for c, key in store.chunks(book.id) if key not in before]
    return studio.deliver(store, book.id)


@pytest.fixture
def narrated(store: Store, job: Job) -> studio.Delivered:
    return run(store, job)


Run = Callable[..., studio.Delivered]
