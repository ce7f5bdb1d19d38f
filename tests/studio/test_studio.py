"""A document becomes an audiobook, and a second run does only what is left to do."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from narrate import studio
from narrate.apart import Stop
from narrate.audio.mastering import MASTERS
from narrate.audio.prepared import Part
from narrate.audio.stitch import CHAPTER_RATE_HZ, master_chapter
from narrate.config import Job, Settings
from narrate.errors import (
    BackendError,
    BusyError,
    InputError,
    NarrateError,
    OutputError,
    StorageError,
    UsageError,
)
from narrate.store import Store
from narrate.studio.abreast import abreast
from narrate.studio.plan import find_book
from narrate.studio.stitch import CHAPTER
from tests.disk import SmallDisk

from .conftest import STORY, run


def samples(path: Path) -> np.ndarray:
    read: np.ndarray
    read, rate_hz = soundfile.read(path, dtype="int16")
    assert rate_hz == CHAPTER_RATE_HZ
    return read


def test_the_book_is_its_chapters_one_after_the_other(narrated: studio.Delivered) -> None:
    assert [path.name for path in narrated.chapters] == ["01-the-lamp.wav", "02-the-boat.wav"]
    assert narrated.wav == narrated.folder / "lighthouse.wav"
    joined = np.concatenate([samples(path) for path in narrated.chapters])
    np.testing.assert_array_equal(samples(narrated.wav), joined)
    assert narrated.audio_s == pytest.approx(len(joined) / CHAPTER_RATE_HZ)


def test_chapters_that_are_stitched_side_by_side_are_the_same(
    store: Store, job: Job, story: Path, narrated: studio.Delivered
) -> None:
    story.write_text(
        "# Ten\n\n" + "".join(f"## Part {n}\n\nBell {n} rings.\n\n" for n in range(10))
    )
    made = run(store, replace(job, force=True))
    alone = {path.name: path.read_bytes() for path in made.chapters}
    assert len(alone) == 10
    for number in range(1, 11):
        store.drop_output(made.book_id, CHAPTER, number)
    abreast([partial(_stitch_one, made.book_id, number) for number in range(1, 11)])
    assert {path.name: path.read_bytes() for path in made.chapters} == alone


def test_a_long_chapter_made_in_another_process_is_the_same_as_made_here(
    store: Store, job: Job, story: Path, tmp_path: Path
) -> None:
    story.write_text("# Long\n\n" + "The lamp on the rock is lit every evening at six. " * 40)
    made = run(store, job)
    assert made.audio_s > 90
    takes = store.takes.get(key for _, key in store.chunks(made.book_id))
    parts = [
        Part(takes[line.take_key].audio_path, line.pause_after_s)
        for line in store.outline(made.book_id)
    ]
    inputs = store.outputs(made.book_id)[CHAPTER, 1].inputs
    here = master_chapter(parts, tmp_path / "here.wav", MASTERS["acx"], int(inputs[:8], 16))
    assert here.path.read_bytes() == made.chapters[0].read_bytes()
    assert studio.check(made.folder).good


def _stitch_one(book_id: str, number: int, stop: Stop) -> None:
    with Store(Settings.from_environment()) as mine:
        studio.stitch(mine, book_id, number, stop)


def test_the_manifest_tells_what_is_there(narrated: studio.Delivered) -> None:
    facts = json.loads((narrated.folder / "book.json").read_text())
    assert facts["title"] == "The Lighthouse"
    assert [part["title"] for part in facts["chapters"]] == ["The lamp", "The boat"]
    assert all((narrated.folder / part["file"]).exists() for part in facts["chapters"])


def test_a_rerun_changes_nothing(store: Store, job: Job, narrated: studio.Delivered) -> None:
    before = {path: path.stat().st_mtime_ns for path in narrated.folder.rglob("*.wav")}
    said: list[str] = []
    assert run(store, job, said) == narrated
    assert said == []
    assert {path: path.stat().st_mtime_ns for path in narrated.folder.rglob("*.wav")} == before
    assert studio.finished(store, job) == narrated


def test_an_inserted_sentence_is_the_only_thing_spoken(
    store: Store, job: Job, story: Path, narrated: studio.Delivered
) -> None:
    first, second = (samples(path) for path in narrated.chapters)
    story.write_text(STORY.replace("Nobody sat in it.", "Nobody sat in it. The oars were wet."))
    said: list[str] = []
    again = run(store, job, said)
    assert 1 <= len(said) <= 2 and any("oars" in words for words in said)
    np.testing.assert_array_equal(samples(again.chapters[0]), first)
    assert len(samples(again.chapters[1])) > len(second)


def test_a_changed_lexicon_speaks_only_what_it_touches(
    store: Store, job: Job, home: Path, tmp_path: Path, narrated: studio.Delivered
) -> None:
    words = home / "lexicon.tsv"
    words.write_text("gulls\tgullz\n")
    said: list[str] = []
    run(store, job, said)
    assert len(said) == 2 and all("gullz" in line for line in said)
    named = tmp_path / "words.tsv"
    named.write_text("gulls\tgullz\noars\tores\n")
    said.clear()
    run(store, replace(job, lexicon=str(named)), said)
    assert said == []
    words.unlink()
    run(store, job, said)
    assert said == []


def test_numbers_left_to_the_voice_are_spoken_anew_and_nothing_else(
    store: Store, job: Job, narrated: studio.Delivered
) -> None:
    story = Path(job.document)
    story.write_text(STORY.replace("ninety steps", "90 steps"))
    said: list[str] = []
    run(store, job, said)
    assert said == []
    run(store, replace(job, read_as_written=True), said)
    assert len(said) == 1 and "90 steps" in said[0]


@pytest.mark.parametrize("harm", ["unlink", "truncate", "flip"])
def test_a_take_that_was_harmed_is_spoken_again_and_the_run_says_so(
    store: Store, job: Job, narrated: studio.Delivered, harm: str
) -> None:
    whole = narrated.wav.read_bytes() if narrated.wav else b""
    (_, key) = store.chunks(narrated.book_id)[2]
    path = store.takes.get([key])[key].audio_path
    content = bytearray(path.read_bytes())
    if harm == "unlink":
        path.unlink()
    elif harm == "truncate":
        path.write_bytes(content[: len(content) // 2])
    else:
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
    assert studio.finished(store, job) is None
    notes: list[str] = []
    list(studio.speak(store, narrated.book_id, lambda now: notes.extend(now.notes)))
    assert any(key[:12] in note and "spoken again" in note for note in notes)
    again = run(store, job)
    assert again.wav and again.wav.read_bytes() == whole


def test_damage_that_shows_first_in_stitching_names_the_take_and_the_next_run_mends_it(
    store: Store, job: Job, narrated: studio.Delivered
) -> None:
    whole = narrated.wav.read_bytes() if narrated.wav else b""
    (_, key) = store.chunks(narrated.book_id, [1])[0]
    store.takes.get([key])[key].audio_path.write_bytes(b"noise")
    narrated.chapters[0].unlink()
    with pytest.raises(StorageError, match=key[:12]):
        studio.stitch(store, narrated.book_id, 1)
    again = run(store, job)
    assert again.wav and again.wav.read_bytes() == whole


def test_a_wav_that_was_deleted_or_changed_is_stitched_again(
    store: Store, job: Job, narrated: studio.Delivered
) -> None:
    assert narrated.wav
    contents = {path: path.read_bytes() for path in narrated.folder.rglob("*.wav")}
    narrated.chapters[0].unlink()
    narrated.wav.write_bytes(b"not a recording")
    assert studio.finished(store, job) is None
    said: list[str] = []
    run(store, job, said)
    assert said == []
    assert {path: path.read_bytes() for path in narrated.folder.rglob("*.wav")} == contents


def test_chapters_that_vanish_from_the_document_vanish_from_the_folder(
    store: Store, job: Job, story: Path, narrated: studio.Delivered
) -> None:
    story.write_text(STORY[: STORY.index("## The boat")] + "## The end\n\nThat was all.\n")
    again = run(store, job)
    there = sorted(path.name for path in (again.folder / "chapters").iterdir())
    assert there == ["01-the-lamp.wav", "02-the-end.wav"]


def test_a_selection_speaks_only_its_chapters_and_leaves_the_book_for_later(
    store: Store, job: Job
) -> None:
    some = run(store, replace(job, chapters="2"))
    assert [path.name for path in some.chapters] == ["02-the-boat.wav"]
    assert some.wav is None and some.of_chapters == 2
    said: list[str] = []
    assert run(store, job, said).wav is not None
    assert said and not any("boat" in words for words in said)


def test_a_selection_beyond_the_book_is_refused_before_anything_is_spoken(
    store: Store, job: Job
) -> None:
    with pytest.raises(UsageError, match="no chapter 7: the book has 2"):
        run(store, replace(job, chapters="1,7"))
    assert not list(store.takes.folder.rglob("*.flac"))


def test_another_speed_is_other_takes_and_the_first_ones_stay(
    store: Store, job: Job, narrated: studio.Delivered
) -> None:
    faster = run(store, replace(job, speed=1.5))
    assert faster.audio_s < 0.85 * narrated.audio_s
    said: list[str] = []
    assert run(store, job, said).audio_s == narrated.audio_s
    assert said == []


def test_another_seed_changes_nothing_where_the_voice_has_no_chance_in_it(
    store: Store, job: Job, narrated: studio.Delivered
) -> None:
    said: list[str] = []
    run(store, replace(job, seed=9), said)
    assert said == []


def test_force_speaks_everything_again(store: Store, job: Job, narrated: studio.Delivered) -> None:
    whole = narrated.wav.read_bytes() if narrated.wav else b""
    before = {path: path.stat().st_ino for path in store.takes.folder.rglob("*.flac")}
    again = run(store, replace(job, force=True))
    after = {path: path.stat().st_ino for path in store.takes.folder.rglob("*.flac")}
    assert after.keys() == before.keys()
    assert again.wav and again.wav.read_bytes() == whole


def test_force_leaves_what_another_run_is_about_to_read(
    store: Store, job: Job, tmp_path: Path
) -> None:
    """The same words in two books are the same takes: a run of each, one of them with force."""
    other = replace(job, out=str(tmp_path / "other"))
    book = studio.plan_book(store, other)
    with store.leases.hold(book.id):
        spoken = list(studio.speak(store, book.id, lambda _: None))
        with pytest.raises(BusyError, match=f"process {os.getpid()} .*{book.id}"):
            studio.plan_book(store, replace(job, force=True), fresh=True)
        assert [studio.stitch(store, book.id, chapter).number for chapter in spoken] == [1, 2]
    assert run(store, replace(job, force=True)).wav


def test_a_chapter_that_has_gone_since_it_was_stitched_is_missed(store: Store, job: Job) -> None:
    book = studio.plan_book(store, job)
    wavs = [studio.stitch(store, book.id, n).path for n in studio.speak(store, book.id, print)]
    assert studio.deliver(store, book.id).with_all(wavs).wav
    wavs[0].unlink()
    with pytest.raises(OutputError, match=f"1 of the chapters .*{wavs[0].name}"):
        studio.deliver(store, book.id).with_all(wavs)


def test_two_documents_of_one_name_get_two_folders(store: Store, job: Job, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "lighthouse.md"
    other.parent.mkdir()
    other.write_text("# Another\n\nAnother story altogether.\n")
    first, second = run(store, job), run(store, replace(job, document=str(other)))
    assert first.folder != second.folder
    assert first.wav and first.wav.exists()


def test_a_folder_with_foreign_files_is_not_written_to_unless_forced(
    store: Store, job: Job, tmp_path: Path
) -> None:
    folder = tmp_path / "out" / "lighthouse"
    folder.mkdir(parents=True)
    (folder / "lighthouse.wav").write_bytes(b"a recording of my grandmother")
    with pytest.raises(OutputError, match="not made from this document"):
        run(store, job)
    assert (folder / "lighthouse.wav").read_bytes() == b"a recording of my grandmother"
    assert run(store, replace(job, force=True)).wav == folder / "lighthouse.wav"


def test_a_folder_that_was_begun_on_a_full_disk_is_still_our_own(
    store: Store, job: Job, small_disk: SmallDisk
) -> None:
    job = replace(job, out=str(small_disk.path))
    filler = small_disk.path / "filler"
    with pytest.raises(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    with pytest.raises(NarrateError):
        studio.plan_book(store, job)
    filler.unlink()
    assert studio.plan_book(store, job).folder.exists()


def test_a_pipe_is_refused_and_not_waited_for(store: Store, job: Job, tmp_path: Path) -> None:
    pipe = tmp_path / "a.txt"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="ordinary"):
        find_book(store, replace(job, document=str(pipe)))


def test_a_survey_writes_nothing_and_knows_what_is_cached(
    store: Store, job: Job, tmp_path: Path
) -> None:
    before = studio.survey(store, job)
    assert (before.chapters, before.cached) == (2, 0) and before.chunks > 4
    assert not (tmp_path / "out").exists() and store.books() == []
    made = run(store, job)
    after = studio.survey(store, job)
    assert after.cached == after.chunks == before.chunks
    assert after.audio_s == pytest.approx(made.audio_s, rel=0.25)


@pytest.mark.parametrize("forms", ["wav,flac", "mp3,m4b,epub3", "opus,srt"])
def test_a_survey_knows_what_the_disk_must_hold(
    store: Store, job: Job, home: Path, forms: str
) -> None:
    job = replace(job, format=forms)
    made = run(store, job)
    files = [*made.folder.rglob("*"), *(home / "takes").rglob("*")]
    held = sum(path.stat().st_size for path in files if path.is_file())
    assert studio.survey(store, job).disk_bytes == pytest.approx(held, rel=0.2)


def test_a_language_that_the_voice_lacks_is_refused_before_speaking(store: Store, job: Job) -> None:
    with pytest.raises(BackendError, match="tlh"):
        run(store, replace(job, language="tlh"))


def test_repeated_words_are_spoken_once(store: Store, job: Job, story: Path) -> None:
    story.write_text("# Echo\n\nHello there.\n\nHello there.\n\nHello there.\n")
    said: list[str] = []
    made = run(store, job, said)
    assert said.count("Hello there.") == 3  # three chunks ...
    assert len(list(store.takes.folder.rglob("*.flac"))) == 2  # ... but two recordings
    assert made.wav


def test_takes_are_shared_between_books(store: Store, job: Job, tmp_path: Path) -> None:
    run(store, job)
    copy = tmp_path / "copy.md"
    copy.write_text(STORY)
    said: list[str] = []
    run(store, replace(job, document=str(copy)), said)
    assert said == []


def test_a_book_that_was_found_keeps_its_name(store: Store, job: Job) -> None:
    run(store, job)
    assert find_book(store, job).book.id == "lighthouse"


def test_the_timeline_says_where_each_chunk_is_heard(
    store: Store, narrated: studio.Delivered
) -> None:
    facts = json.loads((narrated.folder / "timeline.json").read_text())
    assert json.loads((narrated.folder / "book.json").read_text())["timeline"] == "timeline.json"
    planned = [chunk.text for chunk, _ in store.chunks(narrated.book_id)]
    told = [chunk for part in facts["chapters"] for chunk in part["chunks"]]
    assert [chunk["text"] for chunk in told] == planned
    for part, path in zip(facts["chapters"], narrated.chapters, strict=True):
        sound = np.abs(samples(path).astype(np.float32))
        assert part["samples"] == len(sound)
        place = 0
        for chunk in part["chunks"]:
            # quiet between chunks, speech in them
            assert sound[place : chunk["start"]].max(initial=0) < 100 if place else True
            assert sound[chunk["start"] : chunk["end"]].max() > 1000
            spans = [tuple(span[:2]) for span in chunk["sentences"]]
            assert spans[0][0] == chunk["start"] and spans[-1][1] == chunk["end"]
            assert all(a[1] == b[0] for a, b in itertools.pairwise(spans))
            place = chunk["end"]


def test_a_timeline_is_kept_by_runs_that_stitch_nothing(
    store: Store, job: Job, narrated: studio.Delivered
) -> None:
    path = narrated.folder / "timeline.json"
    before = path.read_bytes()
    path.unlink()
    studio.deliver(store, narrated.book_id)
    assert path.read_bytes() == before
