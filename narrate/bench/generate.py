"""`narrate bench generate`: speaking, whole and in parts, by text length and by batch."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from narrate.bench.asked import Generate, numbers
from narrate.bench.cold import EMPTY, FILLED, NO_KERNELS, prepare, start_cold
from narrate.bench.contestants import Contestant, contestants
from narrate.bench.limits import card_of, frame_limit_ms
from narrate.bench.measure import Case, Stage
from narrate.bench.models import Measured, the_model
from narrate.bench.results import Work
from narrate.bench.texts import LENGTHS, chapter, frames_for, rows, sample
from narrate.bench.voices import bench_voice
from narrate.core import Spoken, Utterance
from narrate.errors import BackendError, UsageError
from narrate.speech.backend import Backend, open_backend
from narrate.speech.caps import FRAMES_PER_S
from narrate.speech.devices import cuda_cards
from narrate.speech.machine import look_at_machine

__all__ = [
    "GROUPS",
    "open_contestant",
    "positions_of",
    "speak_all",
    "stages",
    "warm_up",
]

GROUPS = ("cold", "prompt", "text", "batch", "together", "reference", "chapter")
_BATCHES, _QUICK_BATCHES = (1, 8, 32, 128), (1, 4)
_QUICK_LENGTHS, _QUICK_FRAMES, _QUICK_CHUNKS = (12, 44, 97), 8, 6
_MIDDLE = 187
_WARM_FRAMES = 4
_CHAPTER_BATCH = 64
_PROMPT_POSITIONS = 64  # three seconds of reference, and what frames a prompt
_REFERENCES_S, _QUICK_REFERENCES_S = (3, 30, 58), (3, 12)  # a minute is the longest there is


@dataclass(frozen=True, slots=True)
class _Plan:
    groups: tuple[str, ...]
    lengths: tuple[int, ...]
    batches: tuple[int, ...]
    frames: int | None
    chunks: int | None
    speakers: tuple[Contestant, ...]
    caches: tuple[str, ...]
    references_s: tuple[int, ...]

    @property
    def middle(self) -> int:
        """The text of the batches."""
        return min(self.lengths, key=lambda length: abs(length - _MIDDLE))

    @property
    def chapter_batch(self) -> int:
        """A chapter has no more rows than this."""
        return max((b for b in self.batches if b <= _CHAPTER_BATCH), default=self.batches[0])


def _plan(asked: Generate) -> _Plan:
    quick = asked.quick
    batches = numbers(asked.batch, "--batch") if asked.batch else None
    lengths = numbers(asked.characters, "--characters") if asked.characters else None
    unknown = set(lengths or ()) - set(LENGTHS)
    if unknown:
        raise UsageError(
            f"there is no text of {min(unknown)} characters",
            where="--characters",
            remedy=f"choose from {', '.join(map(str, LENGTHS))}",
        )
    usual = tuple(name for name in GROUPS if name != "cold" or not quick)
    groups = tuple(asked.groups.split(",")) if asked.groups else usual
    if set(groups) - set(GROUPS):
        raise UsageError(
            f"there is no table called {min(set(groups) - set(GROUPS))!r}",
            where="--groups",
            remedy=f"choose from {', '.join(GROUPS)}",
        )
    return _Plan(
        groups=groups,
        lengths=lengths or (_QUICK_LENGTHS if quick else LENGTHS),
        batches=batches or (_QUICK_BATCHES if quick else _BATCHES),
        frames=asked.frames or (_QUICK_FRAMES if quick else None),
        chunks=_QUICK_CHUNKS if quick else None,
        speakers=contestants(asked.backends),
        caches=(EMPTY,) if quick else (EMPTY, FILLED),
        references_s=_QUICK_REFERENCES_S if quick else _REFERENCES_S,
    )


@contextmanager
def stages(asked: Generate) -> Iterator[tuple[Sequence[Stage], Mapping[str, Any]]]:
    """The stages of this measurement, and what the report should say about its model."""
    plan = _plan(asked)
    with the_model(asked.model, asked.random_weights) as measured:
        about = {
            "model": measured.said,
            "work": _work(plan, measured),
            **_limits(plan, measured),
        }
        yield list(_stages(plan, measured)), about


def _work(plan: _Plan, measured: Measured) -> str:
    if not measured.endless:
        return "rows end by themselves, so frames may differ between cells"
    cut = "" if plan.frames is None else f", {plan.frames} of a row at most"
    return f"fixed frames by text length{cut}; the model never ends by itself"


def _limits(plan: _Plan, measured: Measured) -> Mapping[str, Any]:
    """The least milliseconds of a frame by batch, for cards whose data sheet is known."""
    frames = frames_for(plan.middle, plan.frames)
    found = {str(batch): _card_limit_ms(measured, batch, frames) for batch in plan.batches}
    return {"limits": found} if all(found.values()) else {}


def _card_limit_ms(measured: Measured, batch: int, frames: int) -> float | None:
    """The least milliseconds of a frame in the middle of so many; None for an unknown card."""
    card = card_of(look_at_machine().cards[0].name) if cuda_cards() else None
    if card is None:
        return None
    folder, positions = measured.checkpoint.folder, _PROMPT_POSITIONS + frames // 2
    return frame_limit_ms(folder, card, batch, positions)


def _stages(plan: _Plan, measured: Measured) -> Iterator[Stage]:
    if "cold" in plan.groups:
        for one in plan.speakers:
            for cache in plan.caches if one.compiles else (NO_KERNELS,):
                axes = {"backend": one.words, "kernel cache": cache}
                start = partial(_cold, start_cold, one, measured, cache)
                before = partial(_cold, prepare, one, measured, cache)
                yield Stage((Case("cold", axes, start, before, opens=False),))
    if "prompt" in plan.groups:
        yield Stage((Case("prompt", {"what": "voice prompt alone"}, partial(_prompt, measured)),))
    for speaker in plan.speakers:
        for batches in _opened_together(plan, speaker):
            cases = [one for batch in batches for one in _cases(plan, measured, speaker, batch)]
            if cases:
                positions = max(case.positions for case in cases)
                opened = partial(open_contestant, speaker, measured, max(batches), positions)
                yield Stage(tuple(case.case for case in cases), opened)


def _opened_together(plan: _Plan, speaker: Contestant) -> list[tuple[int, ...]]:
    """Batches that need no opening of their own: a chapter is cut by what was opened for."""
    if speaker.fixed_batch:
        return [(batch,) for batch in plan.batches]
    most = plan.chapter_batch if "chapter" in plan.groups else max(plan.batches)
    up_to = tuple(batch for batch in plan.batches if batch <= most)
    above = tuple(batch for batch in plan.batches if batch > most)
    return [up_to, above] if above else [up_to]


def _cold(
    act: Callable[..., Any], one: Contestant, measured: Measured, cache: str, _: object
) -> Any:
    return act(one.words, measured, cache)


@dataclass(frozen=True, slots=True, eq=False)
class _Sized:
    case: Case
    positions: int


def _cases(plan: _Plan, measured: Measured, one: Contestant, batch: int) -> Iterator[_Sized]:
    """What is spoken while the model is open for this batch."""
    named = {"backend": one.words}

    def case(
        group: str,
        axes: Mapping[str, Any],
        said: list[Utterance],
        how: Callable[..., Work] = _speak,
        heard: Measured = measured,
        shape: Hashable = None,
    ) -> _Sized:
        speak, warm = partial(how, heard, said, batch), partial(warm_up, heard, said)
        return _Sized(Case(group, axes, speak, warm, shape=shape), positions_of(said))

    if "text" in plan.groups and batch == plan.batches[0]:
        for length in plan.lengths:
            axes = {**named, "characters": length, "batch": batch}
            said = rows(sample(length), batch, plan.frames)
            yield case("text", axes, said, shape=(batch, said[0].frame_cap))
    middle = rows(sample(plan.middle), batch, plan.frames)
    if "batch" in plan.groups:
        axes = {**named, "batch": batch, "characters": plan.middle}
        yield case("batch", axes, middle, shape=(batch, middle[0].frame_cap))
    if "together" in plan.groups and batch == plan.batches[0]:
        axes = {**named, "what": "voice prompt and generation"}
        yield case("together", axes, middle, _together)
        axes = {**named, "what": "generation alone"}
        yield case("together", axes, middle)
    if "reference" in plan.groups and batch == plan.batches[0]:
        for seconds in plan.references_s:
            voice = bench_voice(measured.folder, measured.checkpoint, seconds)
            axes = {**named, "reference s": seconds, "batch": batch}
            sized = case("reference", axes, middle, heard=replace(measured, voice=voice))
            yield replace(sized, positions=sized.positions + round(seconds * FRAMES_PER_S))
    if "chapter" in plan.groups and batch == plan.chapter_batch:
        axes = {**named, "batch": batch}
        yield case("chapter", axes, chapter(plan.frames, plan.chunks))


def positions_of(said: Sequence[Utterance]) -> int:
    """Positions that the longest row can need: its prompt, its text, its frames."""
    longest = max(said, key=lambda one: len(one.spoken))
    return _PROMPT_POSITIONS + len(longest.spoken) + int(longest.frame_cap or 0)


def open_contestant(
    one: Contestant, measured: Measured, batch: int, positions: int
) -> AbstractContextManager[Backend]:
    """The backend, open for so many rows of so many positions; closed at the end."""
    return closing(open_backend(one.backend, one.options(measured.checkpoint, batch, positions)))


def warm_up(measured: Measured, said: Sequence[Utterance], backend: Backend) -> None:
    """Say the first frames of all rows: kernels are compiled, graphs recorded, memory taken."""
    few = [replace(one, frame_cap=min(_WARM_FRAMES, one.frame_cap or 1)) for one in said]
    list(backend.speak(iter(few), measured.voice))


def _speak(measured: Measured, said: Sequence[Utterance], batch: int, backend: Backend) -> Work:
    work, _ = speak_all(measured, said, batch, backend)
    return work


def speak_all(
    measured: Measured, said: Sequence[Utterance], batch: int, backend: Backend
) -> tuple[Work, list[Spoken]]:
    """Speak all of it; the frames that came out are counted, not assumed."""
    spoken = list(backend.speak(iter(said), measured.voice))
    facts: Mapping[str, str] = dict(getattr(backend, "in_use", {}))
    together = min(batch, len(said))
    if int(facts.get("batch", together)) < together:
        raise BackendError(f"no memory for {batch} rows: {facts['batch']} were spoken together")
    frames = [int(str(one.checks["frames"])) for one in spoken]
    if measured.endless and sum(frames) != sum(int(one.frame_cap or 0) for one in said):
        raise ValueError(f"{sum(frames)} frames came out, not those that were asked for")
    work = Work(
        rows=len(said),
        characters=sum(len(one.spoken) for one in said),
        frames=sum(frames),
        whole_frames=sum(frames_for(len(one.spoken)) for one in said) if measured.endless else 0,
        steps=max(frames) if len(said) <= batch else None,
        audio_s=sum(frames) / FRAMES_PER_S,
        facts=facts,
    )
    return work, spoken


def _together(measured: Measured, said: Sequence[Utterance], batch: int, backend: Backend) -> Work:
    """The same with the voice's prompt computed anew."""
    assert measured.voice.prompt_path is not None
    measured.voice.prompt_path.unlink(missing_ok=True)
    return _speak(measured, said, batch, backend)


def _prompt(measured: Measured, _: object) -> Work:
    from narrate.speech.encoding import encode_voice

    prompt = encode_voice(measured.voice, measured.checkpoint)
    frames = 0 if prompt.codes is None else len(prompt.codes)
    return Work(rows=1, frames=frames, audio_s=frames / FRAMES_PER_S)
