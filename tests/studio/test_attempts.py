"""A bad take is tried again, a bounded number of times; what stays bad is marked, never hidden."""

from __future__ import annotations

import io
import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from narrate import studio
from narrate.config import Job, Selection
from narrate.errors import BackendError
from narrate.store import Store
from tests.conftest import SAMPLE_WORDS
from tests.speech.speech_server import RATE_HZ, SpeechServer, say, serving, sound_of, speak
from tests.studio.conftest import STORY, run


def sound(samples: np.ndarray) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples.astype(np.int16), RATE_HZ, format="WAV")
    return file.getvalue()


SILENCE = say(sound(np.zeros(2 * RATE_HZ)), "audio/wav")
BLIP = say(sound(1000 * np.ones(RATE_HZ // 20)), "audio/wav")


@pytest.fixture
def server():
    with serving() as served:
        yield served


@pytest.fixture
def job(story: Path, tmp_path: Path, spoken_sample: Path, server: SpeechServer) -> Job:
    recording = shutil.copy(spoken_sample, tmp_path / "me.wav")
    return Job(
        str(story),
        str(tmp_path / "out"),
        voice=str(recording),
        voice_text=SAMPLE_WORDS,
        backend="remote",
        server=server.url,
    )


@pytest.fixture
def words(store: Store, job: Job) -> str:
    """Return the words of one chunk in the middle of the book."""
    plan = studio.plan_book(store, job)
    return store.chunks(plan.id)[3][0].spoken


def test_a_take_that_is_bad_once_is_spoken_again_and_nobody_hears_of_it(
    store: Store, job: Job, server: SpeechServer, words: str
) -> None:
    server.script[words] = [SILENCE]
    made = run(store, job)
    assert made.faults == () and made.wav
    assert server.texts().count(words) == 2
    assert max(server.texts().count(other) for other in server.texts() if other != words) == 1


def test_a_take_that_stays_bad_is_tried_as_often_as_asked_and_named(
    store: Store, job: Job, server: SpeechServer, words: str
) -> None:
    server.script[words] = [SILENCE] * 9
    made = run(store, replace(job, attempts=4))
    assert server.texts().count(words) == 4
    assert made.faults == ((4, "silent"),)
    assert made.wav and made.wav.exists()


def test_of_several_bad_takes_the_best_is_kept(
    store: Store, job: Job, server: SpeechServer, words: str
) -> None:
    server.script[words] = [BLIP, SILENCE, BLIP]
    made = run(store, job)
    assert made.faults == ((4, "silent"),)


def test_a_marked_chunk_is_not_tried_again_by_a_rerun(
    store: Store, job: Job, server: SpeechServer, words: str
) -> None:
    server.script[words] = [SILENCE] * 3
    first = run(store, job)
    asked = len(server.texts())
    assert run(store, job) == first
    assert studio.finished(store, job) == first
    assert len(server.texts()) == asked


def test_more_attempts_than_before_go_on_where_the_last_ended(
    store: Store, job: Job, server: SpeechServer, words: str
) -> None:
    server.script[words] = [SILENCE] * 2
    assert run(store, replace(job, attempts=2)).faults
    assert studio.finished(store, replace(job, attempts=2))
    assert studio.finished(store, replace(job, attempts=3)) is None
    assert run(store, replace(job, attempts=3)).faults == ()
    assert server.texts().count(words) == 3


def test_redo_speaks_the_chosen_chunks_and_only_those(
    store: Store, job: Job, server: SpeechServer
) -> None:
    made = run(store, job)
    before = dict(enumerate((key for _, key in store.chunks(made.book_id)), 1))
    server.asked.clear()
    studio.redo(store, made.book_id, Selection.parse("2,4-5"))
    run(store, job)
    after = dict(enumerate((key for _, key in store.chunks(made.book_id)), 1))
    assert {n for n in before if before[n] != after[n]} == {2, 4, 5}
    assert len(server.texts()) == 3


def test_what_was_redone_survives_an_edit_elsewhere(
    store: Store, job: Job, story: Path, server: SpeechServer
) -> None:
    made = run(store, job)
    studio.redo(store, made.book_id, Selection.parse("2"))
    run(store, job)
    (_, kept) = store.chunks(made.book_id)[1]
    server.asked.clear()
    story.write_text(STORY.replace("Nobody sat in it.", "Nobody sat in it. The oars were wet."))
    run(store, job)
    assert store.chunks(made.book_id)[1][1] == kept
    assert len(server.texts()) <= 2


def test_redo_to_a_named_attempt_brings_an_earlier_take_back(
    store: Store, job: Job, server: SpeechServer
) -> None:
    made = run(store, job)
    (_, first) = store.chunks(made.book_id)[1]
    studio.redo(store, made.book_id, Selection.parse("2"))
    run(store, job)
    server.asked.clear()
    studio.redo(store, made.book_id, Selection.parse("2"), attempt=0)
    run(store, job)
    assert store.chunks(made.book_id)[1][1] == first
    assert server.texts() == []


def test_redo_to_a_take_with_a_fault_keeps_it(
    store: Store, job: Job, server: SpeechServer, words: str
) -> None:
    server.script[words] = [BLIP, SILENCE, BLIP]
    made = run(store, job)
    for chosen, fault in ((0, "empty"), (1, "silent"), (2, "empty")):
        run(store, studio.redo(store, made.book_id, Selection.parse("4"), attempt=chosen))
        [bad] = json.loads((made.folder / "report.json").read_text())["flagged"]
        assert [one["number"] for one in bad["attempts"] if one["is_kept"]] == [chosen]
        assert bad["fault"] == fault
    assert server.texts().count(words) == 3


def test_redo_of_a_bad_take_gives_a_new_one_though_it_be_no_better(
    store: Store, job: Job, server: SpeechServer, words: str
) -> None:
    server.script[words] = [SILENCE] * 4
    made = run(store, job)
    (_, old) = store.chunks(made.book_id)[3]
    run(store, studio.redo(store, made.book_id, Selection.parse("4")))
    assert server.texts().count(words) == 4
    assert store.chunks(made.book_id)[3][1] != old


def test_the_best_of_bad_takes_stays_when_another_sentence_is_edited(
    store: Store, job: Job, story: Path, server: SpeechServer, words: str
) -> None:
    server.script[words] = [SILENCE, BLIP, BLIP]
    made = run(store, job)
    (_, best) = store.chunks(made.book_id)[3]
    story.write_text(STORY.replace("Nobody sat in it.", "Nobody sat in it. The oars were wet."))
    assert run(store, job).faults == ((4, "silent"),)
    assert store.chunks(made.book_id)[3][1] == best
    assert server.texts().count(words) == 3


def test_redo_speaks_its_chunks_alone_whatever_the_last_run_was_asked_for(
    store: Store, job: Job, server: SpeechServer
) -> None:
    run(store, job)
    made = run(store, replace(job, chapters="2", force=True))
    first = store.chunks(made.book_id)[0][0].spoken
    server.asked.clear()
    again = run(store, studio.redo(store, made.book_id, Selection.parse("1")))
    assert server.texts() == [first]
    assert again.wav and again.wav.exists() and len(again.chapters) == again.of_chapters


def test_redo_is_refused_where_the_voice_cannot_say_it_otherwise(
    store: Store, story: Path, tmp_path: Path
) -> None:
    made = run(store, Job(str(story), str(tmp_path / "out")))
    with pytest.raises(BackendError, match="same way each time"):
        studio.redo(store, made.book_id, Selection.parse("1"))


def test_a_server_that_speaks_well_leaves_no_fault(
    store: Store, job: Job, server: SpeechServer, words: str
) -> None:
    server.script[words] = [speak]
    assert run(store, job).faults == ()


NUMBERS = [
    f"{one} and {other} went up the hill to look at the sea."
    for one in ("Anna", "Bertha", "Clara", "Dora", "Emma", "Flora", "Greta", "Helen")
    for other in ("Adam", "Bruno", "Carl", "David", "Emil", "Franz", "Georg")
]
DRAWN_OUT = say(sound(np.repeat(sound_of("Anna went up the hill to look."), 3)), "audio/wav")


@pytest.fixture
def long_job(job: Job, story: Path) -> Job:
    """Narrate a book of more chunks than norms need, in two chapters of like length."""
    halves = NUMBERS[:28], NUMBERS[28:]
    story.write_text(
        "".join(f"# Part {n}\n\n" + "\n\n".join(half) + "\n\n" for n, half in enumerate(halves))
    )
    return job


def cut_where_it_is_loud(samples: np.ndarray) -> np.ndarray:
    loudest = np.abs(samples[len(samples) // 2 :]).argmax()
    return samples[: len(samples) // 2 + loudest]


FAULTS = {
    "empty": lambda s: s[: RATE_HZ // 20],
    "silent": lambda s: 0 * s,
    "too short": lambda s: s[::3],
    "loop": lambda s: np.tile(s[: round(0.9 * RATE_HZ)], 5),
    "too long": lambda s: np.repeat(s, 3),
    "hole": lambda s: np.concatenate([s[: len(s) // 2], np.zeros(3 * RATE_HZ), s[len(s) // 2 :]]),
    "cut off": cut_where_it_is_loud,
    "clipped": lambda s: np.clip(8.0 * s, -32_768, 32_767),
    "other sound": lambda s: 20 * np.diff(s.astype(float), 3),
    "other level": lambda s: s / 10,
    "offset": lambda s: s // 2 + 3_000,
}


def test_each_fault_is_heard_before_a_take_counts_and_is_spoken_again(
    store: Store, long_job: Job, server: SpeechServer
) -> None:
    planted = dict(zip(NUMBERS[3::5], FAULTS, strict=False))
    assert len(planted) == len(FAULTS)
    for words, fault in planted.items():
        server.script[words] = [say(sound(FAULTS[fault](sound_of(words))), "audio/wav")]
    made = run(store, long_job)
    assert made.faults == ()
    asked = Counter(server.texts())
    assert {words for words, times in asked.items() if times == 2} == planted.keys()
    assert max(asked.values()) == 2
    flagged = json.loads((made.folder / "report.json").read_text())["flagged"]
    found = {one["spoken"]: [attempt["fault"] for attempt in one["attempts"]] for one in flagged}
    assert found == {words: [fault, ""] for words, fault in planted.items()}


@pytest.mark.parametrize("late", [False, True])
def test_a_take_that_falls_out_of_the_voice_is_spoken_again(
    store: Store, long_job: Job, server: SpeechServer, late: bool
) -> None:
    odd = NUMBERS[-2 if late else 1]
    server.script[odd] = [DRAWN_OUT]
    made = run(store, long_job)
    assert made.faults == ()
    assert server.texts().count(odd) == 2
    assert len(server.texts()) == len(set(server.texts())) + 1


def test_a_run_that_ended_before_it_judged_judges_when_it_goes_on(
    store: Store, long_job: Job, server: SpeechServer
) -> None:
    odd = NUMBERS[1]
    server.script[odd] = [DRAWN_OUT]
    book = studio.plan_book(store, replace(long_job, chapters="1"))
    assert list(studio.speak(store, book.id, lambda now: None)) == [1]
    assert server.texts().count(odd) == 1  # half a book has no norms yet
    assert run(store, long_job).faults == ()
    assert server.texts().count(odd) == 2


def test_all_runs_judge_by_the_norms_that_were_kept_first(store: Store) -> None:
    first, second = {"pace": 1.0}, {"pace": 2.0}
    assert store.takes.norms("voice") is None
    assert store.takes.put_norms("voice", first) == first
    assert store.takes.put_norms("voice", second) == first
    assert store.takes.norms("voice") == first


def test_the_report_tells_what_was_tried_and_what_was_kept(
    store: Store, job: Job, server: SpeechServer, words: str
) -> None:
    first = store.chunks("lighthouse")[0][0].spoken
    server.script[words] = [BLIP, SILENCE, BLIP]
    server.script[first] = [SILENCE]
    made = run(store, job)
    facts = json.loads((made.folder / "report.json").read_text())
    mended, bad = facts["flagged"]
    assert (mended["position"], bad["position"]) == (1, 4)
    assert facts["still_bad"] == 1 and facts["chunks"] > 4
    assert [one["fault"] for one in mended["attempts"]] == ["silent", ""]
    assert [one["is_kept"] for one in mended["attempts"]] == [False, True]
    assert [one["fault"] for one in bad["attempts"]] == ["empty", "silent", "empty"]
    assert bad["spoken"] == words and bad["fault"] == "silent" and bad["attempts"][1]["is_kept"]
    shown = (made.folder / "report.html").read_text()
    assert shown.count("<audio") == 2 and "narrate redo lighthouse" in shown
