"""The check of finished files: a good book is good, and every planted fault is found and named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from narrate import studio
from narrate.audio import ffmpeg
from narrate.audio.encode import Labels, encode, relabel
from narrate.audio.tags import Mark, parse_marks
from narrate.config import Job, Settings
from narrate.errors import InputError
from narrate.store import Store

from .conftest import STORY, run

RATE_HZ = 44_100
Samples = NDArray[np.int16]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a finished book in four formats, made once."""
    place = tmp_path_factory.mktemp("finished")
    (place / "lighthouse.md").write_text(STORY)
    job = Job(str(place / "lighthouse.md"), str(place / "out"), format="wav,mp3,m4b,opus")
    settings = Settings.from_environment({"NARRATE_HOME": str(place / "home")})
    with Store(settings) as store:
        return run(store, job).folder


@pytest.fixture
def book(finished: Path, tmp_path: Path) -> Path:
    """Give a copy of it to spoil."""
    return Path(shutil.copytree(finished, tmp_path / finished.name))


def faults(folder: Path) -> list[str]:
    return studio.check(folder).all_faults()


def test_a_finished_book_is_good_in_every_format(book: Path) -> None:
    verdict = studio.check(book)
    assert verdict.good, verdict.all_faults()
    assert {one.path.suffix for one in verdict.files} == {".wav", ".mp3", ".m4b", ".opus"}
    whole = next(one for one in verdict.files if one.path.suffix == ".m4b")
    assert [row.chapter for row in whole.rows] == ["The lamp", "The boat"]
    assert json.loads(json.dumps(verdict.as_values()))["good"] is True


def test_a_file_is_measured_alike_wherever_its_blocks_end(book: Path) -> None:
    path = book / "chapters" / "01-the-lamp.wav"
    samples, _ = soundfile.read(path, dtype="float32")
    samples[(1 << 19) - 3] += 0.3  # a block ends there
    soundfile.write(path, samples, RATE_HZ, subtype="PCM_16")
    [row] = studio.check(path).files[0].rows
    assert row.heard.clicks == (round(((1 << 19) - 3) / RATE_HZ, 4),)


def with_click(samples: Samples) -> Samples:
    pause = len(samples) - RATE_HZ  # in the tail
    samples[pause] += 9000
    return samples


def with_zeros(samples: Samples) -> Samples:
    samples[-RATE_HZ : -RATE_HZ // 2] = 0
    return samples


def with_hole(samples: Samples) -> Samples:
    middle = len(samples) // 2
    quiet = (np.random.default_rng(1).standard_normal(3 * RATE_HZ) * 8).astype(np.int16)
    return np.concatenate([samples[:middle], quiet, samples[middle:]])


def clipped(samples: Samples) -> Samples:
    middle = slice(4 * RATE_HZ, 5 * RATE_HZ)
    samples[middle] = np.clip(samples[middle].astype(np.int32) * 12, -32_768, 32_767)
    return samples


def quiet(samples: Samples) -> Samples:
    return samples // 2


def noisy(samples: Samples) -> Samples:
    noise = np.random.default_rng(1).standard_normal(len(samples)) * 100
    return (samples + noise).astype(np.int16)


def without_head(samples: Samples) -> Samples:
    return samples[round(0.7 * RATE_HZ) :]


PLANTED: dict[str, tuple[Callable[[Samples], Samples], str]] = {
    "a click": (with_click, "1 clicks"),
    "a zero run": (with_zeros, "digital silence of 0."),
    "a hole of three seconds": (with_hole, "a hole of "),
    "a clipped take": (clipped, "peak"),
    "a level too low": (quiet, "RMS -2"),
    "a floor too high": (noisy, "floor -5"),
    "a missing head": (without_head, "head of 0."),
}


@pytest.mark.parametrize("form", ["wav", "mp3", "m4b"])
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found_in_the_encoded_file(name: str, form: str, book: Path) -> None:
    plant, words = PLANTED[name]
    samples, rate_hz = soundfile.read(book / "chapters/01-the-lamp.wav", dtype="int16")
    bad = plant(samples.copy())
    one = {"wav": "chapters/01-the-lamp.wav", "mp3": "mp3/01-the-lamp.mp3", "m4b": "other.m4b"}[
        form
    ]
    if form == "wav":
        soundfile.write(book / one, bad, rate_hz, subtype="PCM_16")
    else:
        encode(form, [bad], rate_hz, book / one, Labels({}), voice_hz=22_050)
    found = faults(book / one)
    assert any(words in fault for fault in found), found


def test_a_file_of_48_khz_and_one_of_a_varying_bit_rate_are_found(book: Path) -> None:
    source = book / "chapters/01-the-lamp.wav"
    for target, options in (
        ("01-the-lamp", ["-ar", "48000", "-b:a", "192k"]),
        ("02-the-boat", ["-q:a", "2"]),
    ):
        options = ["-map", "0:a", "-c:a", "libmp3lame", *options, "-f", "mp3"]
        ffmpeg.convert(None, [source], options, book / f"mp3/{target}.mp3")
    found = faults(book)
    assert any("01-the-lamp.mp3: 48000 Hz, not 44100" in one for one in found)
    assert any("02-the-boat.mp3: no constant bit rate" in one for one in found)
    assert any("02-the-boat.mp3" in one and "takes and pauses" in one for one in found)


def test_swapped_and_moved_chapter_marks_are_found(book: Path) -> None:
    path = book / "lighthouse.m4b"
    one, two = parse_marks(ffmpeg.describe(path)[1])
    swapped = (replace(one, title=two.title), replace(two, title=one.title))
    relabel("m4b", path, path, Labels({}, swapped))
    assert any("chapter mark 1 is 'The boat', not 'The lamp'" in fault for fault in faults(book))
    moved = (replace(one, end_ms=one.end_ms - 900), replace(two, start_ms=two.start_ms - 900))
    relabel("m4b", path, path, Labels({}, moved))
    assert any(f"chapter mark 2 at {two.start_ms - 900} ms" in fault for fault in faults(book))
    relabel("m4b", path, path, Labels({}, (Mark(0, two.end_ms, "all"),)))
    assert any("1 chapter marks, not 2" in fault for fault in faults(book))


@pytest.mark.parametrize("names", [("one", "two"), ("CD1/01", "CD2/01")])
def test_chapters_of_different_levels_are_found(names: tuple[str, str], tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    for name, level in zip(names, (2600, 3600), strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        speech = random.standard_normal(40 * RATE_HZ) * level
        speech[: RATE_HZ * 3 // 4] /= 1000
        speech[-2 * RATE_HZ :] /= 1000
        samples = np.clip(speech, -20_000, 20_000).astype(np.int16)
        soundfile.write(tmp_path / f"{name}.flac", samples, RATE_HZ)
    [fault] = faults(tmp_path)
    low, high = (f"{name}.flac" for name in names)
    assert f"differ in level: {low} -" in fault and f", {high} -" in fault


def test_a_folder_of_others_is_measured_by_the_rules_of_acx(tmp_path: Path) -> None:
    t = np.arange(3 * 48_000) / 48_000
    soundfile.write(tmp_path / "theirs.mp3", 0.9 * np.sin(2 * np.pi * 300 * t), 48_000)
    found = " ".join(faults(tmp_path))
    for words in ("48000 Hz", "peak -0", "head of 0.0", "tail of 0", "floor"):
        assert words in found, found


def test_a_folder_without_audio_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "cover.jpg").write_bytes(b"no audio")
    with pytest.raises(InputError, match="no audio here"):
        studio.check(tmp_path)


def test_discs_whose_files_are_called_the_same_are_told_apart(tmp_path: Path) -> None:
    for disc, rate_hz in (("CD1", 8_000), ("CD2", 16_000)):
        (tmp_path / disc / "folder.mp3").mkdir(parents=True)
        soundfile.write(tmp_path / disc / "01.FLAC", np.zeros(rate_hz, np.int16), rate_hz)
        (tmp_path / disc / "._01.FLAC").write_bytes(b"put there by a system")
    found = faults(tmp_path)
    assert "CD1/01.FLAC: 8000 Hz, not 44100" in found and "CD2/01.FLAC: 16000 Hz" in str(found)
    assert len(studio.check(tmp_path).files) == 2


def test_a_damaged_account_of_the_book_is_said_in_words(book: Path) -> None:
    facts = json.loads((book / "book.json").read_text())
    (book / "book.json").write_text(json.dumps(facts | {"files": [{"file": "a.mp3"}]}))
    with pytest.raises(InputError, match=r"damaged.*book\.json"):
        studio.check(book)


@pytest.mark.parametrize("content", [b"", b"no audio at all"])
def test_a_damaged_file_is_a_fault_and_the_others_are_heard(content: bytes, book: Path) -> None:
    (book / "mp3/01-the-lamp.mp3").write_bytes(content)
    (book / "mp3/cover.txt").write_text("no audio, and not meant to be")
    [fault] = faults(book / "mp3")
    assert fault.startswith("01-the-lamp.mp3: this is no audio file that can be read; ")


def test_missing_files_are_named(book: Path) -> None:
    for name in ("mp3/02-the-boat.mp3", "lighthouse.opus", "lighthouse.wav"):
        (book / name).unlink()
    assert sorted(faults(book)) == [
        "lighthouse.opus is missing",
        "lighthouse.wav is missing",
        "mp3/02-the-boat.mp3 is missing",
    ]


def test_a_whole_that_is_not_its_chapters_is_found(book: Path) -> None:
    samples, rate_hz = soundfile.read(book / "lighthouse.wav", dtype="int16")
    soundfile.write(book / "lighthouse.wav", samples[:-rate_hz], rate_hz, subtype="PCM_16")
    [fault] = faults(book)
    assert fault.startswith("lighthouse.wav: ") and "takes and pauses" in fault


def test_digital_silence_at_the_end_is_found_in_every_format(book: Path) -> None:
    samples, rate_hz = soundfile.read(book / "chapters/01-the-lamp.wav", dtype="int16")
    samples[-round(0.8 * rate_hz) :] = 0
    for name, path in (("mp3", "mp3/01-the-lamp.mp3"), ("m4b", "theirs.m4b")):
        encode(name, [samples], rate_hz, book / path, Labels({}))
        assert any("digital silence of 0." in fault for fault in faults(book / path)), name


def test_a_chapter_whose_mark_lies_past_the_end_has_no_sound(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).standard_normal(3 * RATE_HZ) * 2000
    marks = (Mark(0, 2000, "one"), Mark(2000, 60_000, "two"), Mark(60_000, 90_000, "three"))
    path = tmp_path / "theirs.m4b"
    encode("m4b", [noise.astype(np.int16)], RATE_HZ, path, Labels({}, marks))
    rows = studio.check(path).files[0].rows
    assert [row.chapter for row in rows] == ["one", "two", "three"]
    assert rows[2].faults == ("no sound: the file ends before it",)


def test_without_ffmpeg_wav_and_mp3_are_still_measured(
    book: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import sys

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    for name in ("chapters/01-the-lamp.wav", "mp3/01-the-lamp.mp3"):
        assert studio.check(book / name).good, studio.check(book / name).all_faults()
