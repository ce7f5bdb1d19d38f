"""Other formats and labels of a book that is spoken: nothing is spoken, little is made again."""

from __future__ import annotations

from pathlib import Path

import pytest

from narrate import studio
from narrate.audio import ffmpeg
from narrate.config import Job
from narrate.errors import InputError, OutputError, StorageError, UsageError
from narrate.store import Store

from .conftest import run
from .test_metadata import jpeg, png


def test_formats_are_added_to_what_there_is_and_the_document_is_not_needed(
    store: Store, story: Path, narrated: studio.Delivered
) -> None:
    before = [path.stat().st_mtime_ns for path in narrated.chapters]
    story.unlink()
    done = studio.export(store, narrated.book_id, {"format": "m4b", "author": "Ann Author"})
    assert [path.suffix for path in done.files] == [".wav", ".m4b"]
    assert [path.stat().st_mtime_ns for path in done.chapters] == before
    assert "artist=Ann Author" in ffmpeg.describe(done.files[1])[1]
    book = studio.require_book(store, narrated.book_id)
    assert book.metadata.author == "Ann Author"
    assert (book.job or {})["format"] == "wav,m4b"


def test_chapters_that_were_removed_are_stitched_from_their_takes(
    store: Store, narrated: studio.Delivered
) -> None:
    content = [path.read_bytes() for path in narrated.chapters]
    for path in narrated.chapters:
        path.unlink()
    done = studio.export(store, narrated.book_id, {"format": "flac"})
    assert [path.read_bytes() for path in done.chapters] == content


def test_a_new_cover_and_another_level_reach_the_files(
    store: Store, narrated: studio.Delivered, tmp_path: Path
) -> None:
    (tmp_path / "c.png").write_bytes(png())
    cover = str(tmp_path / "c.png")
    done = studio.export(store, narrated.book_id, {"format": "mp3", "cover": cover})
    assert (done.folder / "cover.png").read_bytes() == png()
    (tmp_path / "c.png").unlink()
    before = [path.read_bytes() for path in done.chapters]
    again = studio.export(store, narrated.book_id, {"master": "none"})
    assert all(a != b.read_bytes() for a, b in zip(before, again.chapters, strict=True))
    assert store.cover(narrated.book_id) is not None


def test_a_cover_of_another_kind_leaves_none_of_the_old_one_behind(
    store: Store, narrated: studio.Delivered, tmp_path: Path
) -> None:
    (tmp_path / "c.png").write_bytes(png())
    (tmp_path / "c.jpg").write_bytes(jpeg(3))
    (narrated.folder / "cover.webp").write_bytes(b"the listener's own")
    for name in ("c.png", "c.jpg", "c.png"):
        studio.export(store, narrated.book_id, {"cover": str(tmp_path / name)})
        left = {path.name for path in narrated.folder.glob("cover.*")}
        assert left == {name.replace("c.", "cover."), "cover.webp"}


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"format": "aac"}, UsageError, "--format"),
        ({"cover": "no-such.png"}, InputError, "no-such.png"),
        ({"year": 0}, UsageError, "--year"),
    ],
)
def test_a_bad_request_changes_nothing(
    store: Store,
    narrated: studio.Delivered,
    changes: dict[str, object],
    kind: type[Exception],
    words: str,
) -> None:
    before = studio.require_book(store, narrated.book_id).job
    with pytest.raises(kind, match=words):
        studio.export(store, narrated.book_id, changes)
    assert studio.require_book(store, narrated.book_id).job == before


def test_a_book_that_is_half_spoken_gets_the_files_of_its_chapters(store: Store, job: Job) -> None:
    from dataclasses import replace

    half = run(store, replace(job, chapters="1"))
    done = studio.export(store, half.book_id, {"format": "flac,m4b"})
    assert [path.name for path in (done.folder / "flac").iterdir()] == ["01-the-lamp.flac"]
    assert not list(done.folder.glob("*.m4b"))


def test_a_take_that_is_gone_is_named_with_what_speaks_it_again(
    store: Store, story: Path, narrated: studio.Delivered
) -> None:
    [(_, key), *_] = store.chunks(narrated.book_id)
    store.takes.get([key])[key].audio_path.unlink()
    before = narrated.chapters[0].read_bytes()
    with pytest.raises(StorageError, match=f"narrate {story}"):
        studio.export(store, narrated.book_id, {"master": "none"})
    assert narrated.chapters[0].read_bytes() == before
    assert not list(narrated.folder.rglob("*.part"))


def test_without_ffmpeg_the_book_stays_as_it_is(
    store: Store, narrated: studio.Delivered, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import sys

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(OutputError, match="needs ffmpeg"):
        studio.export(store, narrated.book_id, {"format": "m4b"})


def test_a_book_is_found_by_its_name_its_document_and_its_folder(
    store: Store, story: Path, narrated: studio.Delivered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(story.parent)
    for name in (narrated.book_id, str(story), story.name, str(narrated.folder)):
        assert studio.book_called(store, name).id == narrated.book_id
    for find in (studio.book_called, studio.require_book):
        with pytest.raises(InputError, match=f"Known are: {narrated.book_id}"):
            find(store, "another")
    job = Job(str(story), str(story.parent / "elsewhere"))
    other = studio.plan_book(store, job).id
    assert {book.id for book in studio.books_called(store, str(story))} == {
        narrated.book_id,
        other,
    }
    with pytest.raises(UsageError, match=other):
        studio.book_called(store, str(story))
    assert studio.book_called(store, str(narrated.folder)).id == narrated.book_id
