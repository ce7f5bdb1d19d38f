"""The speech decoder's tensors, checked by name and shape, in the layout that it is computed in.

Time runs along the first axis and channels along the last. A convolution's weight is
[taps, out, in]. A transposed convolution whose kernel is twice its stride is a convolution of two
taps with stride times as many channels: what comes out, read as more steps of fewer channels, is
its result, so there is one kind of convolution only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from narrate.engine.codec.config import DILATIONS, CodecConfig
from narrate.engine.kernels import Norm
from narrate.errors import BackendError

__all__ = ["Block", "CodecWeights", "Conv", "Layer", "NextBlock", "Snake", "Unit", "load_codec"]

Tensor = torch.Tensor
Get = Callable[..., Tensor]


@dataclass(frozen=True, eq=False)
class Conv:
    """A causal convolution: weight [taps, steps * out, in], bias fp32 [steps * out]."""

    weight: Tensor
    bias: Tensor
    dilation: int = 1
    steps: int = 1


@dataclass(frozen=True, eq=False)
class Snake:
    """x + gain * sin(rate * x)^2 by channel, both fp32."""

    rate: Tensor
    gain: Tensor


@dataclass(frozen=True, eq=False)
class Layer:
    """A transformer layer; its two layer scales are folded into `out` and `down`."""

    norm: Norm
    qkv: Tensor
    out: Tensor
    mlp_norm: Norm
    gate_up: Tensor
    down: Tensor


@dataclass(frozen=True, eq=False)
class NextBlock:
    """Upsampling, then ConvNeXt: depthwise [taps, channels], its scale folded into `narrow`."""

    up: Conv
    depthwise: Tensor
    depthwise_bias: Tensor
    norm: tuple[Tensor, Tensor]
    widen: tuple[Tensor, Tensor]
    narrow: tuple[Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class Unit:
    """A residual unit: snake, dilated convolution, snake, convolution of one tap."""

    before: Snake
    wide: Conv
    between: Snake
    point: Conv


@dataclass(frozen=True, eq=False)
class Block:
    """A level of the wave decoder: snake, upsampling, three residual units."""

    before: Snake
    up: Conv
    units: tuple[Unit, ...]


@dataclass(frozen=True, eq=False)
class CodecWeights:
    """All of it. tables [quantizers, codebook_size, codebook_dim]: codebooks after projection."""

    config: CodecConfig
    tables: Tensor
    pre: Conv
    enter: tuple[Tensor, Tensor]
    layers: tuple[Layer, ...]
    norm: Norm
    leave: tuple[Tensor, Tensor]
    ups: tuple[NextBlock, ...]
    first: Conv
    blocks: tuple[Block, ...]
    after: Snake
    last: Conv


def load_codec(
    folder: Path, config: CodecConfig, device: torch.device, dtype: torch.dtype
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

            return _build(get, config, dtype)
    except (OSError, SafetensorError) as error:
        raise BackendError(
            "the speech decoder's weights cannot be read",
            where=f"{path}: {error}",
            remedy="download the model again",
        ) from error


def _unfit(fault: str, path: Path) -> BackendError:
    return BackendError(
        f"the speech decoder's weights do not fit its configuration: {fault}",
        where=str(path),
        remedy="download the model again; if it is a newer kind, use --backend official",
    )


@torch.no_grad()
def _build(get: Get, config: CodecConfig, dtype: torch.dtype) -> CodecWeights:
    c = config
    stack = "pre_transformer."
    width = c.latent
    ups = tuple(_next_block(get, f"upsample.{i}.", width, r, dtype) for i, r in enumerate(c.ratios))
    final = c.wave_dim // 2 ** len(c.rates)
    count = len(c.rates)
    return CodecWeights(
        config=c,
        tables=_tables(get, c),
        pre=_conv(get, "pre_conv.conv.", c.codebook_dim, c.latent, 3, dtype),
        enter=_linear(get, f"{stack}input_proj.", c.latent, c.hidden, dtype),
        layers=tuple(_layer(get, f"{stack}layers.{i}.", c, dtype) for i in range(c.layers)),
        norm=Norm(get(f"{stack}norm.weight", c.hidden), c.eps),
        leave=_linear(get, f"{stack}output_proj.", c.hidden, c.latent, dtype),
        ups=ups,
        first=_conv(get, "decoder.0.conv.", c.latent, c.wave_dim, 7, dtype),
        blocks=tuple(_block(get, i, c, dtype) for i in range(count)),
        after=_snake(get, f"decoder.{count + 1}.", final),
        last=_conv(get, f"decoder.{count + 2}.conv.", final, 1, 7, dtype),
    )


def _tables(get: Get, c: CodecConfig) -> Tensor:
    """Codebooks through their output projection, fp32; the first has a projection of its own."""
    inner = c.codebook_dim // 2
    tables = []
    for index in range(c.quantizers):
        part, at = ("rvq_first", 0) if index == 0 else ("rvq_rest", index - 1)
        book = f"quantizer.{part}.vq.layers.{at}._codebook."
        usage = get(f"{book}cluster_usage", c.codebook_size).clamp(min=1e-5)
        rows = get(f"{book}embedding_sum", c.codebook_size, inner) / usage[:, None]
        project = get(f"quantizer.{part}.output_proj.weight", c.codebook_dim, inner, 1)[..., 0]
        tables.append(rows @ project.T)
    return torch.stack(tables)


def _linear(get: Get, name: str, wide: int, out: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    weight, bias = get(f"{name}weight", out, wide), get(f"{name}bias", out)
    return weight.to(dtype), bias.to(dtype)


def _conv(
    get: Get, name: str, wide: int, out: int, taps: int, dtype: torch.dtype, dilation: int = 1
) -> Conv:
    weight = get(f"{name}weight", out, wide, taps).permute(2, 0, 1)
    return Conv(weight.to(dtype).contiguous(), get(f"{name}bias", out), dilation)


def _upsampling(
    get: Get, name: str, wide: int, out: int, stride: int, taps: int, dtype: torch.dtype
) -> Conv:
    """A transposed convolution of `taps` * stride; the newest input belongs to the last tap."""
    weight = get(f"{name}weight", wide, out, taps * stride).view(wide, out, taps, stride)
    weight = weight.permute(2, 3, 1, 0).flip(0).reshape(taps, stride * out, wide)
    bias = get(f"{name}bias", out).repeat(stride)
    return Conv(weight.to(dtype).contiguous(), bias, steps=stride)


def _snake(get: Get, name: str, width: int) -> Snake:
    gain = 1.0 / (get(f"{name}beta", width).exp() + 1e-9)
    return Snake(get(f"{name}alpha", width).exp(), gain)


def _layer(get: Get, name: str, c: CodecConfig, dtype: torch.dtype) -> Layer:
    heads = c.heads * c.head_dim
    attention, mlp = f"{name}self_attn.", f"{name}mlp."
    qkv = [get(f"{attention}{part}_proj.weight", heads, c.hidden) for part in "qkv"]
    out = get(f"{attention}o_proj.weight", c.hidden, heads)
    halves = [get(f"{mlp}{part}_proj.weight", c.inner, c.hidden) for part in ("gate", "up")]
    down = get(f"{mlp}down_proj.weight", c.hidden, c.inner)
    return Layer(
        norm=Norm(get(f"{name}input_layernorm.weight", c.hidden), c.eps),
        qkv=torch.cat(qkv).to(dtype),
        out=(get(f"{name}self_attn_layer_scale.scale", c.hidden)[:, None] * out).to(dtype),
        mlp_norm=Norm(get(f"{name}post_attention_layernorm.weight", c.hidden), c.eps),
        gate_up=torch.cat(halves).to(dtype),
        down=(get(f"{name}mlp_layer_scale.scale", c.hidden)[:, None] * down).to(dtype),
    )


def _next_block(get: Get, name: str, width: int, ratio: int, dtype: torch.dtype) -> NextBlock:
    own = f"{name}1."
    gamma = get(f"{own}gamma", width)
    narrow = get(f"{own}pwconv2.weight", width, 4 * width)
    return NextBlock(
        up=_upsampling(get, f"{name}0.conv.", width, width, ratio, 1, dtype),
        depthwise=get(f"{own}dwconv.conv.weight", width, 1, 7)[:, 0].T.contiguous(),
        depthwise_bias=get(f"{own}dwconv.conv.bias", width),
        norm=(get(f"{own}norm.weight", width), get(f"{own}norm.bias", width)),
        widen=_linear(get, f"{own}pwconv1.", width, 4 * width, dtype),
        narrow=(
            (gamma[:, None] * narrow).to(dtype),
            (gamma * get(f"{own}pwconv2.bias", width)).to(dtype),
        ),
    )


def _block(get: Get, index: int, c: CodecConfig, dtype: torch.dtype) -> Block:
    name = f"decoder.{index + 1}.block."
    wide, out = c.wave_dim // 2**index, c.wave_dim // 2 ** (index + 1)
    units = []
    for number, dilation in enumerate(DILATIONS, start=2):
        own = f"{name}{number}."
        units.append(
            Unit(
                before=_snake(get, f"{own}act1.", out),
                wide=_conv(get, f"{own}conv1.conv.", out, out, 7, dtype, dilation),
                between=_snake(get, f"{own}act2.", out),
                point=_conv(get, f"{own}conv2.conv.", out, out, 1, dtype),
            )
        )
    up = _upsampling(get, f"{name}1.conv.", wide, out, c.rates[index], 2, dtype)
    return Block(_snake(get, f"{name}0.", wide), up, tuple(units))
