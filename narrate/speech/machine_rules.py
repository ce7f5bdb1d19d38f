"""What a machine can speak with, and why not: the table of rules over what was found."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from narrate.speech.diagnosis import Rule, Status
from narrate.speech.flash_wheels import (
    LOOKED_UP,
    RELEASE,
    python_tag,
    torch_with_wheel,
    wheel_for,
)
from narrate.speech.machine import Card, Machine

__all__ = ["PYTHONS", "QWEN_TTS", "RULES", "TORCHES"]

# The ranges of pyproject.toml; a test holds them equal.
PYTHONS = ((3, 11), (3, 14))
TORCHES = ((2, 11), (2, 14))
QWEN_TTS = "0.1.1"

_BF16, _FLASH_ATTENTION_2 = (8, 0), (8, 0)
_GB = 1_000_000_000
_PARAMETERS: Mapping[str, int] = {"0.6b": 906_000_000, "1.7b": 1_916_000_000}
_WORKING_BYTES = 2_000_000_000  # the codec, and one sentence on its way through it
_INSTALL = "pip install -c constraints.txt '.[qwen]'"


def _version(words: str | None) -> tuple[int, ...]:
    found = re.match(r"\d+(\.\d+)*", words or "")
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def _best(machine: Machine) -> Card | None:
    return max(machine.cards, key=lambda card: card.capability, default=None)


def _capability(machine: Machine) -> tuple[int, int]:
    best = _best(machine)
    return best.capability if best else (0, 0)


def _sm(capability: tuple[int, int]) -> str:
    return f"sm{capability[0]}{capability[1]}"


def _usable(machine: Machine) -> bool:
    return machine.torch is not None and machine.torch_cards > 0


def _has_kernels(machine: Machine) -> bool:
    """Whether torch was compiled for the card: same major and no newer minor, or to be finished."""
    major, minor = _capability(machine)
    for arch in machine.torch_arches:
        kind, _, number = arch.partition("_")
        built = int(re.sub(r"\D", "", number) or 0)
        if kind == "sm" and built // 10 == major and built % 10 <= minor:
            return True
        if kind == "compute" and built <= 10 * major + minor:
            return True
    return not machine.torch_arches


def _driver_too_old(machine: Machine) -> bool:
    built, speaks = _version(machine.torch_cuda), machine.driver_cuda
    return bool(built and speaks and speaks[0] < built[0])


def _fits(machine: Machine, size: str) -> bool:
    best = _best(machine)
    bytes_each = 2 if _capability(machine) >= _BF16 else 4
    need = _PARAMETERS[size] * bytes_each + _WORKING_BYTES
    return best is not None and best.memory_bytes >= need


def _cards(machine: Machine) -> str:
    return ", ".join(
        f"{card.name} ({_sm(card.capability)}, {card.memory_bytes / _GB:.0f} GB)"
        for card in machine.cards
    )


def _wants_wheel(machine: Machine) -> bool:
    old = bool(machine.cards) and _capability(machine) < _FLASH_ATTENTION_2
    return machine.torch is not None and machine.flash_attn is None and not old


def _no_wheel(machine: Machine) -> str:
    built = f"CUDA {machine.torch_cuda}" if machine.torch_cuda else "the CPU"
    return (
        f"none is published for torch {machine.torch} (built for {built}), {python_tag(machine)}, "
        f"cxx11abi{str(machine.torch_abi).upper()}, {machine.platform} "
        f"(release {RELEASE}, looked up {LOOKED_UP})"
    )


def _without_wheel(machine: Machine) -> str:
    other = torch_with_wheel(machine)
    pin = (
        f"The newest torch with one for this Python is {other} (torch=={other}.*, CUDA 12), older "
        f"than narrate's own {TORCHES[0][0]}.{TORCHES[0][1]}: an environment of its own. "
        if other
        else "No torch has one for this Python and platform. "
    )
    return (
        f"stay with sdpa, which is the default. {pin}`pip install flash-attn` would compile the "
        "source here, half an hour to hours"
    )


RULES: Sequence[Rule] = (
    Rule(
        "python",
        lambda m: not PYTHONS[0] <= m.python[:2] < PYTHONS[1],
        Status.BROKEN,
        lambda m: "{}.{}.{}".format(*m.python),
        lambda m: "use Python 3.11, 3.12 or 3.13",
    ),
    Rule("python", lambda m: True, Status.OK, lambda m: "{}.{}.{}".format(*m.python)),
    Rule(
        "torch",
        lambda m: m.torch_error is not None,
        Status.BROKEN,
        lambda m: f"installed, but does not load: {m.torch_error}",
        lambda m: f"install it again: {_INSTALL}",
    ),
    Rule(
        "torch",
        lambda m: m.torch is None,
        Status.NOTE,
        lambda m: "not installed: the preview voice and servers speak, no model does",
        lambda m: f"for a voice of your own on this machine: {_INSTALL}",
    ),
    Rule(
        "torch",
        lambda m: not TORCHES[0] <= _version(m.torch)[:2] < TORCHES[1],
        Status.NOTE,
        lambda m: f"{m.torch}, outside of what narrate is tested with",
        lambda m: f"if a model fails: {_INSTALL}",
    ),
    Rule(
        "torch",
        lambda m: True,
        Status.OK,
        lambda m: f"{m.torch}, built for {'CUDA ' + m.torch_cuda if m.torch_cuda else 'the CPU'}",
    ),
    Rule(
        "qwen-tts",
        lambda m: m.qwen_tts is None,
        Status.NOTE,
        lambda m: "not installed",
        lambda m: f"for a voice of your own on this machine: {_INSTALL}",
    ),
    Rule(
        "qwen-tts",
        lambda m: m.qwen_tts != QWEN_TTS,
        Status.NOTE,
        lambda m: f"{m.qwen_tts}, not the {QWEN_TTS} that narrate is tested with",
        lambda m: f"if a model fails: {_INSTALL}",
    ),
    Rule("qwen-tts", lambda m: True, Status.OK, lambda m: f"{m.qwen_tts}"),
    Rule(
        "card",
        lambda m: not m.cards,
        Status.NOTE,
        lambda m: "no CUDA card: a model speaks on the CPU, many times slower than speech",
        lambda m: "if there is one, install its driver; nvidia-smi must list it",
    ),
    Rule(
        "card",
        lambda m: True,
        Status.OK,
        lambda m: _cards(m) + (f", driver {m.driver}" if m.driver else ""),
    ),
    Rule(
        "cuda",
        lambda m: bool(m.cards) and m.torch is not None and m.torch_cuda is None,
        Status.NOTE,
        lambda m: "there is a card, but this torch was built for the CPU",
        lambda m: "install the torch build for CUDA: see https://pytorch.org/get-started/locally",
    ),
    Rule(
        "cuda",
        lambda m: bool(m.cards) and m.torch is not None and not _usable(m) and _driver_too_old(m),
        Status.NOTE,
        lambda m: (
            f"the driver speaks CUDA {'.'.join(map(str, m.driver_cuda or ()))}, torch was "
            f"built for {m.torch_cuda}"
        ),
        lambda m: (
            "update the driver, or install torch for the driver's CUDA: "
            "see https://pytorch.org/get-started/locally"
        ),
    ),
    Rule(
        "cuda",
        lambda m: bool(m.cards) and m.torch is not None and not _usable(m),
        Status.NOTE,
        lambda m: "torch cannot use the card",
        lambda m: "check CUDA_VISIBLE_DEVICES, and whether the card is free: nvidia-smi",
    ),
    Rule(
        "cuda",
        lambda m: _usable(m) and not _has_kernels(m),
        Status.BROKEN,
        lambda m: (
            f"this torch was not compiled for {_sm(_capability(m))}: it has "
            + " ".join(m.torch_arches)
        ),
        lambda m: "install a torch build that has it: see https://pytorch.org/get-started/locally",
    ),
    Rule(
        "cuda",
        _usable,
        Status.OK,
        lambda m: f"torch can use {m.torch_cards} of {len(m.cards)}",
    ),
    Rule(
        "precision",
        lambda m: _usable(m) and _capability(m) < _BF16,
        Status.NOTE,
        lambda m: f"float32: {_sm(_capability(m))} has no bfloat16 ({_sm(_BF16)} and newer do)",
        lambda m: "nothing: it is slower and takes twice the memory, and sounds the same",
    ),
    Rule("precision", _usable, Status.OK, lambda m: "bfloat16"),
    Rule("precision", lambda m: m.torch is not None, Status.OK, lambda m: "float32 on the CPU"),
    Rule(
        "memory",
        lambda m: _usable(m) and not _fits(m, "0.6b"),
        Status.NOTE,
        lambda m: "the card is too small for any of the models",
        lambda m: "use a server (--server), or hide the card (CUDA_VISIBLE_DEVICES=) for the CPU",
    ),
    Rule(
        "memory",
        lambda m: _usable(m) and not _fits(m, "1.7b"),
        Status.NOTE,
        lambda m: "enough for the 0.6b model, not for 1.7b",
        lambda m: "use --model 0.6b",
    ),
    Rule("memory", _usable, Status.OK, lambda m: "enough for the 1.7b model"),
    Rule("attention sdpa", lambda m: m.torch is not None, Status.OK, lambda m: "the default"),
    Rule("attention eager", lambda m: m.torch is not None, Status.OK, lambda m: "can run"),
    Rule(
        "attention flash_attention_2",
        lambda m: m.torch is not None and not _usable(m),
        Status.NOTE,
        lambda m: "cannot run: it needs a CUDA card that torch can use",
        lambda m: "use sdpa",
    ),
    Rule(
        "attention flash_attention_2",
        lambda m: m.torch is not None and _capability(m) < _FLASH_ATTENTION_2,
        Status.NOTE,
        lambda m: (
            f"cannot run: the card is {_sm(_capability(m))}, it needs "
            f"{_sm(_FLASH_ATTENTION_2)} or newer"
        ),
        lambda m: "use sdpa; no flash-attn of any version changes that",
    ),
    Rule(
        "attention flash_attention_2",
        lambda m: m.flash_attn_error is not None,
        Status.NOTE,
        lambda m: f"cannot run: flash-attn does not load: {m.flash_attn_error}",
        lambda m: "it was built for another torch: pip uninstall flash-attn, then see below",
    ),
    Rule(
        "attention flash_attention_2",
        lambda m: m.torch is not None and m.flash_attn is None,
        Status.NOTE,
        lambda m: "cannot run: flash-attn is not installed",
        lambda m: "use sdpa, or see below",
    ),
    Rule(
        "attention flash_attention_2",
        lambda m: m.torch is not None,
        Status.OK,
        lambda m: f"can run: flash-attn {m.flash_attn}",
    ),
    Rule(
        "flash-attn wheel",
        lambda m: _wants_wheel(m) and wheel_for(m) is not None,
        Status.NOTE,
        lambda m: (wheel_for(m) or "").rpartition("/")[2],
        lambda m: f"pip install --no-deps einops {wheel_for(m)}",
    ),
    Rule(
        "flash-attn wheel",
        _wants_wheel,
        Status.NOTE,
        _no_wheel,
        _without_wheel,
    ),
)
