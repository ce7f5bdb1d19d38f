"""The file: its two forms, and what happens when it cannot be written."""

import os
import resource
import signal
import subprocess
import sys
import wave
from contextlib import ExitStack

import numpy as np
import pytest
import soundfile

from narrate.audio.stitch import join_book, stitch_chapter
from narrate.audio.wav import WavWriter, wav_bytes
from narrate.errors import OutputError, StorageError
from tests.disk import small_disk

from .conftest import tone

SAMPLES = np.arange(-3000, 3000, dtype=np.int16)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write(path, **options):
    with WavWriter(path, 44_100, **options) as wav:
        wav.write(SAMPLES[:2500])
        wav.write(SAMPLES[2500:])
    return path


def test_a_small_file_is_plain_riff_that_the_standard_library_reads(tmp_path):
    path = write(tmp_path / "a.wav")
    assert path.read_bytes()[:4] == b"RIFF"
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 44_100)
        assert file.readframes(9000) == SAMPLES.tobytes()


def test_past_the_limit_it_is_rf64_with_the_same_samples(tmp_path):
    path = write(tmp_path / "a.wav", limit_bytes=10_000)
    assert path.read_bytes()[:4] == b"RF64"
    info = soundfile.info(path)
    assert (info.format, info.frames) == ("RF64", len(SAMPLES))
    samples, rate_hz = soundfile.read(path, dtype="int16")
    assert rate_hz == 44_100
    assert np.array_equal(samples, SAMPLES)


@pytest.mark.parametrize(("spare", "kind"), [(0, b"RIFF"), (-1, b"RF64")])
def test_the_limit_is_the_size_of_the_file(tmp_path, spare, kind):
    limit = wav_bytes(len(SAMPLES) / 44_100) + spare
    assert write(tmp_path / "a.wav", limit_bytes=limit).read_bytes()[:4] == kind


def test_a_file_of_more_than_4_gb_reads_to_its_end(tmp_path):
    path = tmp_path / "a.wav"
    block, last = np.zeros(1 << 26, np.int16), np.array([11, 22, 33], np.int16)
    with WavWriter(path, 44_100) as wav:
        wav.write(SAMPLES)
        wav._file.flush()
        # a hole instead of 4 GB of writing: only the count and the place of the end matter
        blocks = 33
        os.truncate(
            path.with_name("a.wav.part"), wav_bytes(0) + 2 * (len(SAMPLES) + blocks * len(block))
        )
        wav._file.seek(0, os.SEEK_END)
        wav.samples += blocks * len(block)
        wav.write(last)
    with soundfile.SoundFile(path) as file:
        assert file.format == "RF64"
        assert file.frames == len(SAMPLES) + 33 * len(block) + 3 > 2**31
        file.seek(-3, soundfile.SEEK_END)
        assert file.read(dtype="int16").tolist() == [11, 22, 33]


def test_stitched_and_joined_past_the_limit_still_holds_the_same_samples(tmp_path, part):
    parts = [part(tone(0.5))]
    small = stitch_chapter(parts, tmp_path / "a.wav", seed=1)
    large = stitch_chapter(parts, tmp_path / "b.wav", seed=1, limit_bytes=1000)
    book = join_book([small.path, large.path], tmp_path / "book.wav", limit_bytes=1000)
    a, b, both = (soundfile.read(done.path)[0] for done in (small, large, book))
    assert soundfile.info(book.path).format == "RF64"
    assert np.array_equal(a, b)
    assert np.array_equal(both, np.concatenate([a, b]))


def test_an_error_inside_leaves_the_old_file_and_no_other(tmp_path):
    path = write(tmp_path / "a.wav")
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt), WavWriter(path, 44_100) as wav:
        wav.write(SAMPLES)
        raise KeyboardInterrupt
    assert path.read_bytes() == before
    assert names(tmp_path) == ["a.wav"]


def test_nothing_is_there_under_the_final_name_before_the_end(tmp_path):
    path = tmp_path / "deep" / "er" / "a.wav"
    with WavWriter(path, 44_100) as wav:
        wav.write(SAMPLES)
        assert not path.exists()
    assert path.exists()


def test_what_a_killed_run_left_is_written_over(tmp_path):
    (tmp_path / "a.wav.part").write_bytes(b"x" * 100_000)
    path = write(tmp_path / "a.wav")
    assert path.stat().st_size == wav_bytes(len(SAMPLES) / 44_100)
    assert names(tmp_path) == ["a.wav"]


# two parts fit into the writer's buffer: the disk is found full at the last flush, not before
@pytest.mark.parametrize(("size", "parts"), [(64 << 10, 2), (256 << 10, 2), (4 << 20, 40)])
def test_a_full_disk_is_said_so_and_nothing_half_written_stays(tmp_path, part, size, parts):
    takes = [part(tone(2))] * parts
    with small_disk(tmp_path / "disk", size) as disk:
        out = disk.path / "c.wav"
        with pytest.raises(StorageError, match="the disk is full") as caught:
            stitch_chapter(takes, out, seed=1)
        assert caught.value.where == str(out)
        assert caught.value.remedy
        assert names(disk.path) == []
        chapter = stitch_chapter(takes, tmp_path / "c.wav", seed=1)
        with pytest.raises(StorageError, match="the disk is full"):
            join_book([chapter.path], out)
        assert names(disk.path) == []


def test_a_file_size_limit_is_an_error_with_a_reason(tmp_path):
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, old[1]))
    try:
        with pytest.raises(StorageError, match="too large"):
            write(tmp_path / "a.wav")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)
    assert names(tmp_path) == []


def test_a_file_in_the_place_of_the_folder_is_an_output_error(tmp_path):
    (tmp_path / "outputs").write_text("not a folder")
    with pytest.raises(OutputError, match="is a file"):
        write(tmp_path / "outputs" / "a.wav")


def test_a_folder_in_the_place_of_the_file_is_an_output_error(tmp_path):
    (tmp_path / "a.wav").mkdir()
    with pytest.raises(OutputError, match="a folder stands"):
        write(tmp_path / "a.wav")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX permissions")
def test_a_folder_without_permission_is_an_output_error(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    if os.geteuid() == 0:
        attempt = (
            "import os, sys\nfrom pathlib import Path\n"
            "from narrate.audio.wav import WavWriter\nfrom narrate.errors import OutputError\n"
            "os.seteuid(65534)\n"
            "try:\n    WavWriter(Path(sys.argv[1]), 44100)\n"
            "except OutputError as error:\n    print(error)\n"
        )
        for parent in (tmp_path, *tmp_path.parents[:2]):
            parent.chmod(0o755)
        said = subprocess.run(
            [sys.executable, "-c", attempt, str(folder / "a.wav")],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert "no permission" in said
    else:
        with pytest.raises(OutputError, match="no permission"):
            write(folder / "a.wav")


@pytest.mark.parametrize("content", [b"", b"not a wave file at all", None])
def test_a_chapter_that_is_no_wave_file_is_named(tmp_path, content):
    path = tmp_path / "c.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StorageError, match="cannot be used") as caught:
        join_book([path], tmp_path / "book.wav")
    assert caught.value.where == str(path)
    assert not (tmp_path / "book.wav").exists()


def test_chapters_of_two_rates_are_not_joined(tmp_path):
    write(tmp_path / "a.wav")
    soundfile.write(tmp_path / "b.wav", SAMPLES, 22_050, subtype="PCM_16")
    with pytest.raises(StorageError, match="22050 Hz, not 44100"):
        join_book([tmp_path / "a.wav", tmp_path / "b.wav"], tmp_path / "book.wav")
    assert not list(tmp_path.glob("book*"))


@pytest.mark.parametrize("fails", [False, True])
def test_who_stood_still_leaves_alone_what_another_has_begun_meanwhile(tmp_path, fails):
    path = tmp_path / "a.wav"
    path.write_bytes(b"")
    with ExitStack() as stack:
        with (
            pytest.raises(ZeroDivisionError if fails else OutputError) as told,
            WavWriter(path, 44_100) as slept,
        ):
            slept.write(SAMPLES)
            another = stack.enter_context(WavWriter(path, 44_100))
            another.write(SAMPLES[:20])
            if fails:
                raise ZeroDivisionError
        assert fails or "another process" in str(told.value)
        assert names(tmp_path) == ["a.wav", "a.wav.part"]
        another.write(SAMPLES[20:100])
    assert names(tmp_path) == ["a.wav"]
    with wave.open(str(path)) as file:
        assert file.readframes(9000) == SAMPLES[:100].tobytes()
