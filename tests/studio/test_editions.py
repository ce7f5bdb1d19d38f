"""Formats of a book: made from its chapters, again only where something changed, never stale."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from narrate import studio
from narrate.audio import ffmpeg
from narrate.audio.pieces import pieces_of
from narrate.audio.tags import parse_marks
from narrate.config import Job
from narrate.errors import OutputError, StorageError, UsageError
from narrate.store import Output, Store
from narrate.studio.editions import editions
from tests.disk import SmallDisk

from .conftest import STORY, run
from .test_metadata import png

ALL = "wav,flac,mp3,m4b,opus"


def made(folder: Path) -> dict[str, int]:
    return {
        path.relative_to(folder).as_posix(): path.stat().st_mtime_ns
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".wav", ".flac", ".mp3", ".m4b", ".opus")
    }


def test_all_formats_come_from_the_same_chapters(store: Store, job: Job, tmp_path: Path) -> None:
    (tmp_path / "c.png").write_bytes(png())
    asked = replace(job, format=ALL, cover=str(tmp_path / "c.png"))
    delivered = run(store, asked)
    folder = delivered.folder
    assert list(made(folder)) == [
        "chapters/01-the-lamp.wav",
        "chapters/02-the-boat.wav",
        "flac/01-the-lamp.flac",
        "flac/02-the-boat.flac",
        "lighthouse.m4b",
        "lighthouse.opus",
        "lighthouse.wav",
        "mp3/01-the-lamp.mp3",
        "mp3/02-the-boat.mp3",
    ]
    names = ("lighthouse.wav", "flac", "mp3", "lighthouse.m4b", "lighthouse.opus")
    assert delivered.files == tuple(folder / name for name in names)
    assert (folder / "cover.png").read_bytes() == png()
    assert studio.finished(store, asked) == delivered
    chapters = [store.outputs(delivered.book_id)["chapter", n] for n in (1, 2)]
    assert {chapter.voice_hz for chapter in chapters} == {22_050}
    lengths = [round(1000 * one.samples / one.rate_hz) for one in chapters]
    [first, second] = parse_marks(ffmpeg.describe(folder / "lighthouse.m4b")[1])
    assert (first.title, second.title) == ("The lamp", "The boat")
    assert (first.start_ms, second.start_ms) == (0, lengths[0])
    assert second.end_ms == pytest.approx(sum(lengths), abs=1)


def test_what_is_there_is_not_made_again_and_a_title_makes_no_sound_anew(
    store: Store, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = replace(job, format="mp3,m4b,opus")
    folder = run(store, asked).folder
    before = made(folder)
    run(store, asked)
    assert made(folder) == before

    def never(*_: object) -> None:
        raise AssertionError("sound was encoded again")

    monkeypatch.setattr("narrate.studio.editions.encode", never)
    run(store, replace(asked, title="Another"))
    after = made(folder)
    assert after.keys() == before.keys()
    same = [name for name in after if after[name] == before[name]]
    assert same == ["chapters/01-the-lamp.wav", "chapters/02-the-boat.wav"]
    assert "title=Another" in ffmpeg.describe(folder / "lighthouse.m4b")[1]


def test_an_edit_makes_the_files_of_its_chapter_anew_and_no_stale_one_stays(
    store: Store, job: Job, story: Path
) -> None:
    asked = replace(job, format="flac,mp3,m4b")
    folder = run(store, asked).folder
    before = made(folder)
    story.write_text(STORY.replace("ninety steps", "eighty steps"))
    run(store, replace(job, format="mp3"))
    after = made(folder)
    kept = [name for name in after if after[name] == before[name]]
    assert kept == ["chapters/02-the-boat.wav", "flac/02-the-boat.flac", "mp3/02-the-boat.mp3"]
    assert set(before) - set(after) == {"flac/01-the-lamp.flac", "lighthouse.m4b"}


def test_a_file_of_the_user_s_under_an_old_name_is_not_removed(
    store: Store, job: Job, story: Path
) -> None:
    folder = run(store, replace(job, format="flac")).folder
    own = folder / "flac" / "01-the-lamp.flac"
    own.write_bytes(b"put here by hand")
    story.write_text(STORY.replace("The lamp", "The lantern"))
    run(store, replace(job, format="wav"))
    assert own.read_bytes() == b"put here by hand"


@pytest.mark.parametrize("share", [0.5, 1.7], ids=["in a piece", "where pieces are joined"])
def test_a_disk_that_fills_names_the_file_that_was_asked_for(
    share: float, store: Store, job: Job, small_disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_disk.resize(64 << 20)
    asked = replace(job, out=str(small_disk.path), format="m4b")
    folder = run(store, asked).folder
    room_bytes = round(share * (folder / "lighthouse.m4b").stat().st_size)
    (folder / "lighthouse.m4b").unlink()
    monkeypatch.setattr("narrate.studio.editions.pieces_of", partial(pieces_of, packets=200))
    small_disk.resize(shutil.disk_usage(small_disk.path).used + room_bytes)
    with pytest.raises(StorageError, match="disk is full") as caught:
        run(store, asked)
    assert caught.value.where == str(folder / "lighthouse.m4b")
    assert not list(folder.glob("*.m4b*"))


def test_an_m4b_in_pieces_is_as_exact_as_one_of_one_piece(
    store: Store, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = run(store, job).folder / "lighthouse.m4b.pieces"
    killed.mkdir()
    (killed / "00000.aac").write_bytes(b"left by a run that was killed")
    monkeypatch.setattr("narrate.studio.editions.pieces_of", partial(pieces_of, packets=200))
    delivered = studio.checked(run(store, replace(job, format="m4b")))
    assert delivered.findings == () and delivered.audio_s > 3 * 200 * 1024 / 44_100
    assert [path.name for path in delivered.folder.glob("*.m4b*")] == ["lighthouse.m4b"]


def chapter_of(store: Store, book_id: str, seconds: float, pauses: int) -> Output:
    """Say that the first chapter is that long, with as many pauses evenly in it."""
    real = store.outputs(book_id)["chapter", 1]
    step = round(seconds * 44_100 / (pauses + 1))
    marks = tuple((n * step, (n + 1) * step - 4410) for n in range(pauses + 1))
    return replace(real, samples=step * (pauses + 1), marks=marks)


def test_a_chapter_of_five_hours_becomes_mp3_files_of_less_than_two(
    store: Store, narrated: studio.Delivered
) -> None:
    book = studio.require_book(store, narrated.book_id)
    long = chapter_of(store, book.id, 5 * 3600, 999)
    parts = editions(store, book, ["mp3"], {1: long})
    assert [one.path.name for one in parts] == [f"01-the-lamp-part-{n}.mp3" for n in (1, 2, 3)]
    assert sum(one.samples for one in parts) == long.samples
    assert max(one.samples for one in parts) < 2 * 3600 * 44_100
    pauses = {(start + end) // 2 for (_, end), (start, _) in pairwise(long.marks)}
    assert {one.span[1] for one in parts[:-1] if one.span} <= pauses


def test_a_book_of_sixty_hours_becomes_three_m4b_files(
    store: Store, narrated: studio.Delivered
) -> None:
    book = studio.require_book(store, narrated.book_id)
    long = chapter_of(store, book.id, 30 * 3600, 99)
    short = chapter_of(store, book.id, 20 * 3600, 99)
    parts = editions(store, book, ["m4b"], {1: short, 2: long})
    assert [one.path.name for one in parts] == ["lighthouse-part-1.m4b", "lighthouse-part-2.m4b"]


@pytest.mark.parametrize("words", ["", "aac", "mp3,,m4b"])
def test_an_unknown_format_is_refused(job: Job, words: str) -> None:
    with pytest.raises(UsageError, match=r"--format.*wav, flac, mp3"):
        replace(job, format=words)


def test_without_ffmpeg_nothing_is_spoken_for_a_format_that_needs_it(
    store: Store, job: Job, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import sys

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(OutputError, match="--format m4b needs ffmpeg"):
        run(store, replace(job, format="wav,m4b"))
    assert not (tmp_path / "out").exists()
    assert run(store, replace(job, format="wav,flac")).files


def test_another_level_stitches_anew_and_speaks_nothing(
    store: Store, job: Job, narrated: studio.Delivered
) -> None:
    before = made(narrated.folder)
    asked = replace(job, master="none")
    assert studio.finished(store, asked) is None
    spoken: list[str] = []
    run(store, asked, spoken)
    after = made(narrated.folder)
    assert not spoken and after.keys() == before.keys()
    assert all(after[name] != before[name] for name in after)
    assert studio.finished(store, asked) is not None


def test_a_level_that_is_unknown_is_refused(job: Job) -> None:
    with pytest.raises(UsageError, match=r"--master.*acx, podcast, none"):
        replace(job, master="loud")
