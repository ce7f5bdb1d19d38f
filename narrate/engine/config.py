"""What a checkpoint says about itself: sizes, special ids, languages and speakers.

Everything comes from the checkpoint's own `config.json`. A key that is absent there has the value
of the published package's configuration classes (qwen-tts 0.1.1), because files that those classes
write leave out what equals their defaults.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from narrate.errors import BackendError

__all__ = ["ModelConfig", "SpecialIds", "StackConfig", "read_config", "read_json"]

_PREDICTOR_DEFAULTS: Mapping[str, object] = {
    "vocab_size": 2048,
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 5,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "hidden_act": "silu",
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000,
    "attention_bias": False,
    "use_sliding_window": False,
}
_TALKER_DEFAULTS: Mapping[str, object] = {
    "vocab_size": 3072,
    "text_vocab_size": 151936,
    "hidden_size": 1024,
    "intermediate_size": 2048,
    "num_hidden_layers": 20,
    "num_attention_heads": 16,
    "num_key_value_heads": 2,
    "hidden_act": "silu",
    "max_position_embeddings": 32768,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000,
    "attention_bias": False,
    "use_sliding_window": False,
    "num_code_groups": 32,
    "text_hidden_size": 2048,
    "codec_eos_token_id": 4198,
    "codec_think_id": 4202,
    "codec_nothink_id": 4203,
    "codec_think_bos_id": 4204,
    "codec_think_eos_id": 4205,
    "codec_pad_id": 4196,
    "codec_bos_id": 4197,
}
_TOP_DEFAULTS: Mapping[str, object] = {
    "tts_pad_token_id": 151671,
    "tts_bos_token_id": 151672,
    "tts_eos_token_id": 151673,
}


@dataclass(frozen=True, slots=True)
class StackConfig:
    """The sizes of one transformer: the talker or the code predictor."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    eps: float
    rope_theta: float

    @property
    def qkv_width(self) -> int:
        """Columns of the fused projection: queries, keys and values."""
        return (self.heads + 2 * self.kv_heads) * self.head_dim

    @property
    def kv_numbers_per_position(self) -> int:
        """Numbers that one position of one row keeps in the cache, all layers."""
        return 2 * self.layers * self.kv_heads * self.head_dim


@dataclass(frozen=True, slots=True)
class SpecialIds:
    """Ids with a meaning of their own: `tts_*` are text ids, the others are codec ids."""

    tts_pad: int
    tts_bos: int
    tts_eos: int
    pad: int
    bos: int
    eos: int
    think: int
    nothink: int
    think_bos: int
    think_eos: int


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """One checkpoint. `dialects` maps a speaker to the language tag that his dialect has."""

    talker: StackConfig
    predictor: StackConfig
    groups: int
    text_vocab: int
    text_hidden: int
    max_positions: int
    ids: SpecialIds
    languages: Mapping[str, int]
    speakers: Mapping[str, int]
    dialects: Mapping[str, str]
    kind: str  # base | custom_voice | voice_design
    size: str

    @property
    def suppressed_from(self) -> int:
        """The first of the codec ids that are never spoken (the end excepted)."""
        return self.talker.vocab - 1024

    @property
    def code_rows(self) -> int:
        """Rows of all code embeddings in one table: the talker's, then the predictor's."""
        return self.talker.vocab + (self.groups - 1) * self.predictor.vocab

    def code_offset(self, group: int) -> int:
        """Where the rows of a group begin in that table."""
        return self.talker.vocab + (group - 1) * self.predictor.vocab if group else 0


def read_json(path: Path) -> dict[str, object]:
    """Read a JSON object; `BackendError` names the file that is missing or broken."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BackendError(
            "the model's folder is not complete",
            where=f"{path}: {error}",
            remedy="download the model again, or point to the folder that holds its config.json",
        ) from error
    if not isinstance(value, dict):
        raise BackendError("the model's file holds no object", where=str(path))
    return value


def read_config(folder: Path) -> ModelConfig:
    """Read `config.json`; `BackendError` for what this engine cannot compute."""
    path = folder / "config.json"
    top = _Section(path, "", read_json(path), _TOP_DEFAULTS)
    talker = top.section("talker_config", _TALKER_DEFAULTS)
    predictor = talker.section("code_predictor_config", _PREDICTOR_DEFAULTS)
    kind = str(top.values.get("tts_model_type"))
    if kind not in ("base", "custom_voice", "voice_design"):
        raise BackendError(f"the model is of an unknown kind, {kind!r}", where=str(path))
    ids = SpecialIds(
        *(top.whole(f"tts_{name}_token_id") for name in ("pad", "bos", "eos")),
        *(talker.whole(f"codec_{name}") for name in ("pad_id", "bos_id", "eos_token_id")),
        *(talker.whole(f"codec_{n}_id") for n in ("think", "nothink", "think_bos", "think_eos")),
    )
    dialects = talker.mapping("spk_is_dialect")
    return ModelConfig(
        talker=talker.stack(),
        predictor=predictor.stack(),
        groups=talker.whole("num_code_groups"),
        text_vocab=talker.whole("text_vocab_size"),
        text_hidden=talker.whole("text_hidden_size"),
        max_positions=talker.whole("max_position_embeddings"),
        ids=ids,
        languages={name: _whole(n) for name, n in talker.mapping("codec_language_id").items()},
        speakers={name: _whole(n) for name, n in talker.mapping("spk_id").items()},
        dialects={name: str(tag) for name, tag in dialects.items() if tag},
        kind=kind,
        size=str(top.values.get("tts_model_size")),
    )


def _whole(value: object) -> int:
    if isinstance(value, list) and len(value) == 1:  # some files wrap a speaker's id
        value = value[0]
    if not isinstance(value, int):
        raise BackendError(f"{value!r} is not an id", where="config.json")
    return value


class _Section:
    """One object of the file with the defaults of its class."""

    def __init__(
        self, path: Path, name: str, values: Mapping[str, object], defaults: Mapping[str, object]
    ) -> None:
        self.path, self.name, self.values, self.defaults = path, name, values, defaults

    def section(self, name: str, defaults: Mapping[str, object]) -> _Section:
        return _Section(self.path, name, self.mapping(name, required=True), defaults)

    def mapping(self, name: str, required: bool = False) -> Mapping[str, object]:
        value = self.values.get(name)
        if isinstance(value, dict):
            return value
        if required or value is not None:
            raise self._fault(name, value)
        return {}

    def number(self, name: str) -> float:
        value = self.values.get(name, self.defaults.get(name))
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._fault(name, value)
        return value

    def whole(self, name: str) -> int:
        return int(self.number(name))

    def stack(self) -> StackConfig:
        """Sizes of the transformer in this section; refuses variants it cannot compute."""
        rope = self.values.get("rope_scaling") or {}
        rope_type = rope.get("rope_type", rope.get("type")) if isinstance(rope, dict) else rope
        for name, value, only in (
            ("hidden_act", self._value("hidden_act"), "silu"),
            ("attention_bias", self._value("attention_bias"), False),
            ("use_sliding_window", self._value("use_sliding_window"), False),
            ("rope_scaling", rope_type, (None, "default")),
        ):
            if value != only and not (isinstance(only, tuple) and value in only):
                raise BackendError(
                    f"this engine does not compute {name} = {value!r}",
                    where=f"{self.path}, {self.name}",
                    remedy="use --backend official for this model",
                )
        hidden, heads = self.whole("hidden_size"), self.whole("num_attention_heads")
        known = "head_dim" in self.values or "head_dim" in self.defaults
        return StackConfig(
            hidden=hidden,
            intermediate=self.whole("intermediate_size"),
            layers=self.whole("num_hidden_layers"),
            heads=heads,
            kv_heads=self.whole("num_key_value_heads"),
            head_dim=self.whole("head_dim") if known else hidden // heads,
            vocab=self.whole("vocab_size"),
            eps=self.number("rms_norm_eps"),
            rope_theta=self.number("rope_theta"),
        )

    def _value(self, name: str) -> object:
        return self.values.get(name, self.defaults.get(name))

    def _fault(self, name: str, value: object) -> BackendError:
        place = f"{self.name}.{name}" if self.name else name
        return BackendError(
            f"the model's configuration has {place} = {value!r}, which has no meaning there",
            where=str(self.path),
            remedy="download the model again",
        )
