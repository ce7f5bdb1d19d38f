"""Packing holds every frame once, apart from its neighbours, with as much past as it can hear."""

from __future__ import annotations

import pytest

pytest.importorskip("hypothesis")
from hypothesis import given
from hypothesis import strategies as st

from narrate.engine.codec.packing import Layout, passes

ITEMS = st.lists(
    st.tuples(st.integers(0, 90), st.integers(0, 200)).map(lambda t: (t[0], t[0] + t[1])),
    max_size=12,
)
LAYOUT = Layout(frames=64, run_frames=144, transformer_reach=50, wave_reach=10, gap=3, grain=8)


@given(ITEMS)
def test_every_frame_is_decoded_once_and_in_order(items: list[tuple[int, int]]) -> None:
    spoken: dict[int, list[int]] = {number: [] for number in range(len(items))}
    for one in passes(LAYOUT, items):
        for piece, _ in one.cuts:
            spoken[piece.item].extend(range(piece.first, piece.end))
    for number, (context, end) in enumerate(items):
        assert spoken[number] == list(range(context, end))


@given(ITEMS)
def test_places_do_not_meet(items: list[tuple[int, int]]) -> None:
    for one in passes(LAYOUT, items):
        end = 0
        for piece, at in one.cuts:
            begin = at - LAYOUT.before(piece)
            assert begin >= end + LAYOUT.gap
            end = at + piece.end - piece.first
        assert end <= LAYOUT.frames
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
        spans = [span for run in one.runs for span in run.spans]
        for (piece, at), span in zip(one.cuts, spans, strict=True):
            before = 0 if piece.follows else LAYOUT.wave_reach
            assert span.kept == max(piece.first - before, 0)
            assert span.first == max(span.kept - LAYOUT.transformer_reach, 0)
            assert span.to == at - (piece.first - span.kept)
            assert span.end == piece.end


@given(ITEMS)
def test_what_begins_at_the_end_of_the_past_follows_it(items: list[tuple[int, int]]) -> None:
    for one in passes(LAYOUT, items):
        for piece, _ in one.cuts:
            context, _ = items[piece.item]
            assert piece.follows == (piece.first == context > 0)
