"""Text to ids by the checkpoint's own tokenizer files, equal to the published package's ids.

The files are `tokenizer.json`, or `vocab.json` with `merges.txt`; `tokenizer_config.json` holds the
special tokens.
"""

from __future__ import annotations

from pathlib import Path

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import BPE

from narrate.engine.config import read_json
from narrate.errors import BackendError

__all__ = ["TextIds"]

_QWEN_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_MISTRAL_WORDS = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_LARGE_VOCABULARY = 100_000
_ROLE_IDS = 3  # <|im_start|> assistant \n
_TARGET_END_IDS = 5  # <|im_end|> \n <|im_start|> assistant \n
_REFERENCE_END_IDS = 2  # <|im_end|> \n


class TextIds:
    """The text side of the prompt: ids of what is said, of the transcript and of instructions."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = _open(folder)

    def ids(self, text: str) -> list[int]:
        """All ids of a text, special tokens included where the text spells them."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def role(self) -> list[int]:
        """The three ids that open every prompt."""
        return self.ids("<|im_start|>assistant\n")[:_ROLE_IDS]

    def target(self, text: str) -> list[int]:
        """The ids of what is to be said."""
        turn = f"<|im_start|>assistant\n{text}<|im_end|>\n<|im_start|>assistant\n"
        return self.ids(turn)[_ROLE_IDS:-_TARGET_END_IDS]

    def reference(self, text: str) -> list[int]:
        """The ids of the reference recording's transcript."""
        return self.ids(f"<|im_start|>assistant\n{text}<|im_end|>\n")[_ROLE_IDS:-_REFERENCE_END_IDS]

    def instruction(self, text: str) -> list[int]:
        """The ids of a description of a voice, its turn's marks included."""
        return self.ids(f"<|im_start|>user\n{text}<|im_end|>\n")


def _open(folder: Path) -> Tokenizer:
    try:
        if (folder / "tokenizer.json").exists():
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        else:
            files = str(folder / "vocab.json"), str(folder / "merges.txt")
            tokenizer = _from_files(*files)
    except Exception as error:  # the library raises no other for a broken file
        raise BackendError(
            "the model's tokenizer cannot be read",
            where=f"{folder}: {error}",
            remedy="download the model again",
        ) from error
    if _has_mistral_words(folder, tokenizer):
        split = pre_tokenizers.Split(Regex(_MISTRAL_WORDS), behavior="isolated")
        byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    _add_special(folder, tokenizer)
    return tokenizer


def _from_files(vocab: str, merges: str) -> Tokenizer:
    """Build what the published slow tokenizer is converted to."""
    tokenizer = Tokenizer(BPE.from_file(vocab, merges))
    tokenizer.normalizer = normalizers.NFC()
    split = pre_tokenizers.Split(Regex(_QWEN_WORDS), behavior="isolated", invert=False)
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _has_mistral_words(folder: Path, tokenizer: Tokenizer) -> bool:
    """Tell whether the published package cuts words with Mistral's pattern for this folder.

    NOTE: it asks transformers 4.57.3 for `fix_mistral_regex`, whose rule looks at who wrote
    config.json and not at the model: a file of 4.57.2 or older is left alone, one of 4.57.3 or
    later in the fourth series, or without a version, gets the other pattern.
    """
    if tokenizer.get_vocab_size(with_added_tokens=False) <= _LARGE_VOCABULARY:
        return False
    config = read_json(folder / "config.json")
    written_by = str(config.get("transformers_version") or "")
    if not written_by:
        return True
    version = tuple(int(part) for part in written_by.split(".")[:3] if part.isdigit())
    if version <= (4, 57, 2):
        return not config.get("model_type")
    return version < (5, 0, 0)


def _add_special(folder: Path, tokenizer: Tokenizer) -> None:
    held = read_json(folder / "tokenizer_config.json").get("added_tokens_decoder")
    entries = held if isinstance(held, dict) else {}
    for wanted, entry in sorted((int(key), entry) for key, entry in entries.items()):
        token = AddedToken(**{k: v for k, v in entry.items() if k != "__type"})
        adder = tokenizer.add_special_tokens if token.special else tokenizer.add_tokens
        adder([token])
        if tokenizer.token_to_id(token.content) != wanted:
            raise BackendError(
                f"the model's tokenizer gives {token.content} another id than {wanted}",
                where=f"{folder}, tokenizers {tokenizers.__version__}",
                remedy="download the model again",
            )
