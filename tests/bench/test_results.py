"""`results.json`: what is written comes back, and what is broken is refused in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from narrate.bench.afterwards import afterwards
from narrate.bench.asked import Redraw
from narrate.bench.compare import comparison
from narrate.bench.report import report, write_report
from narrate.bench.results import Cell, Results, Run, Work, read_results
from narrate.errors import InputError


def _cell(backend: str, times: tuple[float, ...], frames: int = 40) -> Cell:
    runs = tuple(Run(number, wall_s, 1 << 30) for number, wall_s in enumerate(times, start=1))
    work = Work(rows=1, characters=44, frames=frames, steps=frames, audio_s=frames / 12.5)
    return Cell("text", {"backend": backend, "characters": 44, "batch": 1}, runs, work)


@pytest.fixture
def results() -> Results:
    failed = Cell("text", {"backend": "c|d", "characters": 44, "batch": 1}, failed="no room at all")
    return Results(
        part="generate",
        made_at="2026-01-01T00:00:00+00:00",
        command="narrate bench generate",
        asked={"about": {"model": "random weights, tiny"}},
        environment={"card": None, "cores": 2, "load_at_start": 0.1, "versions": {"torch": "2"}},
        cells=(_cell("a", (1.0, 1.1, 1.2)), _cell("b", (2.0, 2.1, 2.2)), failed),
    )


def test_what_is_written_comes_back(results: Results, tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(results.text())
    assert read_results(tmp_path) == results
    assert read_results(tmp_path / "results.json") == results


def _without(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda held: held.pop(key)


BREAKS: dict[str, Callable[[dict[str, Any]], object]] = {
    "no schema": _without("schema"),
    "another schema": lambda held: held.update(schema=99),
    "no cells": _without("cells"),
    "no runs": lambda held: held["cells"][0].pop("runs"),
    "a time that is none": lambda held: held["cells"][0]["runs"][0].update(wall_s="fast"),
    "less than no time": lambda held: held["cells"][0]["runs"][0].update(wall_s=-1),
    "a word too many": lambda held: held.update(surprise=1),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_file_is_refused(results: Results, tmp_path: Path, name: str) -> None:
    held = json.loads(results.text())
    BREAKS[name](held)
    path = tmp_path / "results.json"
    path.write_text(json.dumps(held))
    with pytest.raises(InputError) as caught:
        read_results(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe", b"null"])
def test_what_is_no_results_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "results.json"
    path.write_bytes(content)
    with pytest.raises(InputError):
        read_results(path)
    with pytest.raises(InputError):
        read_results(tmp_path / "none")


def test_the_report_says_what_it_is_worth_and_what_failed(results: Results) -> None:
    said = report(results, ())
    assert "not on a card" in said
    assert "| c/d |" in said  # a bar would divide the table
    assert "1. no room at all" in said
    assert "a is 1.91 times as fast as b, and no run overlaps" in said
    stopped = report(replace(results, stopped="stopped by Ctrl-C"), ())
    assert "Not complete: stopped by Ctrl-C" in stopped


def test_runs_that_overlap_are_not_told_apart(results: Results) -> None:
    near = replace(results, cells=(_cell("a", (1.0, 1.2)), _cell("b", (1.1, 1.3))))
    assert "not told apart" in report(near, ())


def test_one_run_says_little(results: Results) -> None:
    once = replace(results, cells=(_cell("a", (1.0,)), _cell("b", (2.0,))))
    assert "a took 1 s and b 2 s, in one run each: too few" in report(once, ())
    assert comparison(results, once).count("one run says little") == 2


def test_a_report_is_drawn_beside_its_results(results: Results, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    write_report(results, tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".md", ".png"}


def test_comparing_says_who_is_faster_only_where_runs_are_apart(results: Results) -> None:
    slower = replace(results, cells=(_cell("a", (2.0, 2.1, 2.2)), _cell("b", (2.1, 2.2, 2.3))))
    lines = {line.split("|")[2].strip(): line for line in comparison(results, slower).splitlines()
             if line.startswith("| text")}  # fmt: skip
    first, second = lines.values()
    assert "A is faster" in first
    assert "1.909" in first
    assert "within the spread" in second


def test_comparing_refuses_what_has_nothing_in_common(results: Results) -> None:
    with pytest.raises(InputError):
        comparison(results, replace(results, part="attention"))
    with pytest.raises(InputError):
        comparison(results, replace(results, cells=(_cell("z", (1.0,)),)))


def test_comparing_shows_unequal_work(results: Results) -> None:
    other = replace(results, cells=(_cell("a", (0.1,), frames=4),))
    assert "unequal work" in comparison(results, other)


def test_a_row_that_a_cap_cut_says_so_and_has_no_characters_a_second(results: Results) -> None:
    cell = _cell("a", (1.0,), 16)
    assert cell.work is not None
    cut = replace(results, cells=(replace(cell, work=replace(cell.work, whole_frames=37)),))
    assert "16 of 37" in report(cut, ())
    assert "characters/s" not in report(cut, ())
    assert "characters/s" in report(results, ())


def test_cells_that_no_report_can_be_drawn_of_are_refused(results: Results, tmp_path: Path) -> None:
    strange = replace(results.cells[0], axes={"voice": "mine"})
    (tmp_path / "results.json").write_text(replace(results, cells=(strange,)).text())
    with pytest.raises(InputError, match="no whole results file"):
        afterwards(Redraw(results=str(tmp_path)))
