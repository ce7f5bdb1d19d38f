"""Where each frame goes: utterances of any length side by side in passes of one fixed size.

No torch here. A pass of the wave decoder has `frames` places. Neighbours are kept apart by `gap`
places, which every convolution sees as the zeros before a beginning, or as the end of the past that
all utterances go on from: so an utterance sounds as if it were alone, and no place is padding but
for the end. The transformer, a hundredth of the
work, looks much further back than the convolutions do: it runs in passes of its own, over as much
of the context as it can see, and hands the latents that the wave decoder needs to their places.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from narrate.engine.codec.config import CodecConfig

__all__ = ["Layout", "Pass", "Piece", "Run", "Span", "cut"]


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

    Those from `kept` on go to the wave decoder, to place `to` and after.
    """

    item: int
    first: int
    end: int
    at: int
    kept: int
    to: int


@dataclass(slots=True)
class Run:
    """One pass of the transformer."""

    used: int = 0
    spans: list[Span] = field(default_factory=list)


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
        least = frames + config.transformer_reach + config.wave_reach + config.gap + grain
        # Short utterances come with a past each: what fills a pass should fit a single run.
        runs = -(-max(least, frames * 11 // 8) // config.window) * config.window
        reaches = config.transformer_reach, config.wave_reach
        return cls(frames, runs, *reaches, config.gap, grain)

    @property
    def longest(self) -> int:
        """The most frames that one piece can have, whatever comes before it."""
        return self.frames - self.gap - self.wave_reach

    def before(self, piece: Piece) -> int:
        """Places of its own past that a piece takes: none where the gap stands for them."""
        return 0 if piece.follows else min(piece.first, self.wave_reach)

    def after(self, run: Run) -> int:
        """Where the next span of a run begins."""
        return -(-(run.used + self.gap) // self.grain) * self.grain

    def place(self, one: Pass, piece: Piece) -> bool:
        """Give the piece its places in the pass, or say that it has no room for it."""
        before = self.before(piece)
        needed = self.gap + before + piece.end - piece.first
        if one.used + needed > self.frames:
            return False
        start = one.used + self.gap
        kept = piece.first - before
        first = max(kept - self.transformer_reach, 0)
        length = piece.end - first
        if not one.runs or self.after(one.runs[-1]) + length > self.run_frames:
            one.runs.append(Run())
        run = one.runs[-1]
        at = self.after(run)
        run.spans.append(Span(piece.item, first, piece.end, at, kept, start))
        run.used = at + length
        one.cuts.append((piece, start + before))
        one.used += needed
        return True


def cut(item: int, context: int, end: int, longest: int) -> Iterator[Piece]:
    """An item's own frames, context .. end, in pieces of at most `longest`, as equal as can be.

    The context is the past that all items share; the first piece follows it.
    """
    frames = end - context
    count = -(-frames // longest)
    marks = [context + frames * n // count for n in range(count + 1)] if count else []
    for first, last in pairwise(marks):
        yield Piece(item, first, last, 0 < first == context)


def passes(layout: Layout, lengths: Sequence[tuple[int, int]]) -> list[Pass]:
    """All passes for items of (context, frames with context), in the order given."""
    out: list[Pass] = []
    for item, (context, end) in enumerate(lengths):
        for piece in cut(item, context, end, layout.longest):
            if not out or not layout.place(out[-1], piece):
                out.append(Pass())
                if not layout.place(out[-1], piece):
                    raise AssertionError("a piece of `longest` frames fits an empty pass")
    return out
