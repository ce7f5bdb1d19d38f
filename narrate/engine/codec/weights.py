"""The speech decoder's tensors, read from the checkpoint and checked by name and shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from narrate.engine.codec.config import DILATIONS, CodecConfig
from narrate.engine.codec.layers import (
    FP32,
    Block,
    CodecWeights,
    Conv,
    Grade,
    Grades,
    Layer,
    Level,
    NextBlock,
    Snake,
    Unit,
    parted,
)
from narrate.engine.kernels import Norm
from narrate.errors import BackendError

__all__ = ["codec_tensors", "load_codec"]

Tensor = torch.Tensor
Get = Callable[..., Tensor]


def load_codec(
    folder: Path, config: CodecConfig, device: torch.device, grades: Grades
) -> CodecWeights:
    """Read the weights of a `speech_tokenizer` folder; `BackendError` names a tensor at fault."""
    path = folder / "model.safetensors"
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            names = set(file.keys())

            def get(name: str, *shape: int) -> Tensor:
                name = f"decoder.{name}"
                if name not in names:
                    raise _unfit(f"{name} is missing", path)
                found: Tensor = file.get_tensor(name).float()
                if tuple(found.shape) != shape:
                    raise _unfit(f"{name} is {list(found.shape)} instead of {list(shape)}", path)
                return found

            return _build(get, config, grades)
    except (OSError, SafetensorError) as error:
        raise BackendError(
            "the speech decoder's weights cannot be read",
            where=f"{path}: {error}",
            remedy="download the model again",
        ) from error


def codec_tensors(config: CodecConfig) -> dict[str, tuple[int, ...]]:
    """Every tensor that the decoder reads, by its name in the checkpoint, and its shape."""
    shapes: dict[str, tuple[int, ...]] = {}

    def note(name: str, *shape: int) -> Tensor:
        shapes[f"decoder.{name}"] = shape
        return torch.empty(shape, device="meta")

    _build(note, config, Grades.of(FP32, len(config.rates)))
    return shapes


def _unfit(fault: str, path: Path) -> BackendError:
    return BackendError(
        f"the speech decoder's weights do not fit its configuration: {fault}",
        where=str(path),
        remedy="download the model again; if it is a newer kind, use --backend official",
    )


@torch.no_grad()
def _build(get: Get, config: CodecConfig, grades: Grades) -> CodecWeights:
    c = config
    stack = "pre_transformer."
    count = len(c.rates)
    last = count + 2
    final = c.wave_dim // 2**count
    early, levels = grades
    first = _conv(get, "decoder.0.conv.", (c.latent, c.wave_dim, 7), early)
    return CodecWeights(
        config=c,
        tables=_tables(get, c),
        pre=replace(_conv(get, "pre_conv.conv.", (c.codebook_dim, c.latent, 3), early), out=FP32),
        enter=_linear(get, f"{stack}input_proj.", c.latent, c.hidden, early),
        layers=tuple(_layer(get, f"{stack}layers.{i}.", c, early) for i in range(c.layers)),
        norm=Norm(get(f"{stack}norm.weight", c.hidden), c.eps),
        leave=_linear(get, f"{stack}output_proj.", c.hidden, c.latent, early),
        ups=tuple(
            _next_block(get, f"upsample.{i}.", c.latent, r, early) for i, r in enumerate(c.ratios)
        ),
        first=replace(first, out=levels[0].up),
        blocks=tuple(_block(get, i, c, levels) for i in range(count)),
        after=_snake(get, f"decoder.{count + 1}.", final),
        last=_conv(get, f"decoder.{last}.conv.", (final, 1, 7), levels[-1].point),
    )


def _tables(get: Get, c: CodecConfig) -> Tensor:
    """Codebooks through their output projection, fp32; the first has a projection of its own.

    Multiplied in fp64: what a process allows fp32 products to be must not be heard.
    """
    inner = c.codebook_dim // 2
    tables = []
    for index in range(c.quantizers):
        part, at = ("rvq_first", 0) if index == 0 else ("rvq_rest", index - 1)
        book = f"quantizer.{part}.vq.layers.{at}._codebook."
        usage = get(f"{book}cluster_usage", c.codebook_size).clamp(min=1e-5)
        rows = get(f"{book}embedding_sum", c.codebook_size, inner) / usage[:, None]
        project = get(f"quantizer.{part}.output_proj.weight", c.codebook_dim, inner, 1)[..., 0]
        tables.append((rows.double() @ project.double().T).float())
    return torch.stack(tables)


def _made(weight: Tensor, bias: Tensor, grade: Grade) -> Conv:
    """A convolution whose weight [taps, out, in], fp32, and whose result are of a grade.

    In three parts each row is first brought to a largest weight from 128 up to 256: what the upper
    part leaves over has all its digits then, however small a layer scale makes the row.
    """
    scale = None
    if grade.parts == 3:
        _, exponent = torch.frexp(weight.abs().amax((0, 2)))
        scale = torch.ldexp(torch.ones_like(bias), exponent - 8)
        weight = weight / scale[:, None]
    weight = parted(weight, grade, weights=True).contiguous()
    return Conv(weight, bias, out=grade, reads=grade, scale=scale)


def _product(weight: Tensor, grade: Grade, bias: Tensor | None = None) -> Conv:
    """A product that gives fp32."""
    bias = weight.new_zeros(len(weight)) if bias is None else bias
    return replace(_made(weight[None], bias, grade), out=FP32)


def _linear(get: Get, name: str, wide: int, out: int, grade: Grade) -> Conv:
    return _product(get(f"{name}weight", out, wide), grade, get(f"{name}bias", out))


def _conv(
    get: Get,
    name: str,
    sizes: tuple[int, int, int],
    grade: Grade,
    dilation: int = 1,
) -> Conv:
    """A convolution of (in, out, taps) as the checkpoint has it, [out, in, taps]."""
    wide, out, taps = sizes
    weight = get(f"{name}weight", out, wide, taps).permute(2, 0, 1)
    return replace(_made(weight, get(f"{name}bias", out), grade), dilation=dilation)


def _upsampling(
    get: Get,
    name: str,
    sizes: tuple[int, int, int],
    stride: int,
    grade: Grade,
) -> Conv:
    """A transposed convolution of `taps` * stride; the newest input belongs to the last tap."""
    wide, out, taps = sizes
    weight = get(f"{name}weight", wide, out, taps * stride).view(wide, out, taps, stride)
    weight = weight.permute(2, 3, 1, 0).flip(0).reshape(taps, stride * out, wide)
    bias = get(f"{name}bias", out).repeat(stride)
    return replace(_made(weight, bias, grade), steps=stride)


def _snake(get: Get, name: str, width: int) -> Snake:
    gain = 1.0 / (get(f"{name}beta", width).exp() + 1e-9)
    return Snake(get(f"{name}alpha", width).exp(), gain)


def _layer(get: Get, name: str, c: CodecConfig, grade: Grade) -> Layer:
    heads = c.heads * c.head_dim
    attention, mlp = f"{name}self_attn.", f"{name}mlp."
    qkv = [get(f"{attention}{part}_proj.weight", heads, c.hidden) for part in "qkv"]
    out = get(f"{attention}o_proj.weight", c.hidden, heads)
    halves = [get(f"{mlp}{part}_proj.weight", c.inner, c.hidden) for part in ("gate", "up")]
    down = get(f"{mlp}down_proj.weight", c.hidden, c.inner)
    return Layer(
        norm=Norm(get(f"{name}input_layernorm.weight", c.hidden), c.eps),
        qkv=_product(torch.cat(qkv), grade),
        out=_product(get(f"{name}self_attn_layer_scale.scale", c.hidden)[:, None] * out, grade),
        mlp_norm=Norm(get(f"{name}post_attention_layernorm.weight", c.hidden), c.eps),
        gate_up=_product(torch.cat(halves), grade),
        down=_product(get(f"{name}mlp_layer_scale.scale", c.hidden)[:, None] * down, grade),
    )


def _next_block(get: Get, name: str, width: int, ratio: int, grade: Grade) -> NextBlock:
    own = f"{name}1."
    gamma = get(f"{own}gamma", width)
    narrow = gamma[:, None] * get(f"{own}pwconv2.weight", width, 4 * width)
    up = _upsampling(get, f"{name}0.conv.", (width, width, 1), ratio, grade)
    return NextBlock(
        up=replace(up, out=FP32),
        depthwise=get(f"{own}dwconv.conv.weight", width, 1, 7)[:, 0].T.contiguous(),
        depthwise_bias=get(f"{own}dwconv.conv.bias", width),
        norm=(get(f"{own}norm.weight", width), get(f"{own}norm.bias", width)),
        widen=replace(_linear(get, f"{own}pwconv1.", width, 4 * width, grade), out=grade),
        narrow=_made(narrow[None], gamma * get(f"{own}pwconv2.bias", width), grade),
    )


def _block(get: Get, index: int, c: CodecConfig, levels: Sequence[Level]) -> Block:
    name = f"decoder.{index + 1}.block."
    level, following = levels[index], levels[min(index + 1, len(levels) - 1)]
    wide, out = c.wave_dim // 2**index, c.wave_dim // 2 ** (index + 1)
    units = []
    for number, dilation in enumerate(DILATIONS, start=2):
        own = f"{name}{number}."
        long = _conv(get, f"{own}conv1.conv.", (out, out, 7), level.wide, dilation)
        point = _conv(get, f"{own}conv2.conv.", (out, out, 1), level.point)
        units.append(
            Unit(
                before=_snake(get, f"{own}act1.", out),
                wide=replace(long, out=level.point),
                between=_snake(get, f"{own}act2.", out),
                point=replace(point, out=level.wide, kept=level.kept),
            )
        )
    up = _upsampling(get, f"{name}1.conv.", (wide, out, 2), c.rates[index], level.up)
    # The last result of a level is what the next one reads.
    units[-1] = replace(units[-1], point=replace(units[-1].point, out=following.up))
    return Block(
        _snake(get, f"{name}0.", wide), replace(up, out=level.wide, kept=level.kept), tuple(units)
    )
