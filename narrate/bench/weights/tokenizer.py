"""The text tokenizer of a checkpoint: a small byte-level BPE of our own in the published layout.

The vocabulary has the published size, so that the special tokens follow at their published ids;
words that no merge reaches fill it up. `assistant` is one token, as the prompt needs it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

__all__ = ["write_tokenizer"]

VOCABULARY = 151643
ASSISTANT = 77091
MERGES = 400
SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|quad_start|>",
    "<|quad_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
    "<tool_call>",
    "</tool_call>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
    "<tool_response>",
    "</tool_response>",
    "<think>",
    "</think>",
    "<|audio_start|>",
    "<|audio_end|>",
    "<tts_pad>",
    "<tts_text_bos>",
    "<tts_text_eod>",
    "<tts_text_bos_single>",
    "<|audio_pad|>",
)
"""From id 151643 on."""
SAMPLE = """The old clock in the hall struck seven, and nobody in the house stirred. It had been
raining since the morning; the garden stood under water, and the path to the gate was gone. She
read the letter again, slowly, word after word, as though another reading could change what it
said. There was nothing else in it. There would be other letters, and there would be answers to
them, and the years between would go by in the way that years have. Then she folded the paper and
put it where the others were."""


def write_tokenizer(out: Path) -> None:
    """Write `vocab.json`, `merges.txt` and `tokenizer_config.json` into a folder."""
    merges = _merges()
    tokens = [*_byte_letters(), *dict.fromkeys("".join(pair) for pair in merges)]
    tokens.remove("assistant")
    fill = (f"<filler {number}>" for number in range(VOCABULARY))
    vocabulary = {"assistant": ASSISTANT}
    free = iter(tokens)
    for index in range(VOCABULARY):
        if index != ASSISTANT:
            vocabulary[next(free, None) or next(fill)] = index
    ordered = dict(sorted(vocabulary.items(), key=lambda entry: entry[1]))
    (out / "vocab.json").write_text(json.dumps(ordered, ensure_ascii=False), encoding="utf-8")
    lines = "".join(f"{left} {right}\n" for left, right in merges)
    (out / "merges.txt").write_text(lines, encoding="utf-8")
    added = {
        str(VOCABULARY + offset): {
            "content": token,
            "lstrip": False,
            "normalized": False,
            "rstrip": False,
            "single_word": False,
            "special": token.startswith(("<|", "<tts")),
        }
        for offset, token in enumerate(SPECIAL)
    }
    config = {
        "add_bos_token": False,
        "add_prefix_space": False,
        "added_tokens_decoder": added,
        "additional_special_tokens": [token for token in SPECIAL if token.startswith("<|")],
        "bos_token": None,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>",
        "errors": "replace",
        "model_max_length": 131072,
        "pad_token": "<|endoftext|>",
        "processor_class": "Qwen3TTSProcessor",
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }
    (out / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


def _byte_letters() -> list[str]:
    """The 256 signs that stand for bytes, in the order that byte-level vocabularies begin with."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return [chr(byte) for byte in visible] + [chr(256 + n) for n in range(len(hidden))]


def _merges() -> list[tuple[str, str]]:
    """First what makes `assistant` one token, then the pairs that our sample holds most often."""
    merges = list(_chain("assistant"))
    words = [tuple(f"Ġ{word}") for word in SAMPLE.split()]
    while len(merges) < MERGES:
        pairs = Counter(pair for word in words for pair in pairwise(word))
        pair, seen = min(pairs.items(), key=lambda entry: (-entry[1], entry[0]))
        if seen < 2:
            break
        words = [tuple(_joined(word, pair)) for word in words]
        if pair not in merges:
            merges.append(pair)
    return merges


def _chain(word: str) -> Iterator[tuple[str, str]]:
    for end in range(1, len(word)):
        yield word[:end], word[end]


def _joined(word: tuple[str, ...], pair: tuple[str, str]) -> Iterator[str]:
    at = 0
    while at < len(word):
        if word[at : at + 2] == pair:
            yield "".join(pair)
            at += 2
        else:
            yield word[at]
            at += 1
