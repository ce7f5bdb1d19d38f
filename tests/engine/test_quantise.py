"""Weights of a byte a number: how far they are from what was read, and what is said with them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

from narrate.core import VoicePrompt  # noqa: E402
from narrate.engine.kernels import Kernels, Packed, Rows, Rules  # noqa: E402
from narrate.engine.options import EngineOptions  # noqa: E402
from narrate.engine.quantise import KINDS, check_card, kind_of, pack  # noqa: E402
from narrate.engine.weights import build_model, checkpoint_tensors  # noqa: E402
from narrate.errors import BackendError, UsageError  # noqa: E402
from tests.engine.conftest import CPU, POSITIONS, Tiny, jobs_of  # noqa: E402
from tests.engine.test_engine import engine, said, utterances  # noqa: E402


def packed(tiny: Tiny, kind: str, dtype: Any = torch.float32) -> Tiny:
    with checkpoint_tensors(tiny.folder, tiny.config, CPU) as take:
        model = build_model(tiny.config, take, CPU, dtype, POSITIONS, kind)
    return replace(tiny, model=model)


@pytest.mark.parametrize("kind", KINDS)
def test_a_number_is_off_by_half_a_step_at_most(kind: str) -> None:
    """A step is a scale for int8; for fp8 an eighth of the number, or the smallest number."""
    random = torch.Generator().manual_seed(3)
    sizes = torch.logspace(-6, 3, 40)[:, None]
    weight = torch.randn(40, 257, generator=random) * sizes
    held = pack(weight, kind)
    off = (held.unpacked() - weight).abs()
    scales = held.scales[:, None]
    step = scales if kind == "int8" else (weight.abs() / 8).maximum(scales * 2**-9)
    assert (off <= 0.5001 * step).all()
    assert held.values.dtype == KINDS[kind]
    assert held.values.element_size() == 1
    largest = held.values.float().abs().amax(1)
    assert (largest == (127 if kind == "int8" else 448)).all(), "the whole range is used"
    assert pack(weight.bfloat16(), kind).scales.dtype == torch.float32


@pytest.mark.parametrize("kind", KINDS)
def test_a_channel_of_zeros_stays_one(kind: str) -> None:
    weight = torch.zeros(3, 16)
    weight[1] = torch.linspace(-1, 1, 16)
    weight[2, 0] = 1e-44
    held = pack(weight, kind)
    assert held.scales.isfinite().all() and (held.scales > 0).all()
    assert not held.unpacked()[0].any()
    assert held.unpacked().isfinite().all()


@pytest.mark.parametrize(
    ("kind", "dtype", "bound"),
    [
        ("int8", torch.float32, 0.0125),  # 0.0147 where one product of one layer is 10 % off
        ("int8", torch.bfloat16, 0.018),
        ("fp8", torch.float32, 0.05),
        ("fp8", torch.bfloat16, 0.055),
    ],
)
def test_logits_are_near_those_of_the_checkpoint_s_weights(
    tiny: Tiny, voice: VoicePrompt, kind: str, dtype: Any, bound: float
) -> None:
    """Teacher-forced: code 0 after a prompt and the fifteen groups after it."""
    wanted = teacher_forced(tiny, voice)
    got = teacher_forced(packed(tiny, kind, dtype), voice)
    assert 1e-4 < float((got - wanted).norm() / wanted.norm()) < bound


def teacher_forced(tiny: Tiny, voice: VoicePrompt) -> Any:
    forced = torch.randint(0, 2048, (1, 16), generator=torch.Generator().manual_seed(1))
    seen: list[Any] = []

    def force(logits: Any, group: int, rules: Rules, rows: Rows, feed: Any = None) -> None:
        seen.append(logits.float().flatten())
        if feed.x is not None:
            feed.x.copy_(feed.step[forced[0, group]][None])

    runner = tiny.runner(1, group=1)
    kernels = replace(Kernels.choose(CPU, "torch"), sample=force)
    runner.computer = replace(runner.computer, kernels=kernels)
    (job,) = jobs_of(tiny.writer(voice), ["It is a truth."], [8])
    with torch.inference_mode():
        runner.arrive([(0, job)])
        runner.computer.frame(runner.state)
    return torch.cat(seen)


@pytest.mark.parametrize("kind", KINDS)
def test_it_speaks_and_depends_on_nobody_else(tiny: Tiny, voice: VoicePrompt, kind: str) -> None:
    other = packed(tiny, kind).never_ending()
    one, book = engine(other, weights=kind), utterances(4, cap=4)
    first = said(one.speak(iter(book), voice))
    assert said(one.speak(iter(book[::-1]), voice)) == first
    assert said(one.speak(iter(book[2:3]), voice)).items() <= first.items()
    assert one.in_use["weights"] == kind
    assert said(engine(tiny.never_ending()).speak(iter(book), voice)) != first


def test_layers_are_packed_and_all_else_is_as_it_was_read(tiny: Tiny) -> None:
    small = packed(tiny, "int8").model
    for stack in (small.talker, small.predictor.stack):
        for layer in stack.layers:
            for weight in (layer.qkv, layer.out, layer.gate_up, layer.down):
                assert isinstance(weight, Packed)
                assert kind_of(weight) == "int8"
    assert torch.equal(small.text, tiny.model.text)
    assert torch.equal(small.head, tiny.model.head)
    assert kind_of(small.head) == "float32"


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="int4") as refused:
        EngineOptions(weights="int4")
    assert refused.value.remedy == "choose int8, fp8"
    assert EngineOptions(weights="fp8").packed(CPU) == "fp8"
    assert EngineOptions().packed(CPU) is None
    with pytest.raises(BackendError, match=r"A100.*8\.9.*int8"):
        check_card("fp8", "NVIDIA A100", (8, 0))
    check_card("int8", "NVIDIA A100", (8, 0))
    check_card("fp8", "NVIDIA L4", (8, 9))
