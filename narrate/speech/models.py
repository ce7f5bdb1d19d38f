"""Which checkpoint `--model` means, whether it is whole, and what it can do; all without torch.

    1.7b, 0.6b           the published checkpoint of that size, of the kind that the voice needs
    FOLDER               a folder on this machine; nothing is asked of the network
    OWNER/NAME[@REV]     a model on the Hugging Face hub, from its cache where it is there

The digest of a checkpoint covers its configuration and tokenizer files whole, and of each
safetensors file the header and the first 4 KiB of every tensor: training changes every tensor, and
a few megabytes are read in milliseconds where the whole file takes seconds. The folder's name
and the hub's revision are not in it: what counts is what the model is, not where it lies.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from narrate.core import canonical_digest
from narrate.errors import BackendError, UsageError, VoiceError
from narrate.speech.published import from_extra
from narrate.speech.weights_file import WeightsFile

__all__ = [
    "KINDS",
    "Checkpoint",
    "check_tensors",
    "find_model",
    "open_checkpoint",
    "published_name",
]

KINDS: Mapping[str, str] = {
    "base": "clones a voice from a recording",
    "custom_voice": "has named speakers",
    "voice_design": "makes a voice from a description",
}
"""`tts_model_type` in a checkpoint's `config.json`, and what such a checkpoint does."""

_HUB: Mapping[tuple[str, str], str] = {
    ("1.7b", "base"): "Qwen/Qwen3-TTS-12Hz-1.7B-Base",
    ("1.7b", "custom_voice"): "Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice",
    ("1.7b", "voice_design"): "Qwen/Qwen3-TTS-12Hz-1.7B-VoiceDesign",
    ("0.6b", "base"): "Qwen/Qwen3-TTS-12Hz-0.6B-Base",
    ("0.6b", "custom_voice"): "Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice",
}
_SIZES = tuple(dict.fromkeys(size for size, _ in _HUB))
_HUB_NAME = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?")
_CODEC = "speech_tokenizer"
_SMALL_FILES = (
    "config.json",
    "generation_config.json",
    "vocab.json",
    "merges.txt",
    "tokenizer_config.json",
    f"{_CODEC}/config.json",
    f"{_CODEC}/preprocessor_config.json",
)
_OPTIONAL_FILES = ("tokenizer.json",)
_AGAIN = "download it again; what is there already is not fetched twice"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A whole checkpoint on this machine and what its `config.json` says it can do.

    `languages` and `speakers` are the checkpoint's own names; `dialects` maps a speaker to the
    dialect that takes the place of Chinese. `files_bytes` is what its weights take on disk.
    """

    folder: Path
    kind: str
    size: str
    languages: tuple[str, ...]
    speakers: tuple[str, ...]
    dialects: Mapping[str, str]
    rate_hz: int
    files_bytes: int
    digest: str

    def require(self, kind: str, wanted: str) -> None:
        """Refuse a voice that this kind of checkpoint cannot speak with (`VoiceError`)."""
        if self.kind != kind:
            raise VoiceError(
                f"this model cannot speak with {wanted}: it {KINDS[self.kind]}",
                where=str(self.folder),
                remedy=f"choose with --model one that {KINDS[kind]} (its tts_model_type is {kind})",
            )


def published_name(words: str, kind: str) -> str:
    """Return the hub's name of `1.7b` and `0.6b` for a kind of voice; other words as they are."""
    return _HUB.get((words.lower(), kind), words)


def find_model(words: str, kind: str, *, download: bool = True) -> Path:
    """Return the folder of a checkpoint; `kind` decides what `1.7b` and `0.6b` mean.

    A model of the hub that is not on this machine is downloaded, unless `download` is false.
    Raises `BackendError` where there is none, `UsageError` for words that mean nothing.
    """
    folder = Path(words).expanduser()
    if folder.is_dir():
        return folder.absolute()
    if words.lower() in _SIZES:
        name = _HUB.get((words.lower(), kind))
        if name is None:
            raise UsageError(
                f"there is no {words} model that {KINDS[kind]}",
                where="--model",
                remedy="use --model 1.7b",
            )
        return _from_hub(name, None, download)
    found = _HUB_NAME.fullmatch(words)
    if found and not words.startswith("."):
        return _from_hub(found["name"], found["revision"], download)
    raise BackendError(
        "there is no such model folder",
        where=words,
        remedy=f"give --model {', '.join(_SIZES)}, a folder, or a name on the Hugging Face hub",
    )


def _from_hub(name: str, revision: str | None, download: bool) -> Path:
    with from_extra():
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import (
            HfHubHTTPError,
            HFValidationError,
            LocalEntryNotFoundError,
        )
    by_hand = (
        f"download all files of https://huggingface.co/{name} on a machine that reaches it "
        f"(hf download {name} --local-dir FOLDER), copy the folder here, and give --model FOLDER"
    )
    try:
        return Path(snapshot_download(name, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError) as error:
        if not download:
            raise BackendError(
                "the model is not on this machine yet", where=name, remedy=by_hand
            ) from error
    try:
        return Path(snapshot_download(name, revision=revision))
    except LocalEntryNotFoundError as error:
        raise BackendError(
            "the model is not on this machine, and the Hugging Face hub cannot be reached",
            where=name,
            remedy=by_hand,
        ) from error
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise BackendError(
            f"the model is not on this machine and cannot be downloaded: {_first_line(error)}",
            where=name if revision is None else f"{name}@{revision}",
            remedy=by_hand,
        ) from error


def _first_line(error: Exception) -> str:
    words = str(error).strip().splitlines() or [type(error).__name__]
    return words[0].rstrip(".")[:200]


def open_checkpoint(folder: Path) -> Checkpoint:
    """Read what a checkpoint can do and check that it is whole; a few milliseconds, no torch.

    `BackendError` for a folder that is missing, half downloaded, damaged, or another model's.
    """
    if not folder.is_dir():
        raise BackendError(
            "there is no such model folder", where=str(folder), remedy="check the name in --model"
        )
    config = _read_config(folder / "config.json")
    if config.get("model_type") != "qwen3_tts":
        raise BackendError(
            f"this is a model of the type {config.get('model_type')!r}, not a Qwen3-TTS one",
            where=str(folder),
            remedy="use a Qwen3-TTS 12 Hz checkpoint, such as --model 1.7b",
        )
    kind = config.get("tts_model_type")
    talker = config.get("talker_config")
    if kind not in KINDS or not isinstance(talker, dict):
        raise BackendError(
            f"this Qwen3-TTS model is of an unknown kind, {kind!r}",
            where=str(folder / "config.json"),
            remedy=f"use one of the kinds {', '.join(KINDS)}",
        )
    if config.get("tokenizer_type", "qwen3_tts_tokenizer_12hz") != "qwen3_tts_tokenizer_12hz":
        raise BackendError(
            "this Qwen3-TTS model does not use the 12 Hz codec",
            where=str(folder),
            remedy="use one of the 12 Hz models, such as --model 1.7b",
        )
    weights = [*_weights(folder), *_weights(folder / _CODEC)]
    codec = _read_config(folder / _CODEC / "config.json")
    dialects = talker.get("spk_is_dialect") or {}
    return Checkpoint(
        folder=folder,
        kind=str(kind),
        size=str(config.get("tts_model_size")),
        languages=tuple(sorted(n for n in talker["codec_language_id"] if "dialect" not in n)),
        speakers=tuple(sorted(talker.get("spk_id") or {})),
        dialects={name: str(dialect) for name, dialect in dialects.items() if dialect},
        rate_hz=int(str(codec.get("output_sample_rate", 24_000))),
        files_bytes=sum(file.size_bytes for file in weights),
        digest=_digest(folder, weights),
    )


def _read_config(path: Path) -> dict[str, object]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BackendError(
            "the model folder has no config.json",
            where=str(path.parent),
            remedy="check the name in --model; if its download broke off, " + _AGAIN,
        ) from error
    except (OSError, ValueError) as error:
        raise BackendError(
            f"the model's configuration cannot be read: {_first_line(error)}",
            where=str(path),
            remedy=_AGAIN,
        ) from error
    return value if isinstance(value, dict) else {}


def _weights(folder: Path) -> list[WeightsFile]:
    """The safetensors files of a folder, each checked to be whole; an index names its shards."""
    index = folder / "model.safetensors.index.json"
    names = ["model.safetensors"]
    if index.exists():
        shards = _read_config(index).get("weight_map")
        names = sorted(set(shards.values())) if isinstance(shards, dict) else names
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise BackendError(
            f"the model is only half there: {', '.join(missing)} is missing",
            where=str(folder),
            remedy=_AGAIN,
        )
    return [WeightsFile.read(folder / name) for name in names]


def check_tensors(folder: Path, wanted: Iterable[str]) -> None:
    """Refuse a folder whose weights lack a tensor (`BackendError` names it).

    The published package fills a missing one with random numbers, and says so to nobody.
    """
    there = frozenset[str]().union(*(file.names for file in _weights(folder)))
    missing = sorted(set(wanted) - there)
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise BackendError(
            f"the model's weights lack {missing[0]}{more}", where=str(folder), remedy=_AGAIN
        )


def _digest(folder: Path, weights: list[WeightsFile]) -> str:
    names = [*_SMALL_FILES, *(name for name in _OPTIONAL_FILES if (folder / name).exists())]
    if (folder / "tokenizer.json").exists():
        names = [name for name in names if (folder / name).exists()]
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise BackendError(
            f"the model is only half there: {', '.join(missing)} is missing",
            where=str(folder),
            remedy=_AGAIN,
        )
    return canonical_digest(
        {
            "files": {
                name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names
            },
            "weights": [[file.path.name, file.fingerprint()] for file in weights],
        }
    )
