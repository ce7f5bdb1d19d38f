"""The loop of every measurement: orders, failures, stops, and the figures made of its runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from narrate.bench.figures import figures_of, outliers
from narrate.bench.measure import INTERRUPTED, OUT_OF_TIME, Case, Stage, measure
from narrate.bench.results import Cell, Run, Work
from narrate.errors import BackendError


class Seen:
    """A watcher that keeps what it is shown."""

    def __init__(self) -> None:
        self.cells: list[Cell] = []

    def begin(self, cells: Sequence[Cell], runs: int) -> None:
        self.planned = runs

    def runs(self, cell: Cell) -> None:
        self.now = cell

    def ran(self, cell: Cell, left_s: float | None) -> None:
        assert cell.name == self.now.name
        self.cells.append(cell)


def _case(name: str, run: Callable[[], Work], log: list[str] | None = None) -> Case:
    def go(_: object) -> Work:
        if log is not None:
            log.append(name)
        return run()

    return Case("table", {"name": name}, go)


def _one_row() -> Work:
    return Work(rows=1, frames=4)


def test_rounds_go_to_and_fro() -> None:
    log: list[str] = []
    stages = [
        Stage((_case("a", _one_row, log), _case("b", _one_row, log))),
        Stage((_case("c", _one_row, log),)),
    ]
    cells, stopped = measure(stages, 3, Seen())
    assert log == [*"abc", *"cba", *"abc"]
    assert [len(cell.runs) for cell in cells] == [3, 3, 3]
    assert stopped is None


def test_a_first_run_is_kept_and_does_not_count() -> None:
    log: list[str] = []
    taken = iter([9.0, 1.0, 3.0, 9.0, 4.0])

    def timed() -> Work:
        return Work(rows=1, timed_s=next(taken))

    cold = replace(_case("cold", timed, log), opens=False)
    stages = [Stage((_case("a", timed, log), cold)), Stage((_case("b", timed, log),))]
    seen = Seen()
    cells, _ = measure(stages, 1, seen, opening=True)
    assert log == ["a", "a", "cold", "b", "b"] and seen.planned == len(seen.cells) == 5
    assert [run.round for run in cells[0].runs] == [0, 1]
    figures = [figures_of(cell) for cell in cells]
    assert [one.median_s for one in figures if one] == [1.0, 3.0, 4.0]
    assert [one.runs for one in figures if one] == [1, 1, 1]
    only_opened = Cell("table", {}, cells[0].runs[:1], cells[0].work)
    assert figures_of(only_opened) is None


def _logged(name: str, cases: Sequence[Case], log: list[str], *, stays: bool = True) -> Stage:
    @contextmanager
    def opened() -> Iterator[None]:
        log.append(f"open {name}")
        yield
        log.append(f"close {name}")

    return Stage(tuple(cases), opened, stays=stays)


def _warmed(name: str, log: list[str], shape: object = None) -> Case:
    case = _case(name, _one_row, log)
    return replace(case, warm=lambda _: log.append(f"warm {name}"), shape=shape)


def test_a_stage_that_comes_next_again_stays_open() -> None:
    log: list[str] = []
    stages = [_logged(name, [_warmed(name, log)], log) for name in "AB"]
    seen = Seen()
    measure(stages, 3, seen, opening=True)
    assert log == [
        *("open A", "A", "A", "close A"),
        *("open B", "B", "B", "B", "close B"),
        *("open A", "warm A", "A", "A", "close A"),
        *("open B", "warm B", "B", "close B"),
    ]
    assert seen.planned == len(seen.cells) == 8


def test_what_a_run_changes_is_opened_anew_for_each() -> None:
    log: list[str] = []
    measure([_logged("A", [_warmed("A", log)], log, stays=False)], 2, Seen(), opening=True)
    assert log == ["open A", "warm A", "A", "close A"] * 3


def test_cases_of_a_shape_share_their_warm_up() -> None:
    log: list[str] = []
    cases = [_warmed("a", log, "small"), _warmed("b", log, "small"), _warmed("c", log, "large")]
    cells, _ = measure([Stage(tuple(cases))], 1, Seen())
    assert log == ["warm a", "a", "b", "warm c", "c"]
    log.clear()
    cells, _ = measure([Stage(tuple(cases))], 1, Seen(), opening=True)
    assert log == ["a", "a", "b", "c", "c"]
    assert [len(cell.counted) for cell in cells] == [1, 1, 1]


def test_what_fails_says_why_once_and_the_rest_goes_on() -> None:
    log: list[str] = []

    def no_room() -> Work:
        raise BackendError("the card has no room")

    stages = [Stage((_case("bad", no_room, log), _case("good", _one_row, log)))]
    cells, _ = measure(stages, 3, Seen())
    assert cells[0].failed == "the card has no room"
    assert not cells[0].runs
    assert len(cells[1].runs) == 3
    assert log.count("bad") == 1


def test_what_cannot_run_is_known_before_and_never_begun() -> None:
    log: list[str] = []
    never = replace(_case("never", _one_row, log), why_not="it is not built")
    seen = Seen()
    cells, stopped = measure([Stage((never, _case("good", _one_row, log)))], 2, seen, minutes=0)
    assert (cells[0].failed, cells[1].failed, stopped) == ("it is not built", None, OUT_OF_TIME)
    measure([Stage((never,)), Stage((_case("good", _one_row, log),))], 2, seen)
    assert log == ["good", "good"] and seen.planned == 2


def test_a_stage_that_does_not_open_fails_its_cells_alone() -> None:
    @contextmanager
    def closed() -> Iterator[None]:
        raise RuntimeError("CUDA out of memory")
        yield

    stages = [Stage((_case("a", _one_row),), closed), Stage((_case("b", _one_row),))]
    seen = Seen()
    cells, _ = measure(stages, 2, seen)
    assert cells[0].failed == "CUDA out of memory"
    assert len(cells[1].runs) == 2


def test_ctrl_c_keeps_what_was_measured() -> None:
    def stop() -> Work:
        raise KeyboardInterrupt

    stages = [Stage((_case("a", _one_row),)), Stage((_case("b", stop),))]
    cells, stopped = measure(stages, 3, Seen())
    assert stopped == INTERRUPTED
    assert [len(cell.runs) for cell in cells] == [1, 0]


def test_minutes_that_are_spent_end_it() -> None:
    cells, stopped = measure([Stage((_case("a", _one_row),))], 3, Seen(), minutes=0.0)
    assert stopped == OUT_OF_TIME
    assert not cells[0].runs


def test_unequal_work_is_marked() -> None:
    frames = iter((4, 5))
    stages = [Stage((_case("a", lambda: Work(rows=1, frames=next(frames))),))]
    cells, _ = measure(stages, 2, Seen())
    assert "unequal work" in str(cells[0].failed)
    assert len(cells[0].runs) == 2


def test_the_guess_of_what_is_left_ends_at_nothing() -> None:
    left: list[float | None] = []

    class Guesses(Seen):
        def ran(self, cell: Cell, left_s: float | None) -> None:
            left.append(left_s)

    measure([Stage((_case("a", _one_row), _case("b", _one_row)))], 2, Guesses())
    assert len(left) == 4
    assert left[-1] == 0


@given(st.lists(st.floats(0.9, 1.1), min_size=4, max_size=9), st.integers(0, 8))
def test_a_run_far_from_all_others_is_an_outlier(times: list[float], place: int) -> None:
    times.insert(min(place, len(times)), 100.0)
    assert times.index(100.0) in outliers(times)


def test_runs_that_agree_within_five_percent_are_none() -> None:
    assert outliers([1.0, 1.0, 1.0, 1.0, 1.04]) == []


def test_figures_are_over_all_runs() -> None:
    work = Work(rows=2, characters=20, frames=50, steps=25, audio_s=4.0)
    runs = tuple(Run(i, s) for i, s in enumerate((1.0, 1.0, 1.0, 1.0, 9.0)))
    figures = figures_of(Cell("table", {}, runs, work))
    assert figures is not None
    assert (figures.min_s, figures.median_s, figures.max_s) == (1.0, 1.0, 9.0)
    assert figures.outliers == 1
    assert figures.real_time == 4.0
    assert figures.ms_per_frame == 40.0
