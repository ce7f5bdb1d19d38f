"""The loop around the model: order, refusals, faults and memory; the codec is a stand-in."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from narrate.core import Spoken, Utterance, VoicePrompt  # noqa: E402
from narrate.engine.engine import Engine  # noqa: E402
from narrate.engine.options import EngineOptions  # noqa: E402
from narrate.engine.parts import Parts  # noqa: E402
from narrate.engine.sampler import SamplingOptions  # noqa: E402
from narrate.errors import BackendError, UsageError  # noqa: E402
from tests.engine.conftest import Tiny, cloned  # noqa: E402

TEXTS = ["Hello there.", "A single man", "in want of a wife, of a wife.", "x", "The end of it."]


class Echo:
    """A codec that gives the codes themselves, so that a test sees what was said."""

    sample_rate, context = 24000, 4

    def __init__(self) -> None:
        self.held: list[tuple[object, Any]] = []

    def begin(self, past: Any) -> None:
        pass

    def put(self, key: object, codes: Any) -> None:
        self.held.append((key, codes.to(torch.int16).flatten().numpy()))

    def flush(self) -> None:
        pass

    def take(self, wait: bool = False) -> Iterator[tuple[object, Any]]:
        while self.held:
            yield self.held.pop(0)


def engine(tiny: Tiny, **options: Any) -> Engine:
    given: dict[str, Any] = {"batch_size": 3, "newcomers": 2, "max_context": 128}
    parts = Parts(tiny.model, tiny.ids, SamplingOptions(), Echo())
    return Engine.of(parts, EngineOptions(**(given | options)))


def utterances(count: int = 8, cap: int = 12) -> list[Utterance]:
    return [
        Utterance(f"{n}", TEXTS[n % len(TEXTS)], "en", 7 + n, cap + 3 * (n % 4))
        for n in range(count)
    ]


def said(spoken: Iterator[Spoken]) -> dict[str, bytes]:
    return {one.utterance.take_key: one.samples.tobytes() for one in spoken}


def test_what_is_said_depends_on_nobody_else(tiny: Tiny, voice: VoicePrompt) -> None:
    """Byte-equal at a fixed batch: three orders, other neighbours, slots and times of admission."""
    book = utterances(6, cap=5)
    one = engine(tiny.never_ending())
    first = said(one.speak(iter(book), voice))
    assert said(one.speak(iter(book[::-1]), voice)) == first
    for some in (book[3:4], book[4:] + book[:2]):
        assert said(one.speak(iter(some), voice)).items() <= first.items()
    late = engine(tiny.never_ending(), lookahead=1)
    assert said(late.speak(iter(book), voice)) == first


def test_what_is_said_does_not_hang_on_what_the_process_did_before(
    tiny: Tiny, voice: VoicePrompt
) -> None:
    """Another model may have allowed products of fewer digits: loading multiplies, too."""
    options = EngineOptions(device="cpu", batch_size=2, max_context=128)
    heard = []
    before = torch.get_float32_matmul_precision()
    try:
        for allowed in ("highest", "medium"):
            torch.set_float32_matmul_precision(allowed)
            heard.append(said(Engine(tiny.folder, options).speak(iter(utterances(2, 4)), voice)))
    finally:
        torch.set_float32_matmul_precision(before)
    assert heard[0] == heard[1]


def test_a_voice_that_was_expected_says_the_same(tiny: Tiny, voice: VoicePrompt) -> None:
    """Also where another one was, or where it is no longer than a few words."""
    book = utterances(4, cap=5)
    first = said(engine(tiny.never_ending()).speak(iter(book), voice))
    for expected in (voice, cloned(tiny.config, frames=40, seed=3)):
        one = engine(tiny.never_ending())
        one.expect(expected)
        assert said(one.speak(iter(book), voice)) == first


def test_another_seed_says_something_else(tiny: Tiny, voice: VoicePrompt) -> None:
    one, (utterance,) = engine(tiny), utterances(1)
    other = replace(utterance, seed=utterance.seed + 1)
    assert said(one.speak(iter([utterance]), voice)) != said(one.speak(iter([other]), voice))


def test_it_pulls_no_further_ahead_than_it_was_told(tiny: Tiny, voice: VoicePrompt) -> None:
    pulled = itertools.count()
    source = (one for one in utterances(12, cap=6) if next(pulled) >= 0)
    spoken = engine(tiny.never_ending(), lookahead=2).speak(source, voice)
    next(spoken)
    assert next(pulled) <= 3 + 2 + 2 * 2
    spoken.close()


def test_a_broken_off_call_leaves_nothing_behind(tiny: Tiny, voice: VoicePrompt) -> None:
    one, book = engine(tiny.never_ending()), utterances(4, cap=4)
    first = said(one.speak(iter(book), voice))
    broken = one.speak(iter(book), voice)
    next(broken)
    broken.close()
    assert said(one.speak(iter(book), voice)) == first


def test_checks_say_how_it_ended(tiny: Tiny, voice: VoicePrompt) -> None:
    (capped,) = engine(tiny.never_ending()).speak(iter(utterances(1, 4)), voice)
    told = {"frames": 4, "eos": False, "runaway": True, "retries": 0, "loop": False}
    assert capped.checks == told
    assert capped.rate_hz == 24000
    (ended,) = engine(tiny).speak(iter([Utterance("ends", "Hello.", "en", 3, 60)]), voice)
    assert ended.checks["eos"] and not ended.checks["runaway"]


def test_a_row_that_goes_round_is_marked_and_others_are_not(tiny: Tiny, voice: VoicePrompt) -> None:
    endless = tiny.never_ending()
    # With a head of zeros every code is as likely as the first, which is taken again and again.
    stuck = replace(endless.model, head=torch.zeros_like(endless.model.head))
    greedy = SamplingOptions(do_sample=False)
    options = EngineOptions(batch_size=2, newcomers=2, max_context=128)
    for model, sampling, loops in (
        (stuck, greedy, True),
        (endless.model, SamplingOptions(temperature=1.5), False),
    ):
        engine = Engine.of(Parts(model, endless.ids, sampling, Echo()), options)
        spoken = list(engine.speak(iter(utterances(2, 36)), voice))
        assert [one.checks["loop"] for one in spoken] == [loops, loops]


def test_texts_that_need_more_than_the_context_are_refused_by_number(
    tiny: Tiny, voice: VoicePrompt
) -> None:
    book = [*utterances(2), Utterance("long", "never ending " * 40, "en", 1)]
    spoken = []
    with pytest.raises(BackendError, match=r"^1 utterance could.*number 3 \('never ending"):
        for one in engine(tiny).speak(iter(book), voice):
            spoken.append(one.utterance.take_key)
    assert sorted(spoken) == ["0", "1"]


def test_a_prompt_longer_than_the_context_is_refused_too(tiny: Tiny) -> None:
    voice = cloned(tiny.config, frames=130)
    with pytest.raises(BackendError, match="number 1"):
        list(engine(tiny).speak(iter(utterances(1)), voice))


def test_a_language_that_the_model_lacks_is_refused(tiny: Tiny, voice: VoicePrompt) -> None:
    with pytest.raises(UsageError, match="does not speak 'tlh'"):
        list(engine(tiny).speak(iter([replace(utterances(1)[0], language="tlh")]), voice))


def test_a_row_that_is_not_a_number_is_never_yielded(tiny: Tiny, voice: VoicePrompt) -> None:
    """One text's embedding is poisoned: its neighbours are spoken, it is tried again and named."""
    text = tiny.model.text.clone()
    (poisoned,) = tiny.ids.target("Z")
    text[poisoned] = float("nan")
    sick = replace(tiny, model=replace(tiny.model, text=text)).never_ending()
    book = [utterances(1)[0], Utterance("sick", "Z", "en", 1, 8)]
    spoken = []
    with pytest.raises(BackendError, match=r"number 2 .*not numbers"):
        for one in engine(sick, retries=1).speak(iter(book), voice):
            spoken.append(one.utterance.take_key)
    assert spoken == ["0"]
    healthy = said(engine(tiny.never_ending()).speak(iter(book[:1]), voice))
    assert said(engine(sick).speak(iter(book[:1]), voice)) == healthy


def test_out_of_memory_in_the_middle_goes_on_with_a_smaller_batch(
    tiny: Tiny, voice: VoicePrompt
) -> None:
    one = engine(tiny.never_ending(), batch_size=4)
    kept, frames = one._runner.frame, itertools.count()

    def fail_once() -> None:
        if next(frames) == 5:
            raise torch.OutOfMemoryError("no room")
        kept()

    one._runner.frame = fail_once  # type: ignore[method-assign]
    assert len(said(one.speak(iter(utterances(5, cap=6)), voice))) == 5
    assert one.batch_size == 2


def failing(compute: Callable[..., Any], at: int, first: bool) -> Callable[..., Any]:
    """`compute`, out of memory at one of its calls: before it does anything, or after."""
    calls = itertools.count()

    def call(*given: Any) -> Any:
        fails = next(calls) == at
        if fails and first:
            raise torch.OutOfMemoryError("no room")
        made = compute(*given)
        if fails:
            raise torch.OutOfMemoryError("no room")
        return made

    return call


@pytest.mark.parametrize("place", ["codes", "put", "flush"])
def test_who_leaves_while_there_is_no_memory_is_spoken_once(
    place: str, tiny: Tiny, voice: VoicePrompt
) -> None:
    book = utterances(6, cap=6)
    wanted = said(engine(tiny.never_ending(), batch_size=4).speak(iter(book), voice))
    one = engine(tiny.never_ending(), batch_size=4)
    if place == "codes":  # of the second of those that leave together
        one._runner.codes = failing(one._runner.codes, 1, first=True)  # type: ignore[method-assign]
    else:  # the decoder has them, and cannot start
        decoder: Any = one.parts.decoder
        setattr(decoder, place, failing(getattr(decoder, place), 0, first=False))
    spoken = list(one.speak(iter(book), voice))
    assert len(spoken) == len(book)
    assert said(iter(spoken)) == wanted
    assert one.batch_size == 2


def test_memory_that_holds_not_even_one_row_is_an_error(tiny: Tiny, voice: VoicePrompt) -> None:
    one = engine(tiny, batch_size=1)

    def fail() -> None:
        raise torch.OutOfMemoryError("no room")

    one._runner.frame = fail  # type: ignore[method-assign]
    with pytest.raises(BackendError, match="single row"):
        list(one.speak(iter(utterances(1)), voice))


def test_options_without_a_meaning_are_refused() -> None:
    for options in ({"batch_size": 5000}, {"max_context": 1}, {"retries": -1}, {"lookahead": 0}):
        with pytest.raises(UsageError):
            EngineOptions(**options)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="precision"):
        EngineOptions(dtype="int3").precision(torch.device("cpu"))
    assert EngineOptions().precision(torch.device("cpu")) is torch.float32


def test_how_many_start_together_follows_from_the_rows() -> None:
    usual, chosen = EngineOptions(), EngineOptions(newcomers=6)
    assert [usual.group(rows) for rows in (1, 8, 32, 128, 768)] == [1, 1, 4, 16, 16]
    assert [chosen.group(rows) for rows in (1, 8, 768)] == [1, 6, 6]
