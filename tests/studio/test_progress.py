"""How far a run is: the time left is told from the pace, once there is one."""

from __future__ import annotations

from pathlib import Path

from narrate.core import Take
from narrate.store import Line
from narrate.studio.progress import Speaking, Tally

CHUNKS, CHARACTERS = 1000, 100


def line(number: int) -> Line:
    return Line(0, number, f"{number}", 0, CHARACTERS, 0.0)


class Run:
    """A book of equal chunks, each counted when the clock says so."""

    def __init__(self) -> None:
        self.now_s, self.said = 0.0, list[Speaking]()
        self.lines = [line(number) for number in range(CHUNKS)]
        takes = {one.take_key: [one] for one in self.lines}
        self.tally = Tally("book", self.lines, takes, (), self.said.append, lambda: self.now_s)
        self.next = iter(self.lines)

    def speak(self, count: int, every_s: float) -> None:
        for _ in range(count):
            self.now_s += every_s
            one = next(self.next)
            self.tally.add(take(one), [one])

    @property
    def left_s(self) -> float | None:
        return self.said[-1].eta_s


def take(one: Line) -> Take:
    return Take(
        one.take_key, Path("take.flac"), "", samples=48000, rate_hz=24000, seed=0, attempt=0
    )


def test_a_long_start_is_no_pace() -> None:
    run = Run()
    run.now_s = 60.0
    run.speak(1, 0.0)
    assert run.left_s is None, "one take after a minute is not a minute a take"
    run.speak(100, 0.5)
    assert run.left_s is not None
    assert abs(run.left_s - (CHUNKS - 101) * 0.5) < 5


def test_what_comes_at_once_is_no_pace() -> None:
    run = Run()
    run.now_s = 20.0
    run.speak(64, 0.001)
    assert run.left_s is None, "64 takes in a moment are not 64,000 a second"
    run.now_s += 10.0
    run.speak(64, 0.001)
    assert run.left_s is not None
    assert 100 < run.left_s < 200


def test_takes_that_are_spoken_again_count_once() -> None:
    run = Run()
    run.speak(100, 0.5)
    before = run.left_s
    for one in run.lines[:3]:
        run.tally.again(take(one), [one])
    assert before is not None and run.left_s is not None
    assert run.left_s > before
    for one in run.lines[3:100]:
        run.tally.again(take(one), [one])
    assert run.left_s is None
