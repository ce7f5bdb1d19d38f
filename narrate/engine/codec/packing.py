"""Where each frame goes: utterances of any length side by side in passes of one fixed size.

No torch here. A pass of the wave decoder has `frames` places. Neighbours are kept apart by `gap`
places, which every convolution sees as the zeros before a beginning, or as the end of the past that
all utterances go on from: so an utterance sounds as if it were alone, and no place is padding but
for the end, which what waits is chosen to fill. The transformer, a hundredth of the work, looks
much further back than the convolutions do: it runs in passes of its own, over as much of the
context as it can see, and hands the latents that the wave decoder needs to their places. The past
that utterances go on from is computed once a run, and all of them see it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, count, pairwise

import numpy as np

from narrate.engine.codec.config import PRE_TAPS, CodecConfig

__all__ = [
    "HEARD",
    "NOBODY",
    "PAST",
    "Gathering",
    "Layout",
    "Pass",
    "Piece",
    "Run",
    "Span",
    "Table",
    "best_sum",
    "cut",
]

Table = np.ndarray[tuple[int, ...], np.dtype[np.int32]]

# Parts of a pass: a quarter more than one waits, to choose its end from (docs/log.md has what more
# and less of it give); the half that comes first is not chosen.
_SPARE, _OLDEST = 4, 2

PAST = 0
"""The utterance number of the shared past in a run; the others count from 1."""
NOBODY, HEARD = -1, -2
"""Numbers of places that are nobody's, and of those that only the first convolution reads."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Frames first .. end of one item's codes, to be decoded in one pass.

    One that `follows` begins where the past that all items share has ended.
    """

    item: int
    first: int
    end: int
    follows: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """Codes first .. end of an item at place `at` of a transformer's run.

    Those from `kept` on go to the wave decoder, to place `to` and after. An item of None is the
    past itself. A span that follows it has the `heard` codes before its first one on the places
    before `at`, for the first convolution; attention looks at the past's own places.
    """

    item: int | None
    first: int
    end: int
    at: int
    kept: int
    to: int
    heard: int = 0

    @property
    def follows(self) -> bool:
        """Whether it goes on from the past: what does hears some of it."""
        return self.heard > 0


@dataclass(slots=True)
class Run:
    """One pass of the transformer; `past` is that of its spans which has the past."""

    used: int = 0
    spans: list[Span] = field(default_factory=list)
    past: Span | None = None


@dataclass(slots=True)
class Pass:
    """One pass of the wave decoder, and the runs of the transformer that feed it.

    `cuts` says where each piece's own frames lie: (piece, place of its first frame).
    """

    used: int = 0
    runs: list[Run] = field(default_factory=list)
    cuts: list[tuple[Piece, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Layout:
    """The fixed sizes: places of a wave pass and of a transformer's run, reaches and gap.

    A run's spans begin at multiples of `grain`, the step of the attention: so its sums have the
    same order wherever an utterance lies, and its samples the same bytes.
    """

    frames: int
    run_frames: int
    transformer_reach: int
    wave_reach: int
    gap: int
    grain: int = 1

    @classmethod
    def of(cls, config: CodecConfig, frames: int, grain: int = 1) -> Layout:
        """The sizes for passes of `frames`; a run has room for the longest piece and its past."""
        longest = frames - config.gap - config.wave_reach
        past = _up(config.gap, grain) + config.transformer_reach
        least = max(_up(past + config.gap, grain), past + config.wave_reach) + longest
        # What fills a pass should fit a single run, and each span begins at a multiple of `grain`.
        runs = _up(max(least, frames * 6 // 5), config.window)
        reaches = config.transformer_reach, config.wave_reach
        return cls(frames, runs, *reaches, config.gap, grain)

    @property
    def longest(self) -> int:
        """The most frames that one piece can have, whatever comes before it."""
        return self.frames - self.gap - self.wave_reach

    def before(self, piece: Piece) -> int:
        """Places of its own past that a piece takes: none where the gap stands for them."""
        return 0 if piece.follows else min(piece.first, self.wave_reach)

    def _after(self, used: int) -> int:
        """Where the next span of a run begins."""
        return _up(used + self.gap, self.grain)

    def alone(self, end: int, latents: int) -> Run:
        """A run of the past alone, of `end` codes: what the waves hear of it ends at `latents`."""
        kept = max(end - self.wave_reach - self.gap, 0)
        first = max(kept - self.transformer_reach, 0)
        at = self._after(0)
        return Run(at + end - first, [Span(None, first, end, at, kept, latents - (end - kept))])

    def needed(self, piece: Piece) -> int:
        """Places that a piece takes in a pass, with the gap before it."""
        return self.gap + self.before(piece) + piece.end - piece.first

    def fill(self, pieces: Iterable[Piece]) -> Pass:
        """A pass with these pieces side by side, which together need no more than its places."""
        one = Pass()
        for piece in pieces:
            start = one.used + self.gap
            if not (one.runs and self._enter(one.runs[-1], piece, start)):
                one.runs.append(Run())
                entered = self._enter(one.runs[-1], piece, start)
                assert entered, "more than a run holds"
            one.cuts.append((piece, start + self.before(piece)))
            one.used += self.needed(piece)
        assert one.used <= self.frames, "more than a pass holds"
        return one

    def _enter(self, run: Run, piece: Piece, to: int) -> bool:
        """Put a piece behind what the run has, the past before it if need be; False: no room."""
        kept = piece.first - self.before(piece)
        first = max(kept - self.transformer_reach, 0)
        used, past = run.used, run.past
        if piece.follows:
            if past is None:
                at = self._after(used)
                past = Span(None, first, piece.first, at, piece.first, self.frames)
                used = at + piece.first - first
            assert past.end == piece.first, "all that follow share one past"
            first = piece.first
        at = self._after(used)
        if at + piece.end - first > self.run_frames:
            return False
        if past is not None and run.past is None:
            run.past = past
            run.spans.append(past)
        heard = min(PRE_TAPS - 1, first) if piece.follows else 0
        run.spans.append(Span(piece.item, first, piece.end, at, kept, to, heard))
        run.used = at + piece.end - first
        return True

    def places(self, run: Run) -> Table:
        """By place of the run, five numbers.

        The utterance, the position in it, the place among the latents (the last: nowhere); where
        what follows the past begins, and how far before that the past ends (0 and 0 elsewhere).
        """
        places = np.zeros((5, self.run_frames), np.int32)
        places[0], places[2] = NOBODY, self.frames
        numbers = count(PAST + 1)
        for span in run.spans:
            length, kept = span.end - span.first, span.end - span.kept
            own, before = slice(span.at, span.at + length), 0
            places[0, own] = PAST if span is run.past else next(numbers)
            if span.follows and run.past is not None:
                before = run.past.end - run.past.first
                places[3:, own] = [[span.at], [span.at - run.past.at - before]]
                places[0, span.at - span.heard : span.at] = HEARD
            places[1, own] = before + np.arange(length)
            places[2, span.at + length - kept : span.at + length] = span.to + np.arange(kept)
        return places

    def live(self, one: Pass) -> tuple[Table, Table]:
        """By place of the pass: 1 where a frame is, and which of the past's last frames, or -1."""
        live = np.zeros(self.frames, np.int32)
        past = np.full(self.frames, -1, np.int32)
        for piece, at in one.cuts:
            live[at - self.before(piece) : at + piece.end - piece.first] = 1
            if piece.follows:
                past[at - self.gap : at] = np.arange(self.gap)
        return live, past


class Gathering:
    """Pieces that wait, somewhat more than a pass holds: its end is chosen so that it is full.

    A pass takes the oldest, up to half of its places, and of the rest what fills it best. The
    oldest always goes and newcomers wait behind all others, so nothing waits for ever. The first
    pass goes as soon as there is enough for one: somebody may be waiting to hear it.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._waiting: list[Piece] = []
        self._needed = 0
        self._spare = 0

    def add(self, piece: Piece) -> list[Pass]:
        """Let the piece wait; give the passes that go now: mostly none, or one."""
        self._waiting.append(piece)
        self._needed += self._layout.needed(piece)
        full = []
        while self._needed > self._layout.frames + self._spare:
            full.append(self._next())
            self._spare = self._layout.frames // _SPARE
        return full

    def put_back(self, passes: Iterable[Pass]) -> None:
        """Let the pieces of passes that could not go wait again, before all others."""
        for one in passes:
            self._waiting = [piece for piece, _ in one.cuts] + self._waiting
            self._needed += one.used

    def flush(self) -> list[Pass]:
        """Give passes for all that wait; what is added next is a beginning again."""
        rest = []
        while self._waiting:
            rest.append(self._next())
        self._spare = 0
        return rest

    def _next(self) -> Pass:
        needed = [self._layout.needed(piece) for piece in self._waiting]
        ends = list(accumulate(needed))
        oldest = max(1, bisect_right(ends, self._layout.frames // _OLDEST))
        chosen = best_sum(needed[oldest:], self._layout.frames - ends[oldest - 1])
        takes = {*range(oldest), *(oldest + number for number in chosen)}
        one = self._layout.fill(self._waiting[number] for number in sorted(takes))
        self._waiting = [piece for n, piece in enumerate(self._waiting) if n not in takes]
        self._needed -= one.used
        return one


def _up(number: int, to: int) -> int:
    """The next multiple of `to`."""
    return -(-number // to) * to


def best_sum(numbers: Sequence[int], most: int) -> list[int]:
    """Which of the numbers have the largest sum up to `most`: the earlier ones, of equal sums."""
    # Bit n of an entry: the numbers before it can give the sum n.
    sums, mask = [1], (1 << (most + 1)) - 1
    for number in numbers:
        sums.append((sums[-1] | sums[-1] << number) & mask)
    left = sums.pop().bit_length() - 1
    chosen = []
    for place in reversed(range(len(numbers))):
        if not sums[place] >> left & 1:
            chosen.append(place)
            left -= numbers[place]
    return chosen[::-1]


def cut(item: int, context: int, end: int, longest: int) -> Iterator[Piece]:
    """An item's own frames, context .. end, in pieces of at most `longest`, as equal as can be.

    The context is the past that all items share; the first piece follows it.
    """
    frames = end - context
    count = -(-frames // longest)
    marks = [context + frames * n // count for n in range(count + 1)] if count else []
    for first, last in pairwise(marks):
        yield Piece(item, first, last, 0 < first == context)
