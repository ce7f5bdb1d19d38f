"""Rehearsals with Triton's own compiler, for a card that is made of paper.

`test_hurry.py` runs this in a process of its own, because other tests have Triton interpret.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
import triton
import triton.language as tl

from narrate.engine.hurry import rehearse
from tests.engine.paper import Paper, paper_card

WIDTHS = (16, 32, 64, 128)


def _add_one(x, BLOCK: tl.constexpr):
    lane = tl.arange(0, BLOCK)
    tl.store(x + lane, tl.load(x + lane) + 1)


class Bench:
    """A kernel in four widths, with what became of it."""

    def __init__(self, card: Paper) -> None:
        self.card, self.compilers = card, list[str]()
        self.kernel = triton.jit(_add_one)  # anew: a kernel keeps what was compiled of it
        self.x = torch.zeros(128)

    def launch(self) -> None:
        for width in WIDTHS:
            self.kernel[(1,)](self.x, width)

    def compiled(self, **_: object) -> None:
        """Triton's own word that a kernel is done."""
        self.compilers.append(threading.current_thread().name)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A paper card in this process's Triton, and no kernel compiled yet."""
    run = triton.JITFunction.run
    with paper_card(tmp_path) as card, triton.knobs.compilation.scope():
        held = Bench(card)
        triton.knobs.compilation.listener = held.compiled
        yield held
    assert triton.JITFunction.run is run


def test_kernels_are_compiled_by_threads_and_none_runs(bench: Bench) -> None:
    def twice() -> None:
        bench.launch()
        bench.launch()

    rehearse(twice)
    assert len(bench.compilers) == len(WIDTHS)
    assert all(name.startswith("compile") for name in bench.compilers)
    assert bench.card.launches == []

    bench.launch()
    assert len(bench.card.launches) == len(WIDTHS)
    assert len(bench.compilers) == len(WIDTHS), "a launch compiled again what was there"


@pytest.mark.parametrize("fault", [RuntimeError, KeyboardInterrupt])
def test_a_fault_in_it_leaves_nothing_behind(bench: Bench, fault: type[BaseException]) -> None:
    def half() -> None:
        bench.launch()
        raise fault

    if fault is KeyboardInterrupt:
        with pytest.raises(KeyboardInterrupt):
            rehearse(half)
    else:
        rehearse(half)
    assert bench.card.launches == []

    bench.launch()
    assert len(bench.card.launches) == len(WIDTHS)


def test_what_a_thread_could_not_compile_is_compiled_by_the_launch(bench: Bench) -> None:
    def fail_in_a_thread(**_: object) -> None:
        if threading.current_thread().name.startswith("compile"):
            raise MemoryError

    triton.knobs.compilation.listener = fail_in_a_thread
    rehearse(bench.launch)
    bench.launch()
    assert len(bench.card.launches) == len(WIDTHS)


def test_other_threads_launch_as_ever(bench: Bench) -> None:
    with ThreadPoolExecutor(1, "other") as other:
        rehearse(lambda: other.submit(bench.launch).result())
    assert len(bench.card.launches) == len(WIDTHS)
    assert all(name.startswith("other") for name in bench.card.launches)
