"""Who speaks when, as sentences. No torch, no model."""

from __future__ import annotations

import numpy as np

from narrate.core import Utterance
from narrate.engine.prompt import Prompt
from narrate.engine.scheduler import Job, Progress, Scheduler, Status, frame_cap

RUNNING, ENDED, CAPPED, FAULTY = Status.RUNNING, Status.ENDED, Status.CAPPED, Status.FAULTY


def job(number: int, text_ids: int, cap: int = 100) -> Job:
    prompt = Prompt(np.zeros((4, 17), np.int32), np.zeros(2, np.int32), text_ids)
    return Job(number, Utterance(str(number), "text", "en", seed=number), prompt, cap)


def scheduler(*text_ids: int, slots: int = 2, group: int = 1, retries: int = 0) -> Scheduler:
    one = Scheduler(slots, group, retries)
    for number, ids in enumerate(text_ids):
        one.add(job(number, ids))
    return one


def numbers(admitted: list[tuple[int, Job]]) -> list[int]:
    return [one.number for _, one in admitted]


def admit_all(one: Scheduler, tick: int = 0) -> list[tuple[int, Job]]:
    admitted = []
    while one.can_admit():
        admitted += one.admit(tick)
    return admitted


def test_the_longest_go_first_and_equals_in_order_of_arrival() -> None:
    one = scheduler(5, 9, 5, 7, slots=4)
    assert numbers(admit_all(one)) == [1, 3, 0, 2]
    one.evict()
    one.add(job(0, 5, cap=900))
    one.add(job(1, 9, cap=30))
    assert numbers(admit_all(one)) == [1, 0], "the text counts, not how long it may take"


def test_in_order_nobody_is_passed_by() -> None:
    one = Scheduler(1, in_order=True)
    for number, ids in enumerate((5, 9, 1)):
        one.add(job(number, ids))
    begun = numbers(one.admit(0))
    for number, ids in enumerate((8, 8, 8), 3):  # longer ones keep coming
        one.retire(Progress(number, [ENDED], [1]))
        one.add(job(number, ids))
        begun += numbers(one.admit(number))
    assert begun == [0, 1, 2, 3]


def test_nobody_gets_a_slot_that_is_taken() -> None:
    one = scheduler(5, 9, 7)
    first = admit_all(one)
    assert [slot for slot, _ in first] == [0, 1]
    assert not one.can_admit()
    assert (one.running, one.waiting) == (2, 1)


def test_a_slot_that_was_left_is_given_to_the_next() -> None:
    one = scheduler(5, 9, 7)
    admit_all(one)
    (ended,) = one.retire(Progress(3, [ENDED, RUNNING], [3, 3]))
    assert (ended.job.number, ended.slot, ended.frames) == (1, 0, 3)
    assert [(slot, j.number) for slot, j in admit_all(one, 4)] == [(0, 0)]


def test_a_report_from_before_a_newcomer_says_nothing_about_him() -> None:
    one = scheduler(9, 5, slots=1)
    admit_all(one)
    one.retire(Progress(3, [ENDED], [3]))
    admit_all(one, tick=6)
    assert one.retire(Progress(5, [ENDED], [3])) == []
    assert len(one.retire(Progress(6, [ENDED], [1]))) == 1


def test_newcomers_wait_until_a_group_can_start() -> None:
    one = scheduler(9, 8, 7, 6, 5, 4, slots=4, group=2)
    assert numbers(admit_all(one)) == [0, 1, 2, 3]
    one.retire(Progress(1, [ENDED, RUNNING, RUNNING, RUNNING], [1] * 4))
    assert not one.can_admit()
    one.retire(Progress(2, [Status.IDLE, ENDED, RUNNING, RUNNING], [1, 2, 2, 2]))
    assert numbers(admit_all(one)) == [4, 5]


def test_the_last_ones_do_not_wait_for_a_full_group() -> None:
    one = scheduler(9, 8, 7, slots=2, group=2)
    admit_all(one)
    one.retire(Progress(1, [ENDED, RUNNING], [1, 1]))
    assert numbers(admit_all(one)) == [2]


def test_an_empty_card_starts_whoever_is_there() -> None:
    one = scheduler(9, slots=4, group=4)
    assert numbers(admit_all(one)) == [0]


def test_a_runaway_is_given_up_at_once_for_others_to_judge() -> None:
    one = scheduler(9, slots=1, retries=2)
    admit_all(one)
    (ended,) = one.retire(Progress(0, [CAPPED], [9]))
    assert (ended.status, ended.frames, ended.again) == (CAPPED, 9, False)
    assert one.idle


def test_a_row_that_is_not_a_number_is_tried_again_with_another_seed_and_then_given_up() -> None:
    one = scheduler(9, slots=1, retries=2)
    seeds = []
    for tick in range(3):
        ((_, tried),) = admit_all(one, tick)
        seeds.append(tried.seed)
        ended = one.retire(Progress(tick, [FAULTY], [9]))
        assert [e.again for e in ended] == [tick < 2]
    assert len(set(seeds)) == 3
    assert all(0 <= seed < 1 << 63 for seed in seeds)
    assert [(e.status, e.job.attempt, e.frames) for e in ended] == [(FAULTY, 2, 9)]
    assert one.idle


def test_who_is_evicted_is_not_lost() -> None:
    one = scheduler(5, 9, 7)
    admit_all(one)
    assert [j.number for j in one.evict()] == [0, 1, 2]
    assert one.idle
    one.add(job(7, 3))
    assert numbers(admit_all(one)) == [7]


def test_the_cap_grows_with_the_text() -> None:
    assert frame_cap(0) > 12
    assert frame_cap(60) - frame_cap(50) == 100
