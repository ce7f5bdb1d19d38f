"""What is claimed next: chapters that can be heard early, then whatever keeps all rows busy."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from narrate import studio
from narrate.config import Job
from narrate.store import Claimed, Store
from narrate.studio.board import Board
from narrate.studio.clerk import Clerk
from tests.conftest import SAMPLE_WORDS

CHAPTERS, SENTENCES = 6, 11


@pytest.fixture
def tale(job: Job, tmp_path: Path) -> Job:
    return replace(job, document=str(written(tmp_path / "tale.md", [SENTENCES] * CHAPTERS)))


def written(path: Path, sentences: list[int]) -> Path:
    """Write a document of chapters with so many sentences each, and a heading that is spoken."""
    parts = []
    for chapter, count in enumerate(sentences, 1):
        parts.append(f"# Part {chapter}")
        for n in range(count):
            parts.append(f"Ship {chapter} {n} came in on{' and on' * (7 * n % 5)}.")
    path.write_text("\n\n".join(parts))
    return path


def all_claims(store: Store, job: Job, early: list[int], *, longest_first: bool) -> list[Claimed]:
    book = studio.plan_book(store, job)
    chapters = list(range(1, CHAPTERS + 1))
    claims: list[Claimed] = []
    with (
        store.leases.hold(book.id) as lease,
        closing(Clerk(store, lease, 1, longest_first)) as clerk,
    ):
        clerk.begin(early)
        some = clerk.claim(chapters)
        while some:
            claims += some
            some = clerk.claim(chapters, some[-1])
        assert not clerk.claim(chapters)  # nothing was passed over
    assert sorted(one.position for one in claims) == [
        chunk.position for chunk, _ in store.chunks(book.id)
    ]
    return claims


def test_early_chapters_come_in_reading_order_and_the_rest_longest_first(
    store: Store, tale: Job
) -> None:
    claims = all_claims(store, tale, [1, 2, 3], longest_first=True)
    early = [line.position for line in store.outline("tale", [1, 2, 3])]
    assert [one.position for one in claims[: len(early)]] == early
    lengths = [len(one.spoken) for one in claims[len(early) :]]
    assert lengths == sorted(lengths, reverse=True) and len(set(lengths)) > 3


def test_the_engine_gives_a_chapter_before_the_book_is_spoken(
    store: Store, job: Job, spoken_sample: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    job = replace(
        job,
        document=str(written(tmp_path / "tale.md", [5] * CHAPTERS)),
        voice=str(spoken_sample),
        voice_text=SAMPLE_WORDS,
        backend="qwen",
        model=str(tiny_checkpoint),
        batch_size=2,
        frames_per_character=3.0,
        attempts=1,
    )
    book = studio.plan_book(store, job)
    keys = {key for _, key in store.chunks(book.id)}
    spoken = {
        chapter: len(store.takes.known(keys))
        for chapter in studio.speak(store, book.id, lambda _: None)
    }
    assert spoken.keys() == set(range(1, CHAPTERS + 1))
    assert spoken[1] < len(keys) * 3 / 4


def test_who_speaks_in_reading_order_does_so_throughout(store: Store, tale: Job) -> None:
    places = [one.position for one in all_claims(store, tale, [5, 6], longest_first=False)]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("sentences", "first"),
    [([1, 1, 1, 1], [1, 2]), ([9, 1, 1], []), ([1], []), ([1, 1, 3, 1], [1, 2])],
)
def test_the_first_half_is_of_whole_chapters(
    store: Store, job: Job, tmp_path: Path, sentences: list[int], first: list[int]
) -> None:
    path = written(tmp_path / "parts.md", sentences)
    book = studio.plan_book(store, replace(job, document=str(path)))
    board = Board(store, book.id, range(1, len(sentences) + 1), 1)
    board.look()
    assert board.first_half() == first
