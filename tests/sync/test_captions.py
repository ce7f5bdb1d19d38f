"""Cues: all the words, in order, readable in time, and accepted by parsers that are not ours."""

from __future__ import annotations

import html
import itertools
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrate.audio import ffmpeg
from narrate.sync.captions import FORMATS, LONGEST_S, book_cues, chapter_cues, srt, vtt
from narrate.sync.timeline import TimedChapter, TimedChunk, shared_out
from narrate.text import sentences

HZ = 44_100
LONG = (
    "It is a truth universally acknowledged, that a single man in possession of a good fortune, "
    "must be in want of a wife, however little known the feelings or views of such a man may be on "
    "his first entering a neighbourhood."
)


def chapter(*texts: str, language: str = "en", per_s: float = 15.0, head: int = 0) -> TimedChapter:
    """A chapter spoken at `per_s` characters a second, with 0.5 s after each chunk."""
    chunks = []
    place = head
    for position, text in enumerate(texts, 1):
        end = place + round(len(text) / per_s * HZ)
        said = [text[a:b] for a, b in sentences(text, language)]
        chunks.append(TimedChunk(position, place, end, text, tuple(shared_out(place, end, said))))
        place = end + HZ // 2
    return TimedChapter(1, "One", place, HZ, tuple(chunks))


words = st.text(st.sampled_from('abcde  ,.;—"“”<>&{}'), min_size=1, max_size=400).filter(
    lambda text: any(map(str.isalnum, text))
)


@settings(max_examples=50)
@given(st.lists(words, min_size=1, max_size=4))
def test_cues_hold_every_word_in_order_and_never_overlap(texts: list[str]) -> None:
    cues = chapter_cues(chapter(*texts))
    told = "".join("".join(cue.lines) for cue in cues)
    assert "".join(told.split()) == "".join("".join(texts).split())
    assert all(cue.start_ms < cue.end_ms for cue in cues)
    assert all(one.end_ms <= next_.start_ms for one, next_ in itertools.pairwise(cues))
    assert all(line.strip() and len(line) <= 42 for cue in cues for line in cue.lines)


def test_a_long_sentence_is_parted_behind_its_commas_and_stays_readable() -> None:
    cues = chapter_cues(chapter(LONG))
    assert len(cues) >= 3
    assert all(len(cue.lines) <= 2 for cue in cues)
    assert all(cue.end_ms - cue.start_ms <= 1000 * LONGEST_S for cue in cues)
    assert sum(cue.lines[-1][-1] in ",." for cue in cues) >= len(cues) - 1


def test_slow_speech_is_parted_by_time() -> None:
    cues = chapter_cues(chapter("The old clock in the hall struck seven times.", per_s=3.0))
    assert all(cue.end_ms - cue.start_ms <= 1000 * LONGEST_S for cue in cues)


def test_east_asian_lines_are_short() -> None:
    text = "吾輩は猫である名前はまだ無いどこで生れたかとんと見当がつかぬ" * 4 + "。"
    cues = chapter_cues(chapter(text, language="ja", per_s=6.0))
    assert all(len(cue.lines) <= 2 for cue in cues)
    assert all(len(line) <= 18 for cue in cues for line in cue.lines)


@pytest.mark.parametrize("mark", "、。」！ょー")
def test_no_line_begins_with_a_mark_that_closes(mark: str) -> None:
    text = "".join("名前はまだ無い猫である"[: 3 + n % 7] + mark for n in range(40))
    cues = chapter_cues(TimedChapter(1, "", HZ * 60, HZ, (one_chunk(text, 60),)))
    lines = [line for cue in cues for line in cue.lines]
    assert "".join(lines) == text and len(lines) > 9
    assert not [line for line in lines if line.startswith(mark)]
    assert all(len(line) <= 18 for line in lines)


def one_chunk(text: str, seconds: int) -> TimedChunk:
    return TimedChunk(1, 0, HZ * seconds, text, tuple(shared_out(0, HZ * seconds, [text])))


def test_korean_is_parted_between_words() -> None:
    text = "나는 고양이다 이름은 아직 없다 어디서 태어났는지 도무지 짐작이 가지 않는다 " * 3
    cues = chapter_cues(chapter(text.strip(), language="ko", per_s=7.0))
    assert " ".join(line for cue in cues for line in cue.lines) == text.strip()


def test_a_word_longer_than_a_line_is_not_cut_inside_a_letter() -> None:
    letters = "ก็" * 50 + "👩\u200d🚀" * 30
    cues = chapter_cues(chapter(letters, language="th"))
    lines = [line for cue in cues for line in cue.lines]
    assert "".join(lines) == letters and max(map(len, lines)) <= 42
    assert all(line[0] in "ก👩" and line[-1] != "\u200d" for line in lines)


def test_sentences_that_flash_by_share_a_cue() -> None:
    [cue] = chapter_cues(chapter("No. Never. Not I!"))
    assert cue.lines == ("No. Never. Not I!",)
    [cue] = chapter_cues(chapter("嫌だ。違う。", language="ja", per_s=6.0))
    assert cue.lines == ("嫌だ。違う。",)


def test_what_is_said_fast_stays_into_the_pause_behind_it() -> None:
    words = "It cannot be read as fast as it is said."
    [cue] = chapter_cues(chapter(words, per_s=30.0))
    assert cue.end_ms - cue.start_ms > 1.3 * len(words) / 30 * 1000


def test_a_cue_that_would_flash_by_stays_but_not_over_the_next() -> None:
    one, two = chapter_cues(chapter("Oh!", "No."))
    assert one.end_ms - one.start_ms > 3 / 15 * 1000
    assert one.end_ms <= two.start_ms


def test_what_stands_before_the_first_word_moves_every_cue() -> None:
    plain, moved = chapter_cues(chapter(LONG)), chapter_cues(chapter(LONG, head=HZ))
    assert [cue.start_ms + 1000 for cue in plain] == [cue.start_ms for cue in moved]


def test_a_book_s_cues_go_on_where_the_chapter_before_ended() -> None:
    one = chapter(LONG, "Oh!")
    cues = list(book_cues([one, one]))
    half = len(cues) // 2
    assert [cue.lines for cue in cues[:half]] == [cue.lines for cue in cues[half:]]
    assert cues[half].start_ms == round(one.duration_s * 1000)


def test_markup_in_the_text_stays_text() -> None:
    cues = chapter_cues(chapter("a <b> & {\\an8} c --> d"))
    assert html.unescape(vtt(cues)).count("<b> &") == 1 and "<b>" not in vtt(cues)
    assert "-->" not in vtt(cues).splitlines()[4]
    assert "<\u2060b>" in srt(cues) and "{\u2060\\an8}" in srt(cues)


@pytest.mark.parametrize("name", FORMATS)
def test_ffmpeg_reads_every_cue_at_its_time(name: str, tmp_path: Path) -> None:
    program = ffmpeg.program()
    if program is None:
        pytest.skip("needs ffmpeg")
    cues = chapter_cues(chapter(LONG, "Oh! & <i>so</i> on.", "“No,” she said."))
    path = tmp_path / f"cues.{name}"
    path.write_text(FORMATS[name](cues), encoding="utf-8")
    other = "srt" if name == "vtt" else "webvtt"
    done = subprocess.run(
        [program, "-v", "warning", "-i", path, "-f", other, "-"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    times = re.findall(r"(?:(\d\d):)?(\d\d):(\d\d)[.,](\d{3}) -->", done.stdout)
    starts = [((int(h or 0) * 60 + int(m)) * 60 + int(s)) * 1000 + int(ms) for h, m, s, ms in times]
    assert starts == [cue.start_ms for cue in cues]
