"""Files that players know: what is in them, how exact their marks are, how writing them fails."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import mutagen
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from narrate.audio import ffmpeg
from narrate.audio.encode import FORMATS, Labels, check_encoders, encode, relabel
from narrate.audio.tags import Mark, ffmetadata, parse_marks, tags_of
from narrate.core import Cover, Metadata
from narrate.errors import OutputError, StorageError
from tests.disk import SmallDisk
from tests.studio.test_metadata import png

RATE_HZ = 44_100
ODD = "One = two; #3 \\ four\nfive"
METADATA = Metadata(ODD, "Ann Author", "Nell", "Lamps #2", 1901, "en", "A keeper.")


def blocks(seconds: float = 3.0, loudness: float = 0.1):
    """Give noise that rises and falls, in uneven blocks."""
    random = np.random.default_rng(1)
    left = round(seconds * RATE_HZ)
    while left:
        count = min(left, 50_001)
        noise = random.standard_normal(count) * loudness * 32_768
        yield np.clip(noise, -32_768, 32_767).astype(np.int16)
        left -= count


OTHER_NAMES = {  # of ID3 and of MP4
    "title": "TIT2 ©nam", "album": "TALB ©alb", "artist": "TPE1 ©ART", "date": "TDRC ©day",
    "composer": "TCOM ©wrt", "comment": "TXXX:comment ©cmt", "description": "TXXX:description desc",
    "series": "TXXX:series", "series-part": "TXXX:series-part", "language": "TLAN",
    "show": "TXXX:show tvsh", "episode_id": "TXXX:episode_id tven",
}  # fmt: skip


def tags_in(path: Path) -> dict[str, str]:
    """Read a file's tags by a reader that is not ours."""
    ours = {other: name for name, others in OTHER_NAMES.items() for other in others.split()}
    found = mutagen.File(path).tags.items()
    texts = {name: value[0] if isinstance(value, list) else value for name, value in found}
    return {ours.get(name, name): str(text) for name, text in texts.items()}


def decoded(path: Path) -> np.ndarray:
    return np.concatenate(list(ffmpeg.decode(path, FORMATS[path.suffix[1:]].rate_hz)))


@pytest.mark.parametrize("name", ["mp3", "m4b"])
def test_what_a_voice_can_hold_is_kept_and_what_lies_above_it_is_not_looked_for(
    name: str, tmp_path: Path
) -> None:
    out = tmp_path / f"a{FORMATS[name].suffix}"
    time_s = np.arange(3 * RATE_HZ) / RATE_HZ
    tones = [4_000 * np.sin(2 * np.pi * hz * time_s) for hz in (1_000, 11_700, 14_000)]
    samples = np.asarray(np.rint(sum(tones)), np.int16)
    encode(name, [samples], RATE_HZ, out, Labels({}), voice_hz=24_000)
    heard = np.abs(np.fft.rfft(decoded(out)[RATE_HZ : 2 * RATE_HZ])) * 65_536 / RATE_HZ
    low, high, above = (heard[hz - 5 : hz + 6].max() for hz in (1_000, 11_700, 14_000))
    assert low == pytest.approx(4_000, rel=0.05) and high == pytest.approx(4_000, rel=0.05)
    assert above < 40


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_the_length_rate_and_tags_that_were_asked_for(
    name: str, tmp_path: Path
) -> None:
    out = tmp_path / f"a{FORMATS[name].suffix}"
    encode(name, blocks(), RATE_HZ, out, Labels(tags_of(METADATA), cover=Cover(png())))
    rate_hz = 48_000 if name == "opus" else RATE_HZ
    # Asked of the stream itself: what an MP4 says beside it is 2 for one channel, too.
    assert re.search(rf"Audio: .*\b{rate_hz} Hz, mono", ffmpeg.describe(out)[0])
    padding = 1024 if name == "m4b" else 2  # AAC's last frame: some decoders play it out
    assert 0 <= len(decoded(out)) - 3 * rate_hz + 2 <= padding + 2
    tags = tags_in(out)
    assert tags["title"] == tags["album"] == ODD
    assert tags["artist"] == "Ann Author" and tags["date"] == "1901"
    assert tags["description"] == "A keeper.\n\nAI narration."
    assert tags.get("comment", "AI narration") == "AI narration"
    assert tags["composer"] == "Nell"
    assert tags.get("series", tags["show"]) == "Lamps"
    assert tags.get("series-part", tags["episode_id"]) == "2"
    if name == "m4b":  # it stands with the stream, not with the tags
        assert re.search(r"Stream #0:0\S*\(eng\): Audio", ffmpeg.describe(out)[0])
    else:
        assert tags["language"] in ("en", "eng")
    assert not list(tmp_path.glob("*.part"))


def test_mp3_has_a_constant_bit_rate_of_192_kb_s(tmp_path: Path) -> None:
    encode("mp3", blocks(), RATE_HZ, tmp_path / "a.mp3", Labels({}))
    info = mutagen.File(tmp_path / "a.mp3").info
    assert str(info.bitrate_mode) == "BitrateMode.CBR" and round(info.bitrate, -3) == 192_000


def test_the_cover_is_in_the_file(tmp_path: Path) -> None:
    labels = Labels({"title": "x"}, cover=Cover(png()))
    for name in FORMATS:
        encode(name, blocks(), RATE_HZ, tmp_path / f"a.{name}", labels)
    assert mutagen.File(tmp_path / "a.flac").pictures[0].data == png()
    assert mutagen.File(tmp_path / "a.mp3").tags.getall("APIC")[0].data == png()
    assert bytes(mutagen.File(tmp_path / "a.m4b")["covr"][0]) == png()
    assert "metadata_block_picture" in mutagen.File(tmp_path / "a.opus")


@pytest.mark.parametrize("name", ["m4b", "opus"])
@pytest.mark.parametrize("count", [3, 300])
def test_chapter_marks_are_exact_to_the_millisecond(name: str, count: int, tmp_path: Path) -> None:
    edges = [round(30_000 * n / count) + n % 7 for n in range(count)] + [30_000]
    marks = tuple(Mark(start, end, f"{n} {ODD}") for n, (start, end) in enumerate(pairwise(edges)))
    out = tmp_path / f"a.{name}"
    encode(name, blocks(30), RATE_HZ, out, Labels({}, marks))
    found = parse_marks(ffmpeg.describe(out)[1])
    assert [mark.start_ms for mark in found] == [mark.start_ms for mark in marks]
    if count < 100 or name == "m4b":
        assert [mark.title for mark in found] == [mark.title for mark in marks]


@pytest.mark.parametrize("name", FORMATS)
def test_new_labels_leave_the_sound_as_it_is(name: str, tmp_path: Path) -> None:
    marks = (Mark(0, 1500, "a"), Mark(1500, 3000, "b"))
    out = tmp_path / f"a.{name}"
    encode(name, blocks(), RATE_HZ, out, Labels({"title": "ancient"}, marks, Cover(png())))
    before = decoded(out)
    relabel(name, out, tmp_path / f"b.{name}", Labels({"title": "new"}, marks))
    relabel(name, out, out, Labels({"title": "new"}, marks, Cover(png(9))))
    for path in (out, tmp_path / f"b.{name}"):
        assert np.array_equal(decoded(path), before)
        assert tags_in(path)["title"] == "new"
        assert b"ancient" not in path.read_bytes()
        if name in ("m4b", "opus"):
            found = parse_marks(ffmpeg.describe(path)[1])
            assert [mark.start_ms for mark in found] == [0, 1500]


@given(st.dictionaries(st.sampled_from(["title", "artist"]), st.text(min_size=1)), st.text())
def test_marks_come_back_whatever_their_titles_hold(tags: dict[str, str], title: str) -> None:
    kept = "".join(letter for letter in title if letter >= " " or letter == "\n")
    marks = [Mark(0, 7, title), Mark(7, 1009, "x")]
    assert parse_marks(ffmetadata(tags, marks)) == [Mark(0, 7, kept), Mark(7, 1009, "x")]


@pytest.mark.parametrize("name", FORMATS)
def test_a_full_disk_leaves_nothing_half_written(name: str, small_disk: SmallDisk) -> None:
    out = small_disk.path / f"a{FORMATS[name].suffix}"
    small_disk.resize(200 << 10)
    with pytest.raises(StorageError, match="disk is full"):
        encode(name, blocks(60, 0.3), RATE_HZ, out, Labels({}))
    assert not list(small_disk.path.iterdir())


@pytest.mark.parametrize("name", FORMATS)
def test_a_failure_of_the_samples_leaves_what_was_there(name: str, tmp_path: Path) -> None:
    out = tmp_path / f"a{FORMATS[name].suffix}"
    out.write_bytes(b"the one of before")

    def broken():
        yield from blocks(1)
        raise KeyError("stopped")

    with pytest.raises(KeyError, match="stopped"):
        encode(name, broken(), RATE_HZ, out, Labels({}))
    assert out.read_bytes() == b"the one of before" and list(tmp_path.iterdir()) == [out]


@pytest.fixture
def no_ffmpeg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide every ffmpeg: an empty PATH, and an environment without the wheel."""
    import sys

    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)


@pytest.mark.usefixtures("no_ffmpeg")
def test_without_ffmpeg_flac_is_made_and_the_others_say_what_to_install(tmp_path: Path) -> None:
    check_encoders(["flac"])
    encode("flac", blocks(), RATE_HZ, tmp_path / "a.flac", Labels({"title": "x"}))
    assert soundfile.info(tmp_path / "a.flac").frames == 3 * RATE_HZ
    for name in ("mp3", "m4b", "opus"):
        with pytest.raises(OutputError, match=r"needs ffmpeg.*install.*imageio-ffmpeg.*flac"):
            check_encoders([name])
        with pytest.raises(OutputError, match="needs ffmpeg"):
            encode(name, blocks(), RATE_HZ, tmp_path / f"a.{name}", Labels({}))


def test_the_wheel_s_ffmpeg_serves_where_the_system_has_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("imageio_ffmpeg")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "imageio_ffmpeg" in str(ffmpeg.program())
    check_encoders(["mp3", "m4b", "opus"])
    encode("m4b", blocks(), RATE_HZ, tmp_path / "a.m4b", Labels({}, (Mark(0, 3000, ODD),)))
    assert parse_marks(ffmpeg.describe(tmp_path / "a.m4b")[1]) == [Mark(0, 3000, ODD)]
