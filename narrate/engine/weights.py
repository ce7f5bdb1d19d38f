"""The model's tensors, straight from the checkpoint's safetensors, tied to no model library.

`shapes_of` says which tensors a configuration needs; a checkpoint that lacks one, has one of
another shape, or holds one that nothing reads is refused by name. `build_model` fuses what is
multiplied together and computes the tables that depend on weights only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open

from narrate.engine.config import ModelConfig, StackConfig, read_json
from narrate.engine.kernels import HeadNorms, Norm, Rotary, Weight
from narrate.engine.model.layers import Layer, Model, Predictor, Stack
from narrate.engine.quantise import pack
from narrate.errors import BackendError

__all__ = ["Take", "build_model", "checkpoint_tensors", "shapes_of"]

Shape = tuple[int, ...]
Take = Callable[[str], torch.Tensor]

# Read by others (the voice's speaker encoder), or by nobody: buffers that can be computed.
_FOREIGN = ("speaker_encoder.", "speech_tokenizer.")
_TALKER = "talker.model."
_PREDICTOR = "talker.code_predictor."
_PROJECTION = "talker.text_projection."
_TO_PREDICTOR = f"{_PREDICTOR}small_to_mtp_projection."
_ROWS_AT_ONCE = 16384


def shapes_of(config: ModelConfig) -> dict[str, Shape]:
    """Every tensor that the engine reads, by its name in the checkpoint."""
    talker, predictor = config.talker, config.predictor
    text = config.text_hidden
    shapes: dict[str, Shape] = {
        f"{_TALKER}codec_embedding.weight": (talker.vocab, talker.hidden),
        f"{_TALKER}text_embedding.weight": (config.text_vocab, text),
        f"{_PROJECTION}linear_fc1.weight": (text, text),
        f"{_PROJECTION}linear_fc1.bias": (text,),
        f"{_PROJECTION}linear_fc2.weight": (talker.hidden, text),
        f"{_PROJECTION}linear_fc2.bias": (talker.hidden,),
        "talker.codec_head.weight": (talker.vocab, talker.hidden),
    }
    for group in range(config.groups - 1):
        embedding = f"{_PREDICTOR}model.codec_embedding.{group}.weight"
        shapes[embedding] = (predictor.vocab, talker.hidden)
        shapes[f"{_PREDICTOR}lm_head.{group}.weight"] = (predictor.vocab, predictor.hidden)
    if predictor.hidden != talker.hidden:
        shapes[f"{_TO_PREDICTOR}weight"] = (predictor.hidden, talker.hidden)
        shapes[f"{_TO_PREDICTOR}bias"] = (predictor.hidden,)
    shapes |= _stack_shapes(_TALKER, talker) | _stack_shapes(f"{_PREDICTOR}model.", predictor)
    return shapes


def _stack_shapes(prefix: str, stack: StackConfig) -> dict[str, Shape]:
    hidden, inner = stack.hidden, stack.intermediate
    queries, keys = stack.heads * stack.head_dim, stack.kv_heads * stack.head_dim
    shapes: dict[str, Shape] = {f"{prefix}norm.weight": (hidden,)}
    for index in range(stack.layers):
        one = f"{prefix}layers.{index}."
        shapes |= {
            f"{one}input_layernorm.weight": (hidden,),
            f"{one}post_attention_layernorm.weight": (hidden,),
            f"{one}self_attn.q_proj.weight": (queries, hidden),
            f"{one}self_attn.k_proj.weight": (keys, hidden),
            f"{one}self_attn.v_proj.weight": (keys, hidden),
            f"{one}self_attn.o_proj.weight": (hidden, queries),
            f"{one}self_attn.q_norm.weight": (stack.head_dim,),
            f"{one}self_attn.k_norm.weight": (stack.head_dim,),
            f"{one}mlp.gate_proj.weight": (inner, hidden),
            f"{one}mlp.up_proj.weight": (inner, hidden),
            f"{one}mlp.down_proj.weight": (hidden, inner),
        }
    return shapes


def _checkpoint_files(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if index.exists():
        named = read_json(index).get("weight_map")
        if isinstance(named, dict):
            return [folder / str(name) for name in sorted(set(named.values()))]
    return [folder / "model.safetensors"]


@contextmanager
def checkpoint_tensors(folder: Path, config: ModelConfig, device: torch.device) -> Iterator[Take]:
    """Open the checkpoint's files, checked against `shapes_of`; yields a reader by name."""
    with ExitStack() as stack:
        holders: dict[str, safe_open] = {}
        for path in _checkpoint_files(folder):
            try:
                file = stack.enter_context(safe_open(path, framework="pt", device=str(device)))
            except (OSError, SafetensorError) as error:
                raise BackendError(
                    "the model's weights cannot be read",
                    where=f"{path}: {error}",
                    remedy="download the model again",
                ) from error
            holders |= dict.fromkeys(file.keys(), file)
        shapes = {n: tuple(file.get_slice(n).get_shape()) for n, file in holders.items()}
        _check(folder, shapes_of(config), shapes)
        yield lambda name: holders[name].get_tensor(name)


def _check(folder: Path, needed: Mapping[str, Shape], found: Mapping[str, Shape]) -> None:
    own = {name for name in found if not name.startswith(_FOREIGN)}
    faults = [f"{name} is missing" for name in needed if name not in found]
    faults += [f"{name} is unknown" for name in sorted(own - needed.keys())]
    faults += [
        f"{name} is {list(found[name])} instead of {list(shape)}"
        for name, shape in needed.items()
        if name in found and found[name] != shape
    ]
    if faults:
        more = f" and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise BackendError(
            f"the model's weights do not fit its configuration: {'; '.join(faults[:5])}{more}",
            where=str(folder),
            remedy="download the model again; if it is a newer kind, use --backend official",
        )


@torch.no_grad()
def build_model(
    config: ModelConfig,
    take: Take,
    device: torch.device,
    dtype: torch.dtype,
    positions: int,
    packed: str | None = None,
) -> Model:
    """Build the model from a reader of tensors; `positions` is the longest row it will see.

    `packed` is a kind of `quantise` for the products of both transformers' layers. Heads stay as
    they are: a hundredth of what a frame reads, and each of their errors is one of a logit.

    The text table holds the projected embedding of every text id and the code table the embeddings
    of all groups; both end with a row of zeros, so a prompt is sums of rows and nothing else. The
    code table has one more row before it, for the voice's speaker embedding.
    """

    def get(name: str) -> torch.Tensor:
        return take(name).to(device=device, dtype=dtype)

    def stack(prefix: str, sizes: StackConfig, longest: int) -> Stack:
        rotary = Rotary.table(longest, sizes.head_dim, sizes.rope_theta, device)
        norm = Norm(get(f"{prefix}norm.weight"), sizes.eps)
        return Stack(sizes, tuple(_layers(get, prefix, sizes, packed)), norm, rotary)

    talker, predictor = config.talker, config.predictor
    codes = [get(f"{_TALKER}codec_embedding.weight")]
    codes += [
        get(f"{_PREDICTOR}model.codec_embedding.{g}.weight") for g in range(config.groups - 1)
    ]
    table = torch.cat([*codes, codes[0].new_zeros(2, talker.hidden)])
    project: tuple[torch.Tensor, torch.Tensor] | None = None
    if predictor.hidden != talker.hidden:
        project = (get(f"{_TO_PREDICTOR}weight"), get(f"{_TO_PREDICTOR}bias"))
    inputs = F.linear(table, *project) if project else table
    return Model(
        config=config,
        text=_project_text(get, config),
        codes=table,
        talker=stack(_TALKER, talker, positions),
        head=get("talker.codec_head.weight"),
        predictor=Predictor(
            stack=stack(f"{_PREDICTOR}model.", predictor, config.groups + 1),
            project=project,
            inputs=inputs,
            heads=tuple(get(f"{_PREDICTOR}lm_head.{g}.weight") for g in range(config.groups - 1)),
        ),
    )


def _project_text(get: Take, config: ModelConfig) -> torch.Tensor:
    """Text embeddings after their projection, [text_vocab + 1, hidden], the last row zeros."""
    raw = get(f"{_TALKER}text_embedding.weight")
    first = get(f"{_PROJECTION}linear_fc1.weight"), get(f"{_PROJECTION}linear_fc1.bias")
    second = get(f"{_PROJECTION}linear_fc2.weight"), get(f"{_PROJECTION}linear_fc2.bias")
    table = raw.new_zeros(config.text_vocab + 1, config.talker.hidden)
    for start in range(0, config.text_vocab, _ROWS_AT_ONCE):
        rows = raw[start : start + _ROWS_AT_ONCE]
        table[start : start + len(rows)] = F.linear(F.silu(F.linear(rows, *first)), *second)
    return table


def _layers(get: Take, prefix: str, stack: StackConfig, packed: str | None) -> Iterator[Layer]:
    def product(*names: str) -> Weight:
        parts = [get(f"{one}{name}_proj.weight") for name in names]
        weight = parts[0] if len(parts) == 1 else torch.cat(parts)
        return pack(weight, packed) if packed else weight

    for index in range(stack.layers):
        one = f"{prefix}layers.{index}."
        yield Layer(
            norm=Norm(get(f"{one}input_layernorm.weight"), stack.eps),
            qkv=product("self_attn.q", "self_attn.k", "self_attn.v"),
            heads=HeadNorms(
                Norm(get(f"{one}self_attn.q_norm.weight"), stack.eps),
                Norm(get(f"{one}self_attn.k_norm.weight"), stack.eps),
            ),
            out=product("self_attn.o"),
            mlp_norm=Norm(get(f"{one}post_attention_layernorm.weight"), stack.eps),
            gate_up=product("mlp.gate", "mlp.up"),
            down=product("mlp.down"),
        )
