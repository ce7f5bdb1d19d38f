"""What can be asked for: one frozen value a command, from which both command lines are made.

`narrate bench` (typer) and `python -m narrate.bench` (argparse, for machines without typer) read
the fields of these classes: their names, types, defaults and words. There is no other parser.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from narrate.bench.texts import LENGTHS
from narrate.errors import UsageError

__all__ = [
    "COMMANDS",
    "Asked",
    "Attention",
    "Book",
    "Compare",
    "Frontend",
    "Generate",
    "Optimizations",
    "Redraw",
    "Stitch",
    "Store",
    "Word",
    "numbers",
    "words_of",
]


def _word(default: Any, said: str, metavar: str | None = None) -> Any:
    return field(default=default, metadata={"said": said, "metavar": metavar})


def _argument(said: str, metavar: str) -> Any:
    return field(metadata={"said": said, "metavar": metavar, "argument": True})


@dataclass(frozen=True, slots=True)
class Word:
    """One option or argument of a command; `kind` is str, int, float or bool."""

    name: str
    kind: type
    default: Any
    said: str
    metavar: str | None
    argument: bool

    @property
    def option(self) -> str:
        """How it is written."""
        return "--" + self.name.replace("_", "-")


def words_of(asked: type) -> Iterator[Word]:
    """The options of a command, in order."""
    hints = get_type_hints(asked)
    for one in dataclasses.fields(asked):
        kinds = [kind for kind in (str, int, float, bool) if kind.__name__ in str(hints[one.name])]
        yield Word(
            name=one.name,
            kind=kinds[0],
            default=None if one.default is dataclasses.MISSING else one.default,
            said=one.metadata["said"],
            metavar=one.metadata["metavar"],
            argument=bool(one.metadata.get("argument")),
        )


def numbers(words: str, option: str) -> tuple[int, ...]:
    """Understand `1,8,32`; a `UsageError` names the option."""
    parts = [part.strip() for part in words.split(",")]
    if not all(part.isdecimal() and int(part) for part in parts):
        raise UsageError(
            f"{option} does not understand {words!r}",
            remedy="write numbers from 1 up with commas between, such as 1,8,32",
        )
    return tuple(dict.fromkeys(map(int, parts)))


_QUICK_MINUTES = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What every measurement can be told."""

    out: str | None = _word(None, "The folder of the report; outputs/bench-… by default.", "DIR")
    runs: int | None = _word(None, "Rounds that count; each runs every cell once.", "N")
    minutes: float | None = _word(None, "Stop after so many minutes, keep what is there.", "X")
    commit: str | None = _word(None, "The code's revision, where git cannot tell.", "REVISION")
    quick: bool = _word(False, "A small selection, ended before two minutes are over.")

    @property
    def most_minutes(self) -> float | None:
        """When to stop; a quick look leaves time to load before, and to draw after."""
        return _QUICK_MINUTES if self.quick and self.minutes is None else self.minutes

    def rounds(self, usual: int) -> int:
        """How many rounds, 2 for a quick look."""
        rounds = (2 if self.quick else usual) if self.runs is None else self.runs
        if rounds < 1:
            raise UsageError(f"{rounds} rounds measure nothing", where="--runs")
        return rounds


@dataclass(frozen=True, slots=True, kw_only=True)
class _OnModel(Asked):
    model: str | None = _word(None, "1.7b, 0.6b, a folder, or a name on the hub.", "MODEL")
    random_weights: str | None = _word(
        None, "Instead of a model: random weights of the size 1.7b, 0.6b or tiny.", "SIZE"
    )
    frames: int | None = _word(None, "The most frames of a row; by the text's length.", "N")

    def __post_init__(self) -> None:
        if self.model and self.random_weights:
            raise UsageError(
                "a model is either given or made of random weights",
                where="--model and --random-weights",
                remedy="leave one of them out",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Generate(_OnModel):
    """Measure speaking: cold start, the voice's prompt, texts by length, batches, a chapter.

    Examples:

        narrate bench generate --random-weights tiny --quick

        narrate bench generate --random-weights 1.7b --backends official:sdpa,qwen --batch 1,32
    """

    backends: str = _word("official:sdpa,qwen", "What speaks, with commas between.", "NAMES")
    batch: str | None = _word(None, "Rows that are spoken together; 1,8,32,128.", "N,…")
    characters: str | None = _word(
        None, f"Lengths of texts, of {','.join(map(str, LENGTHS))}.", "N,…"
    )
    groups: str | None = _word(
        None,
        "Only these tables: cold (with --quick only if named), prompt, text, batch, together, "
        "reference, chapter.",
        "NAMES",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention(Asked):
    """Measure attention alone: whole sequences, packed ones, and one step of this model.

    Examples:

        narrate bench attention --quick
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizations(_OnModel):
    """Measure what each optimisation is worth: a ladder from fp32 to the engine.

    Examples:

        narrate bench optimizations --random-weights tiny --quick
    """

    batch: int | None = _word(None, "Rows of the rungs that speak in batches, 32.", "N")
    modes: str | None = _word(
        None, "Modes of torch.compile, with commas, or none; all by default.", "NAMES"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _OnDocument(Asked):
    document: str | None = _word(None, "A document of yours; a text of ours by default.", "FILE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontend(_OnDocument):
    """Measure reading and planning: from a file to chunks.

    Examples:

        narrate bench frontend --quick
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Store(Asked):
    """Measure the store: takes encoded, hashed, written and committed, and asked for again.

    Examples:

        narrate bench store --quick
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Stitch(Asked):
    """Measure stitching: a chapter's takes to one WAV.

    Examples:

        narrate bench stitch --quick
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Book(_OnDocument):
    """Measure a whole book in the preview voice, without Prefect: cold, and with nothing to do.

    Examples:

        narrate bench book --quick
    """


@dataclass(frozen=True, slots=True)
class Compare:
    """Set two measurements side by side: ratios, and whether they exceed the spread.

    Examples:

        narrate bench compare before/results.json after/results.json
    """

    a: str = _argument("The results that are compared with.", "A")
    b: str = _argument("The results that are compared.", "B")


@dataclass(frozen=True, slots=True)
class Redraw:
    """Write the report of measured results again: tables, findings, plots.

    Examples:

        narrate bench redraw outputs/bench-generate/results.json
    """

    results: str = _argument("A results.json, or its folder.", "RESULTS")


COMMANDS: Mapping[str, type] = {
    one.__name__.lower(): one
    for one in (Generate, Attention, Optimizations, Frontend, Store, Stitch, Book, Compare, Redraw)
}
