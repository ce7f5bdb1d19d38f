"""The wave decoder's Triton kernels mean what their plain twins mean."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("torch", reason="torch is not installed")
import torch

from narrate.engine.codec import hopper_unit
from narrate.engine.codec.codec import choose_waves
from narrate.engine.codec.layers import (
    FP32,
    GELU,
    Block,
    Conv,
    Grade,
    NextBlock,
    Places,
    Snake,
    Unit,
    parted,
)
from narrate.engine.codec.packing import NOBODY
from narrate.engine.codec.wave import PLAIN
from tests.engine.interpreted import CUDA, DEVICE, run_compiled

FAST = choose_waves("triton")
FRAMES, STEPS_A_FRAME = 6, 25
TIME = FRAMES * STEPS_A_FRAME


def normal(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, generator=generator).to(DEVICE)


@pytest.mark.parametrize(
    ("taps", "dilation", "steps", "wide", "out"),
    # The copy engine wants rows of whole 16 bytes: three channels go without it.
    [(7, 9, 1, 24, 24), (1, 1, 1, 24, 24), (2, 1, 3, 64, 24), (3, 1, 1, 32, 96), (7, 3, 1, 3, 6)],
)
@pytest.mark.parametrize("bends", [False, True])
def test_a_convolution_with_its_epilogue(
    taps: int, dilation: int, steps: int, wide: int, out: int, bends: bool
) -> None:
    conv = Conv(
        normal(taps, steps * out, wide) / (taps * wide) ** 0.5, normal(steps * out), dilation, steps
    )
    snake = Snake((normal(out) / 4).exp(), normal(out).exp()) if bends else None
    live = torch.tensor([0, 1, 1, 0, 1, 1], dtype=torch.int32, device=DEVICE)
    x, add = normal(TIME, wide), normal(TIME * steps, out)
    bend = snake or GELU
    for given in ((x, conv), (x, conv, live), (x, conv, live, add, bend), (x, conv, None, add)):
        for got, wanted in zip(FAST.conv(*given), PLAIN.conv(*given), strict=True):
            assert (got - wanted).abs().max() < 1e-4


# The copy engine brings a tile away where both of its parts are whole: 32 channels, and not 24.
@pytest.mark.parametrize("channels", [24, 32])
@pytest.mark.parametrize("kept", [None, torch.float32])
@pytest.mark.parametrize("parts", [2, 3])
def test_a_result_in_parts(parts: int, kept: torch.dtype | None, channels: int) -> None:
    out = 3 * channels
    conv = Conv(normal(2, out, 16), normal(out), 1, 3, Grade(torch.float16, parts), FP32, kept=kept)
    live = torch.tensor([0, 1, 1, 0, 1, 1], dtype=torch.int32, device=DEVICE)
    x, add = normal(TIME, 16), normal(TIME * 3, channels).to(conv.keeps)
    exact, silenced = PLAIN.conv(x, replace(conv, out=FP32), live, add)
    for waves in (FAST, PLAIN):
        raw, bent = waves.conv(x, conv, live, add)
        assert raw.dtype == conv.keeps and raw.shape == exact.shape
        assert bent.shape == (TIME * 3, 2 * channels)
        assert (raw.float() - exact).abs().max() < (1e-4 if kept else 2e-2)
        upper, lower = bent.float().chunk(2, -1)
        assert (upper + lower - silenced).abs().max() < 3e-5


def test_what_is_kept_has_its_own_type() -> None:
    conv = Conv(normal(1, 32, 32), normal(32), out=Grade(torch.float16), kept=torch.float32)
    x = normal(TIME, 32)
    for waves in (FAST, PLAIN):
        raw, bent = waves.conv(x, conv)
        assert (raw.dtype, bent.dtype) == (torch.float32, torch.float16)
        assert torch.equal(raw.half(), bent) and not torch.equal(raw, bent.float())


@pytest.mark.parametrize("wide", [32, 20, 3])
@pytest.mark.parametrize(("parts", "close"), [(3, 1e-5), (2, 3e-3)])
def test_what_is_read_in_parts_has_their_digits(parts: int, close: float, wide: int) -> None:
    grade, scale = Grade(torch.float16, parts), normal(24).exp()
    weight, x = normal(2, 24, wide) / 8, normal(TIME, wide)
    whole = Conv(weight * scale[:, None], normal(24))
    conv = replace(
        whole, weight=parted(weight, grade, weights=True), reads=grade, scale=scale, out=FP32
    )
    exact = PLAIN.conv(x, whole)[0]
    for waves in (FAST, PLAIN):
        found = waves.conv(waves.part(x, grade), conv)[0]
        assert found.dtype == torch.float32
        assert (found - exact).abs().max() < close * exact.abs().max()


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("grade", [FP32, Grade(torch.float16), Grade(torch.float16, 3)])
def test_numbers_in_parts(grade: Grade, gated: bool) -> None:
    x = normal(7, 2 * 40)
    x[3, 3] = 1e6  # more than 16 bits can hold
    got, wanted = FAST.part(x, grade, gated), PLAIN.part(x, grade, gated)
    assert got.dtype == wanted.dtype == grade.dtype and got.shape == wanted.shape
    parts = [one.float().view(7, grade.held, -1).sum(1) for one in (got, wanted)]
    assert torch.isfinite(got).all()
    assert (parts[0] - parts[1]).abs().max() < (1e-5 if grade.parts != 1 else 1e-2)


def places_of(spans: list[tuple[int, int]], time: int, past: int | None = None) -> Places:
    """Spans (first, end) side by side; those from the second on follow the first up to `past`."""
    table = torch.zeros(4, time, dtype=torch.int32, device=DEVICE)
    table[0] = NOBODY
    for number, (first, end) in enumerate(spans):
        table[0, first:end] = number
        if past is not None and number:
            table[2, first:end], table[3, first:end] = first, first - past
    return Places(*table)


def test_attention_stays_in_its_window_and_its_utterance() -> None:
    window, heads, dim, time = 40, 2, 8, 200
    places = places_of([(3, 60), (63, 70), (73, 190)], time)
    qkv, angle = normal(time, 3 * heads * dim), normal(time, dim // 2)
    given = (qkv, angle.cos(), angle.sin(), places, window)
    assert (FAST.attend(*given) - PLAIN.attend(*given)).abs().max() < 1e-4


@pytest.mark.parametrize("length", [1, 30, 75])
def test_what_goes_on_from_the_past_hears_it_as_if_it_lay_before(length: int) -> None:
    window, heads, dim, time = 48, 2, 8, 480
    spans = [(48, 48 + length), (144, 250), (288, 300), (336, 480)]
    qkv, angle = normal(time, 3 * heads * dim), normal(time, dim // 2)
    shared = places_of(spans, time, past=48 + length)
    fast, plain = (
        waves.attend(qkv, angle.cos(), angle.sin(), shared, window) for waves in (FAST, PLAIN)
    )

    def lying_before(part: torch.Tensor, first: int, end: int, time: int) -> torch.Tensor:
        own = torch.cat((part[48 : 48 + length], part[first:end]))
        return torch.cat((own, own.new_zeros(time - len(own), own.shape[1])))

    for first, end in spans[1:]:
        together = length + end - first
        padded = -(-together // window) * window
        own, turn = (lying_before(part, first, end, padded) for part in (qkv, angle))
        places = places_of([(0, together)], padded)
        wanted = PLAIN.attend(own, turn.cos(), turn.sin(), places, window)[length:together]
        for got in (fast, plain):
            assert (got[first:end] - wanted).abs().max() < 1e-4


@pytest.mark.parametrize("parts", [1, 2])
def test_depthwise_with_its_norm(parts: int) -> None:
    reads = FP32 if parts == 1 else Grade(torch.float16, parts)
    unused = normal(1)
    block = NextBlock(
        up=Conv(unused, unused),
        depthwise=normal(7, 20),
        depthwise_bias=normal(20),
        norm=(normal(20), normal(20)),
        widen=Conv(unused, unused, reads=reads),
        narrow=Conv(unused, unused),
    )
    x = normal(40, 20)
    got, wanted = FAST.depthwise(x, block), PLAIN.depthwise(x, block)
    assert got.dtype == reads.dtype and got.shape == (40, parts * 20)
    assert (got.float() - wanted.float()).view(40, parts, 20).sum(1).abs().max() < 1e-4


def test_samples_are_clamped_and_rounded() -> None:
    conv = Conv(normal(7, 1, 20) / 20, normal(1) / 20)
    x = normal(150, 20)
    got, wanted = FAST.last(x, conv), PLAIN.last(x, conv)
    assert got.dtype == torch.int16
    assert (got.int() - wanted.int()).abs().max() <= 1
    loud = Conv(conv.weight * 100, conv.bias)
    assert {32767, -32767} <= set(FAST.last(x, loud).tolist())


@pytest.mark.skipif(not CUDA, reason="units have a kernel on cards only")
@pytest.mark.parametrize("channels", list(hopper_unit.THREADS))
@pytest.mark.parametrize("dilation", [1, 3, 9])
@pytest.mark.parametrize("bends", [False, True])
def test_a_residual_unit(bends: bool, dilation: int, channels: int) -> None:
    half = Grade(torch.float16)

    def conv(taps: int, dilation: int) -> Conv:
        weight = normal(taps, channels, channels) / (taps * channels) ** 0.5
        return Conv(weight.half(), normal(channels) / 2, dilation, out=half, reads=half)

    def snake(shift: float) -> Snake:
        return Snake((normal(channels) / 4 + shift).exp(), (normal(channels) / 4).exp())

    unit = Unit(snake(0.0), conv(7, dilation), snake(0.1), conv(1, 1))
    if not FAST.unites(Block(snake(0.0), conv(2, 1), (unit,))):
        pytest.skip("this card has none")
    live = (torch.arange(300, device=DEVICE) % 7 > 0).int()
    x = normal(300 * STEPS_A_FRAME, channels).half()
    after = snake(0.2) if bends else None
    got, wanted = (waves.unit(x, unit, live, after) for waves in (FAST, PLAIN))
    assert got.dtype == torch.float16
    assert (got.float() - wanted.float()).abs().max() < 2e-2
    assert not got.view(300, -1)[live == 0].any()


def test_the_end_of_a_past_stands_in_the_gaps() -> None:
    end, past = normal(2 * STEPS_A_FRAME, 8), torch.tensor([-1, 0, 1, -1, -1, 1], device=DEVICE)
    x = normal(TIME, 8)
    for waves in (FAST, PLAIN):
        found = x.clone()
        waves.paste(found, end, past.int())
        got, given = found.view(FRAMES, -1), end.view(2, -1)
        assert torch.equal(got[[1, 2, 5]], given[[0, 1, 1]])
        assert torch.equal(got[[0, 3, 4]], x.view(FRAMES, -1)[[0, 3, 4]])


@pytest.mark.slow
def test_every_kernel_compiles_at_the_published_sizes() -> None:
    run_compiled("compiled.py", 600)
