"""From latents to sound: convolutions over [time, channels], the snakes, 16-bit samples.

`Waves` is the table of what costs: in plain torch here, in Triton and CUDA in `fast.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from narrate.engine.codec.layers import (
    GELU,
    Block,
    CodecWeights,
    Conv,
    Gelu,
    Grade,
    NextBlock,
    Places,
    Snake,
    Unit,
    parted,
)
from narrate.engine.codec.packing import PAST
from narrate.engine.kernels.plain import rotate

__all__ = ["PLAIN", "Waves", "sound"]

Tensor = torch.Tensor
FULL_SCALE = 32767


@dataclass(frozen=True)
class Waves:
    """What the functions mean is said by their plain twins, `plain_conv` and so on.

    `grain` is the step of the attention, 0: a window. Where spans begin at multiples of it, a sum
    has the same order wherever a span lies. `unites` says whether a level's units go through
    `unit`; otherwise each is two convolutions.
    """

    name: str
    grain: int
    conv: Callable[..., tuple[Tensor, Tensor]]
    part: Callable[..., Tensor]
    depthwise: Callable[[Tensor, NextBlock], Tensor]
    last: Callable[[Tensor, Conv], Tensor]
    attend: Callable[[Tensor, Tensor, Tensor, Places, int], Tensor]
    unit: Callable[[Tensor, Unit, Tensor, Snake | None], Tensor]
    unites: Callable[[Block], bool]
    paste: Callable[[Tensor, Tensor, Tensor], None]


def plain_conv(
    x: Tensor,
    conv: Conv,
    live: Tensor | None = None,
    add: Tensor | None = None,
    bend: Snake | Gelu | None = None,
    keep: bool = True,
) -> tuple[Tensor, Tensor]:
    """A causal convolution of x [time, in], with zeros before the beginning.

    Returns (raw, bent), [time * steps, out] each: raw of type conv.keeps in one part, bent of grade
    conv.out in as many as are held. x has grade conv.reads. raw is the result plus `add`; bent is
    raw through a snake or GELU, times live where that is given ([frames], 0 or 1, each for as many
    steps as time has a frame). Without either bent is raw itself times live. With `keep` off raw
    may be anything.
    """
    reach = (conv.weight.shape[0] - 1) * conv.dilation
    again = conv.weight.shape[2] - x.shape[1]  # the first part, for the third of the weight
    row = F.pad(torch.cat((x, x[:, :again]), 1).float().T[None], (reach, 0))
    weight = conv.weight.float().permute(1, 2, 0)
    bias = conv.bias if conv.scale is None else None
    y = F.conv1d(row, weight, bias, dilation=conv.dilation)[0].T
    if conv.scale is not None:
        y = y * conv.scale + conv.bias
    raw = y.reshape(len(x) * conv.steps, -1)
    if add is not None:
        raw = raw + add
    bent = raw
    if isinstance(bend, Snake):
        bent = _bent(raw, bend)
    elif bend is not None:
        bent = F.gelu(raw)
    if live is not None:
        bent = bent * _by_step(live, bent)
    return parted(raw, Grade(conv.keeps)), parted(bent, conv.out)


def _bent(x: Tensor, snake: Snake) -> Tensor:
    return x + snake.gain * (x * snake.rate).sin().square()


def _by_step(live: Tensor, x: Tensor) -> Tensor:
    return live.to(x.dtype).repeat_interleave(len(x) // len(live))[:, None]


def plain_part(x: Tensor, grade: Grade, gated: bool = False) -> Tensor:
    """x [time, channels] fp32 in a grade; `gated`, silu of its first half times the second."""
    if gated:
        gate, up = x.chunk(2, -1)
        x = F.silu(gate) * up
    return parted(x, grade)


def plain_depthwise(x: Tensor, block: NextBlock) -> Tensor:
    """Depthwise causal convolution, then LayerNorm over the channels: x [time, channels] fp32.

    The result is of the grade that the block's `widen` reads.
    """
    taps, width = block.depthwise.shape
    row = F.pad(x.float().T[None], (taps - 1, 0))
    y = F.conv1d(row, block.depthwise.T[:, None], block.depthwise_bias, groups=width)[0].T
    return parted(F.layer_norm(y, (width,), *block.norm, eps=1e-6), block.widen.reads)


def plain_last(x: Tensor, conv: Conv) -> Tensor:
    """The convolution to one channel, clamped, as 16-bit samples [time]."""
    raw, _ = plain_conv(x, conv)
    return (raw[:, 0].float().clamp(-1.0, 1.0) * FULL_SCALE).round().to(torch.int16)


def plain_attend(qkv: Tensor, cos: Tensor, sin: Tensor, places: Places, window: int) -> Tensor:
    """Causal attention with RoPE over the last `window` places of one's own utterance.

    qkv [time, 3 * heads * head_dim] fp32, cos and sin [time, head_dim // 2] by place ->
    [time, heads * head_dim]. Before the begin of what goes on from the past lie the past's last
    places, wherever they stand. It goes by blocks of one window, at whose beginnings utterances
    begin: a query sees its own block and the one before. Time is a multiple of the window.
    """
    head_dim = 2 * cos.shape[1]
    split = qkv.view(len(qkv), 3, -1, head_dim).unbind(1)
    cos, sin = cos[:, None], sin[:, None]
    turned = rotate(split[0], cos, sin), rotate(split[1], cos, sin), split[2]
    own = places.utterance.view(-1, window)
    begin, jump = (part.view(-1, window)[:, :1] for part in (places.begin, places.jump))
    before = torch.arange(-window, len(qkv) - window, device=qkv.device).view(-1, window)
    past = before < begin
    before = torch.where(past, before - jump, before)
    there, before = before >= 0, before.clamp(min=0)
    q, k, v = (part.view(-1, window, *part.shape[1:]) for part in turned)
    k, v = (torch.cat((p.flatten(0, 1)[before], p), 1) for p in (k, v))
    q, k, v = (part.transpose(1, 2) for part in (q, k, v))
    theirs = places.utterance[before][:, None]
    of_past = (past & there)[:, None] & (theirs == PAST)
    of_own = (~past & there)[:, None] & (theirs == own[:, :, None])
    same = torch.cat((of_past | of_own, own[:, :, None] == own[:, None]), 2)
    step = torch.arange(2 * window, device=own.device)
    behind = step[:window, None] + window - step[None]
    seen = (same & (behind >= 0) & (behind < window))[:, None]
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
    return out.transpose(1, 2).reshape(len(qkv), -1)


def plain_unit(x: Tensor, unit: Unit, live: Tensor, after: Snake | None) -> Tensor:
    """A residual unit of x [time, channels]: x plus what two convolutions make of its snake.

    The result is times live, and where `after` is given, after that snake: the next level reads
    nothing else.
    """
    bent = parted(_bent(x, unit.before), unit.wide.reads)
    _, between = plain_conv(bent, unit.wide, None, None, unit.between, keep=False)
    return plain_conv(between, unit.point, live, x, after, keep=False)[1]


def plain_paste(x: Tensor, end: Tensor, past: Tensor) -> None:
    """Write frames of `end` into x, in place, where `past` names one.

    past [frames] int32 is -1 elsewhere; x [frames * steps, channels], end [gap * steps, channels].
    """
    steps = len(x) // len(past)
    given = end.view(-1, steps, x.shape[1])[past.clamp(min=0).long()]
    by_frame = x.view(len(past), steps, -1)
    by_frame.copy_(torch.where((past >= 0)[:, None, None], given, by_frame))


PLAIN = Waves(
    name="torch",
    grain=0,
    conv=plain_conv,
    part=plain_part,
    depthwise=plain_depthwise,
    last=plain_last,
    attend=plain_attend,
    unit=plain_unit,
    unites=lambda _: False,
    paste=plain_paste,
)


def sound(
    weights: CodecWeights,
    waves: Waves,
    x: Tensor,
    live: Tensor,
    seen: Callable[[int, Tensor, int], None],
) -> Tensor:
    """Samples [frames * samples_per_frame] int16 of latents x [frames, latent].

    live [frames] is 0 in the gaps; every convolution reads zeros there, as before a beginning, or
    what `seen` makes of them: it is given each result that a longer convolution reads, by number,
    [frames * steps, channels], and the number of frames.
    """
    numbers = itertools.count()

    def shown(x: Tensor) -> Tensor:
        seen(next(numbers), x, len(live))
        return x

    x = waves.part(torch.where(live[:, None] > 0, x, 0.0), weights.first.reads)
    for up in weights.ups:
        x = shown(waves.conv(x, up.up, live, keep=False)[1])
        _, wide = waves.conv(waves.depthwise(x, up), up.widen, bend=GELU, keep=False)
        x = shown(waves.conv(wide, up.narrow, live, x, keep=False)[1])
    before = [block.before for block in weights.blocks] + [weights.after]
    bent = shown(waves.conv(x, weights.first, live, None, before[0], keep=False)[1])
    for block, after in zip(weights.blocks, before[1:], strict=True):
        bent = _level(waves, bent, block, live, after, shown)
    return waves.last(bent, weights.last)


def _level(
    waves: Waves,
    bent: Tensor,
    block: Block,
    live: Tensor,
    after: Snake,
    shown: Callable[[Tensor], Tensor],
) -> Tensor:
    """A level of the wave decoder, bent for the next."""
    if waves.unites(block):  # its units read what is not bent yet
        x = shown(waves.conv(bent, block.up, live, keep=False)[1])
        for unit in block.units[:-1]:
            x = shown(waves.unit(x, unit, live, None))
        return shown(waves.unit(x, block.units[-1], live, after))
    nexts = [unit.before for unit in block.units[1:]] + [after]
    x, bent = waves.conv(bent, block.up, live, None, block.units[0].before)
    shown(bent)
    for unit, following in zip(block.units, nexts, strict=True):
        _, between = waves.conv(bent, unit.wide, None, None, unit.between, keep=False)
        keep = following is not after  # the next level reads the snake only
        x, bent = waves.conv(between, unit.point, live, x, following, keep)
        shown(bent)
    return bent
