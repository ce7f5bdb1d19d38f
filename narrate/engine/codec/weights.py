"""The speech decoder's tensors, checked by name and shape, in the layout that it is computed in.

Time runs along the first axis and channels along the last. A convolution's weight is
[taps, out, in]. A transposed convolution whose kernel is twice its stride is a convolution of two
taps with stride times as many channels: what comes out, read as more steps of fewer channels, is
its result, so there is one kind of convolution only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
    """A causal convolution: weight [taps, steps * out, in], bias fp32 [steps * out].

    Its result is of type `out`. With one tap it is a product.
    """

    weight: Tensor
    bias: Tensor
    dilation: int = 1
    steps: int = 1
    out: torch.dtype = torch.float32


@dataclass(frozen=True, eq=False)
class Snake:
    """x + gain * sin(rate * x)^2 by channel, both fp32."""

    rate: Tensor
    gain: Tensor


@dataclass(frozen=True, eq=False)
class Layer:
    """A transformer layer; its two layer scales are folded into `out` and `down`."""

    norm: Norm
    qkv: Conv
    out: Conv
    mlp_norm: Norm
    gate_up: Conv
    down: Conv


@dataclass(frozen=True, eq=False)
class NextBlock:
    """Upsampling, then ConvNeXt: depthwise [taps, channels], its scale folded into `narrow`."""

    up: Conv
    depthwise: Tensor
    depthwise_bias: Tensor
    norm: tuple[Tensor, Tensor]
    widen: Conv
    narrow: Conv


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
    enter: Conv
    layers: tuple[Layer, ...]
    norm: Norm
    leave: Conv
    ups: tuple[NextBlock, ...]
    first: Conv
    blocks: tuple[Block, ...]
    after: Snake
    last: Conv


def load_codec(
    folder: Path, config: CodecConfig, device: torch.device, dtypes: Sequence[torch.dtype]
) -> CodecWeights:
    """Read the weights of a `speech_tokenizer` folder; `BackendError` names a tensor at fault.

    `dtypes` has one type for each level of the wave decoder; what comes before them is fp32.
    """
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

            return _build(get, config, dtypes)
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
def _build(get: Get, config: CodecConfig, dtypes: Sequence[torch.dtype]) -> CodecWeights:
    c = config
    stack = "pre_transformer."
    count = len(c.rates)
    last = count + 2
    final = c.wave_dim // 2**count
    first = _conv(get, "decoder.0.conv.", (c.latent, c.wave_dim, 7))
    return CodecWeights(
        config=c,
        tables=_tables(get, c),
        pre=_conv(get, "pre_conv.conv.", (c.codebook_dim, c.latent, 3)),
        enter=_linear(get, f"{stack}input_proj.", c.latent, c.hidden),
        layers=tuple(_layer(get, f"{stack}layers.{i}.", c) for i in range(c.layers)),
        norm=Norm(get(f"{stack}norm.weight", c.hidden), c.eps),
        leave=_linear(get, f"{stack}output_proj.", c.hidden, c.latent),
        ups=tuple(_next_block(get, f"upsample.{i}.", c.latent, r) for i, r in enumerate(c.ratios)),
        first=replace(first, out=dtypes[0]),
        blocks=tuple(_block(get, i, c, dtypes) for i in range(count)),
        after=_snake(get, f"decoder.{count + 1}.", final),
        last=_conv(get, f"decoder.{last}.conv.", (final, 1, 7), dtypes[-1]),
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


def _product(weight: Tensor, bias: Tensor | None = None) -> Conv:
    return Conv(weight[None].contiguous(), weight.new_zeros(len(weight)) if bias is None else bias)


def _linear(get: Get, name: str, wide: int, out: int) -> Conv:
    return _product(get(f"{name}weight", out, wide), get(f"{name}bias", out))


def _conv(
    get: Get,
    name: str,
    sizes: tuple[int, int, int],
    dtype: torch.dtype = torch.float32,
    dilation: int = 1,
) -> Conv:
    """A convolution of (in, out, taps) as the checkpoint has it, [out, in, taps]."""
    wide, out, taps = sizes
    weight = get(f"{name}weight", out, wide, taps).permute(2, 0, 1).to(dtype)
    return Conv(weight.contiguous(), get(f"{name}bias", out), dilation, out=dtype)


def _upsampling(
    get: Get,
    name: str,
    sizes: tuple[int, int, int],
    stride: int,
    dtype: torch.dtype = torch.float32,
) -> Conv:
    """A transposed convolution of `taps` * stride; the newest input belongs to the last tap."""
    wide, out, taps = sizes
    weight = get(f"{name}weight", wide, out, taps * stride).view(wide, out, taps, stride)
    weight = weight.permute(2, 3, 1, 0).flip(0).reshape(taps, stride * out, wide)
    bias = get(f"{name}bias", out).repeat(stride)
    return Conv(weight.to(dtype).contiguous(), bias, steps=stride, out=dtype)


def _snake(get: Get, name: str, width: int) -> Snake:
    gain = 1.0 / (get(f"{name}beta", width).exp() + 1e-9)
    return Snake(get(f"{name}alpha", width).exp(), gain)


def _layer(get: Get, name: str, c: CodecConfig) -> Layer:
    heads = c.heads * c.head_dim
    attention, mlp = f"{name}self_attn.", f"{name}mlp."
    qkv = [get(f"{attention}{part}_proj.weight", heads, c.hidden) for part in "qkv"]
    out = get(f"{attention}o_proj.weight", c.hidden, heads)
    halves = [get(f"{mlp}{part}_proj.weight", c.inner, c.hidden) for part in ("gate", "up")]
    down = get(f"{mlp}down_proj.weight", c.hidden, c.inner)
    return Layer(
        norm=Norm(get(f"{name}input_layernorm.weight", c.hidden), c.eps),
        qkv=_product(torch.cat(qkv)),
        out=_product(get(f"{name}self_attn_layer_scale.scale", c.hidden)[:, None] * out),
        mlp_norm=Norm(get(f"{name}post_attention_layernorm.weight", c.hidden), c.eps),
        gate_up=_product(torch.cat(halves)),
        down=_product(get(f"{name}mlp_layer_scale.scale", c.hidden)[:, None] * down),
    )


def _next_block(get: Get, name: str, width: int, ratio: int) -> NextBlock:
    own = f"{name}1."
    gamma = get(f"{own}gamma", width)
    narrow = get(f"{own}pwconv2.weight", width, 4 * width)
    return NextBlock(
        up=_upsampling(get, f"{name}0.conv.", (width, width, 1), ratio),
        depthwise=get(f"{own}dwconv.conv.weight", width, 1, 7)[:, 0].T.contiguous(),
        depthwise_bias=get(f"{own}dwconv.conv.bias", width),
        norm=(get(f"{own}norm.weight", width), get(f"{own}norm.bias", width)),
        widen=_linear(get, f"{own}pwconv1.", width, 4 * width),
        narrow=_product(gamma[:, None] * narrow, gamma * get(f"{own}pwconv2.bias", width)),
    )


def _block(get: Get, index: int, c: CodecConfig, dtypes: Sequence[torch.dtype]) -> Block:
    name = f"decoder.{index + 1}.block."
    dtype, following = dtypes[index], dtypes[min(index + 1, len(dtypes) - 1)]
    wide, out = c.wave_dim // 2**index, c.wave_dim // 2 ** (index + 1)
    units = []
    for number, dilation in enumerate(DILATIONS, start=2):
        own = f"{name}{number}."
        point = _conv(get, f"{own}conv2.conv.", (out, out, 1), dtype)
        units.append(
            Unit(
                before=_snake(get, f"{own}act1.", out),
                wide=_conv(get, f"{own}conv1.conv.", (out, out, 7), dtype, dilation),
                between=_snake(get, f"{own}act2.", out),
                point=point,
            )
        )
    up = _upsampling(get, f"{name}1.conv.", (wide, out, 2), c.rates[index], dtype)
    # The last result of a level is what the next one reads.
    units[-1] = replace(units[-1], point=replace(units[-1].point, out=following))
    return Block(_snake(get, f"{name}0.", wide), up, tuple(units))
