"""Packing holds every frame once, apart from its neighbours, with as much past as it can hear."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations
from random import Random

import numpy as np
import pytest

pytest.importorskip("hypothesis")
from hypothesis import given
from hypothesis import strategies as st

from narrate.engine.codec.config import PRE_TAPS
from narrate.engine.codec.packing import (
    HEARD,
    PAST,
    Gathering,
    Layout,
    Pass,
    Piece,
    best_sum,
    cut,
)

ITEMS = st.integers(0, 90).flatmap(
    lambda past: st.lists(st.integers(0, 200).map(lambda own: (past, past + own)), max_size=12)
)
LAYOUT = Layout(frames=64, run_frames=144, transformer_reach=50, wave_reach=10, gap=3, grain=8)
LARGE = Layout(frames=4096, run_frames=4968, transformer_reach=570, wave_reach=10, gap=3, grain=16)


def passes(layout: Layout, items: Iterable[tuple[int, int]]) -> Iterator[Pass]:
    """All passes for items of (context, frames with context), put in this order."""
    gathering = Gathering(layout)
    for item, (context, end) in enumerate(items):
        for piece in cut(item, context, end, layout.longest):
            yield from gathering.add(piece)
    yield from gathering.flush()


def book(count: int = 3000, past: int = 38) -> list[tuple[int, int]]:
    """Utterances of 20 to 290 frames, the longest texts first; how they are read scatters."""
    random = Random(7)
    lengths = (250 - 220 * n / count for n in range(count))
    return [(past, past + round(n * random.gauss(1.0, 0.08))) for n in lengths]


def in_order(layout: Layout, items: list[tuple[int, int]]) -> int:
    """Passes where each ends as soon as the next utterance does not fit."""
    count, used = 1, 0
    for context, end in items:
        needed = layout.gap + end - context
        count, used = (
            (count, used + needed) if used + needed <= layout.frames else (count + 1, needed)
        )
    return count


@given(ITEMS)
def test_every_frame_is_decoded_once(items: list[tuple[int, int]]) -> None:
    spoken: dict[int, list[int]] = {number: [] for number in range(len(items))}
    for one in passes(LAYOUT, items):
        for piece, _ in one.cuts:
            spoken[piece.item].extend(range(piece.first, piece.end))
    for number, (context, end) in enumerate(items):
        assert sorted(spoken[number]) == list(range(context, end))


@given(ITEMS)
def test_places_do_not_meet(items: list[tuple[int, int]]) -> None:
    for one in passes(LAYOUT, items):
        end = 0
        for piece, at in one.cuts:
            begin = at - LAYOUT.before(piece)
            assert begin >= end + LAYOUT.gap
            end = at + piece.end - piece.first
        assert end == one.used <= LAYOUT.frames
        for run in one.runs:
            end = 0
            for span in run.spans:
                assert span.at >= end + LAYOUT.gap
                assert span.at % LAYOUT.grain == 0
                end = span.at + span.end - span.first
            assert end <= LAYOUT.run_frames


@given(ITEMS)
def test_each_piece_has_the_past_that_it_can_hear(items: list[tuple[int, int]]) -> None:
    for one in passes(LAYOUT, items):
        own = [(run, span) for run in one.runs for span in run.spans if span is not run.past]
        for (piece, at), (run, span) in zip(one.cuts, own, strict=True):
            before = 0 if piece.follows else LAYOUT.wave_reach
            assert span.kept == max(piece.first - before, 0)
            assert span.to == at - (piece.first - span.kept)
            assert span.end == piece.end
            begin = max(span.kept - LAYOUT.transformer_reach, 0)
            if piece.follows:
                assert run.past is not None
                assert (run.past.first, run.past.end, span.first) == (
                    begin,
                    piece.first,
                    piece.first,
                )
            else:
                assert span.first == begin


@given(ITEMS)
def test_attention_finds_the_past_before_what_follows_it(items: list[tuple[int, int]]) -> None:
    for one in passes(LAYOUT, items):
        for run in one.runs:
            utterance, position, _, begin, jump = LAYOUT.places(run)
            for span in run.spans:
                at = span.at
                if not span.follows:
                    assert not begin[at : at + span.end - span.first].any()
                    continue
                assert (begin[at : at + span.end - span.first] == at).all()
                end = at - jump[at]  # the place after the past's last
                past = np.flatnonzero(utterance == PAST)
                assert past[-1] == end - 1 and position[end - 1] == len(past) - 1
                assert position[at] == len(past)
                heard = np.flatnonzero(utterance[:at] == HEARD)
                assert list(heard[-span.heard :]) == list(range(at - span.heard, at))
                assert span.heard == min(PRE_TAPS - 1, span.first)


@given(ITEMS)
def test_what_begins_at_the_end_of_the_past_follows_it(items: list[tuple[int, int]]) -> None:
    for one in passes(LAYOUT, items):
        for piece, _ in one.cuts:
            context, _ = items[piece.item]
            assert piece.follows == (piece.first == context > 0)


@given(ITEMS)
def test_the_tables_say_where_the_frames_are(items: list[tuple[int, int]]) -> None:
    for one in passes(LAYOUT, items):
        live, past = LAYOUT.live(one)
        taken = sum(LAYOUT.needed(piece) - LAYOUT.gap for piece, _ in one.cuts)
        assert live.sum() == taken
        assert (past >= 0).sum() == LAYOUT.gap * sum(piece.follows for piece, _ in one.cuts)
        assert not (live[past >= 0]).any()
        to = [place for run in one.runs for place in LAYOUT.places(run)[2]]
        assert sorted(place for place in to if place < LAYOUT.frames) == list(live.nonzero()[0])


@given(ITEMS)
def test_the_oldest_goes_first_and_no_more_than_a_pass_and_a_quarter_waits(
    items: list[tuple[int, int]],
) -> None:
    gathering, waiting = Gathering(LAYOUT), list[Piece]()
    for item, (context, end) in enumerate(items):
        for piece in cut(item, context, end, LAYOUT.longest):
            waiting.append(piece)
            for one in gathering.add(piece):
                assert waiting[0] in [gone for gone, _ in one.cuts]
                waiting = [held for held in waiting if held not in [gone for gone, _ in one.cuts]]
            assert sum(map(LAYOUT.needed, waiting)) <= LAYOUT.frames * 5 // 4
    assert sum(len(one.cuts) for one in gathering.flush()) == len(waiting)
    assert not gathering.flush()


@given(ITEMS)
def test_the_first_pass_after_a_beginning_goes_when_there_is_enough_for_one(
    items: list[tuple[int, int]],
) -> None:
    gathering = Gathering(LAYOUT)
    for _ in range(2):
        needed = 0
        for item, (context, end) in enumerate(items):
            for piece in cut(item, context, end, LAYOUT.longest):
                needed += LAYOUT.needed(piece)
                assert bool(gathering.add(piece)) == (needed > LAYOUT.frames)
                if needed > LAYOUT.frames:
                    break
            if needed > LAYOUT.frames:
                break
        gathering.flush()


def test_the_passes_of_a_book_are_full() -> None:
    items = book()
    packed = list(passes(LARGE, items))
    needed = sum(LARGE.gap + end - context for context, end in items)
    assert sum(one.used for one in packed) == needed
    assert needed / LARGE.frames / in_order(LARGE, items) < 0.985
    assert needed / LARGE.frames / len(packed) > 0.99


@pytest.mark.parametrize("past", [0, 38, 250])
def test_what_fills_a_pass_fits_a_run_of_the_transformer_whatever_the_past(past: int) -> None:
    packed = list(passes(LARGE, book(past=past)))
    assert sum(len(one.runs) for one in packed) < 1.03 * len(packed)


def test_nothing_of_a_book_waits_longer_than_for_two_passes() -> None:
    gathering, heard, spoken = Gathering(LARGE), 0, dict[int, int]()
    for item, (context, end) in enumerate(book()):
        spoken[item] = heard
        heard += end - context
        for one in gathering.add(Piece(item, context, end, follows=True)):
            assert all(heard - spoken[piece.item] < 2 * LARGE.frames for piece, _ in one.cuts)


@given(st.lists(st.integers(1, 40), max_size=9), st.integers(0, 120))
def test_no_choice_has_a_larger_sum(numbers: list[int], most: int) -> None:
    chosen = best_sum(numbers, most)
    assert chosen == sorted(set(chosen))
    sums = [sum(some) for n in range(len(numbers) + 1) for some in combinations(numbers, n)]
    assert sum(numbers[n] for n in chosen) == max(one for one in sums if one <= most)


def test_of_equal_sums_the_earlier_is_chosen() -> None:
    assert best_sum([5, 5, 5, 3, 2], 10) == [0, 1]
