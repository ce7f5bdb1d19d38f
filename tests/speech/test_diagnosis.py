"""Planted situations: a machine as it may be found, and what is said of it."""

import dataclasses
import re

import pytest

from narrate.speech import flash_wheels, machine_rules
from narrate.speech.diagnosis import Rule, Status, diagnose
from narrate.speech.machine import Card, Machine
from narrate.speech.machine_rules import RULES

GIB = 1 << 30
H200 = Card("NVIDIA H200", (9, 0), 141 * GIB)
T4 = Card("Tesla T4", (7, 5), 15 * GIB)
GOOD = Machine(
    python=(3, 12, 3),
    platform="linux_x86_64",
    cards=(H200,),
    driver="580.95.05",
    driver_cuda=(13, 0),
    torch="2.11.0+cu130",
    torch_cuda="13.0",
    torch_arches=("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"),
    torch_cards=1,
    flash_attn="2.8.3",
    qwen_tts="0.1.1",
)
BARE = Machine(python=(3, 11, 7), platform="linux_x86_64")
CPU = dataclasses.replace(BARE, torch="2.13.0+cpu", qwen_tts="0.1.1")
UNDEFINED = "ImportError: flash_attn_2_cuda.so: undefined symbol: _ZN3c104cuda29c10_cuda_check"

# situation: (the machine, subject: (status, words of the finding, words of the advice))
PLANTED = {
    "all is well": (GOOD, {}),
    "nothing installed": (
        BARE,
        {
            "torch": ("note", "not installed", r"\[qwen\]"),
            "qwen-tts": ("note", "not installed", r"\[qwen\]"),
            "card": ("note", "many times slower", "driver"),
        },
    ),
    "a CPU": (
        CPU,
        {
            "card": ("note", "CPU", "nvidia-smi"),
            "attention flash_attention_2": ("note", "needs a CUDA card", "sdpa"),
            "flash-attn wheel": ("note", "built for the CPU.*cp311", r"stay with sdpa.*2\.8"),
        },
    ),
    "a T4": (
        dataclasses.replace(GOOD, cards=(T4,), flash_attn=None),
        {
            "precision": ("note", "float32: sm75 has no bfloat16", "twice the memory"),
            "attention flash_attention_2": ("note", "sm75.*sm80", "use sdpa"),
        },
    ),
    "a T4 with flash-attn installed all the same": (
        dataclasses.replace(GOOD, cards=(T4,)),
        {
            "precision": ("note", "no bfloat16", ""),
            "attention flash_attention_2": ("note", "sm75", "no flash-attn of any version"),
        },
    ),
    "no flash-attn, and no wheel for this torch": (
        dataclasses.replace(GOOD, flash_attn=None),
        {
            "attention flash_attention_2": ("note", "not installed", "sdpa"),
            "flash-attn wheel": (
                "note",
                r"none is published for torch 2\.11\.0\+cu130 \(built for CUDA 13\.0\), cp312, "
                "cxx11abiTRUE, linux_x86_64",
                r"stay with sdpa.*2\.9.*compile",
            ),
        },
    ),
    "no flash-attn, and a wheel that fits": (
        dataclasses.replace(GOOD, flash_attn=None, torch="2.9.1+cu128", torch_cuda="12.8"),
        {
            "torch": ("note", "outside", ""),
            "attention flash_attention_2": ("note", "not installed", "see below"),
            "flash-attn wheel": (
                "note",
                r"^flash_attn-2\.8\.3\+cu12torch2\.9cxx11abiTRUE-cp312-cp312-linux_x86_64\.whl$",
                "pip install --no-deps .*https://github.com/Dao-AILab/flash-attention/releases/",
            ),
        },
    ),
    "a flash-attn that was built for another torch": (
        dataclasses.replace(GOOD, flash_attn=None, flash_attn_error=UNDEFINED),
        {
            "attention flash_attention_2": ("note", "undefined symbol", "uninstall"),
            "flash-attn wheel": ("note", "none is published", "sdpa"),
        },
    ),
    "a torch that does not load": (
        dataclasses.replace(BARE, torch_error="OSError: libc10.so: cannot open", qwen_tts="0.1.1"),
        {
            "torch": ("broken", "libc10", r"\[qwen\]"),
            "card": ("note", "", ""),
        },
    ),
    "an old torch": (
        dataclasses.replace(CPU, torch="2.4.1+cpu"),
        {
            "torch": ("note", r"2\.4\.1.*outside", r"\[qwen\]"),
            "card": ("note", "", ""),
            "attention flash_attention_2": ("note", "", ""),
            "flash-attn wheel": ("note", "", ""),
        },
    ),
    "a card, and a torch for the CPU": (
        dataclasses.replace(CPU, cards=(H200,), driver="580.95.05", driver_cuda=(13, 0)),
        {
            "cuda": ("note", "built for the CPU", "CUDA"),
            "attention flash_attention_2": ("note", "that torch can use", ""),
            "flash-attn wheel": ("note", "built for the CPU", ""),
        },
    ),
    "a driver too old for this torch": (
        dataclasses.replace(GOOD, driver_cuda=(12, 2), torch_cards=0),
        {
            "cuda": ("note", r"speaks CUDA 12\.2, torch was built for 13\.0", "update the driver"),
            "attention flash_attention_2": ("note", "", ""),
        },
    ),
    "a card that is hidden": (
        dataclasses.replace(GOOD, torch_cards=0),
        {
            "cuda": ("note", "cannot use", "CUDA_VISIBLE_DEVICES"),
            "attention flash_attention_2": ("note", "", ""),
        },
    ),
    "a card that torch was not compiled for": (
        dataclasses.replace(GOOD, cards=(Card("Tesla V100", (7, 0), 32 * GIB),), flash_attn=None),
        {
            "cuda": ("broken", "not compiled for sm70", "torch build"),
            "precision": ("note", "", ""),
            "attention flash_attention_2": ("note", "sm70", ""),
        },
    ),
    "a small card": (
        dataclasses.replace(GOOD, cards=(Card("RTX 3050", (8, 6), 4 * GIB),)),
        {"memory": ("note", "0.6b", "--model 0.6b")},
    ),
    "a tiny card": (
        dataclasses.replace(GOOD, cards=(Card("RTX 2000", (8, 6), 2 * GIB),)),
        {"memory": ("note", "too small", "--server")},
    ),
    "a Python too new": (
        dataclasses.replace(BARE, python=(3, 14, 0)),
        {
            "python": ("broken", r"3\.14", r"3\.13"),
            "torch": ("note", "", ""),
            "qwen-tts": ("note", "", ""),
            "card": ("note", "", ""),
        },
    ),
    "another qwen-tts": (
        dataclasses.replace(GOOD, qwen_tts="0.2.0"),
        {"qwen-tts": ("note", r"0\.2\.0", r"\[qwen\]")},
    ),
}


@pytest.mark.parametrize("situation", PLANTED)
def test_a_planted_situation_is_recognised_and_nothing_else_is_said(situation):
    machine, expected = PLANTED[situation]
    found = {one.subject: one for one in diagnose(machine, RULES)}
    assert {name for name, one in found.items() if one.status is not Status.OK} == {*expected}
    for subject, (status, words, advice) in expected.items():
        assert found[subject].status == status
        assert re.search(words, found[subject].found)
        assert found[subject].advice
        assert re.search(advice, found[subject].advice)


def test_a_machine_where_all_is_well_is_told_all_it_has():
    found = {one.subject: one.found for one in diagnose(GOOD, RULES)}
    assert "H200 (sm90, 151 GB), driver 580.95.05" in found["card"]
    assert found["attention flash_attention_2"] == "can run: flash-attn 2.8.3"
    assert found["precision"] == "bfloat16"
    assert "flash-attn wheel" not in found


def test_without_torch_nothing_is_said_of_attention():
    assert not [one for one in diagnose(BARE, RULES) if "attention" in one.subject]


def test_the_first_rule_of_a_subject_that_holds_speaks():
    rules = [
        Rule("a", lambda m: False, Status.BROKEN, lambda m: "never"),
        Rule("a", lambda m: True, Status.NOTE, lambda m: "first"),
        Rule("a", lambda m: True, Status.OK, lambda m: "second"),
        Rule("b", lambda m: False, Status.OK, lambda m: "nothing"),
    ]
    assert [(one.subject, one.found) for one in diagnose(BARE, rules)] == [("a", "first")]


@pytest.mark.parametrize("arches", [("sm_80",), ("sm_86",), ("compute_80",), ("sm_50", "sm_80")])
def test_a_card_runs_what_was_compiled_for_an_older_one_of_its_generation(arches):
    ada = dataclasses.replace(
        GOOD, cards=(Card("RTX 4090", (8, 9), 24 * GIB),), torch_arches=arches
    )
    assert not [one for one in diagnose(ada, RULES) if one.status is Status.BROKEN]


WHEEL = "flash_attn-2.8.3+cu12torch{}cxx11abi{}-{}-{}-{}.whl"


@pytest.mark.parametrize(
    ("torch", "cuda", "python", "abi", "platform", "exists"),
    [
        ("2.8.0+cu128", "12.8", (3, 11, 7), True, "linux_x86_64", True),
        ("2.8.0", "12.8", (3, 13, 1), True, "linux_x86_64", True),
        ("2.6.0+cu124", "12.4", (3, 12, 0), False, "linux_x86_64", True),
        ("2.9.1", "12.8", (3, 12, 0), True, "linux_aarch64", True),
        ("2.9.1", "12.8", (3, 11, 0), True, "linux_x86_64", False),
        ("2.9.1", "12.8", (3, 12, 0), False, "linux_x86_64", False),
        ("2.4.1", "12.4", (3, 13, 0), True, "linux_x86_64", False),
        ("2.8.0", "12.8", (3, 11, 0), True, "linux_aarch64", False),
        ("2.8.0", "12.8", (3, 11, 0), True, "windows_amd64", False),
        ("2.8.0+cpu", None, (3, 11, 0), True, "linux_x86_64", False),
        ("2.11.0", "13.0", (3, 12, 0), True, "linux_x86_64", False),
        ("2.13.0", "13.0", (3, 12, 0), True, "linux_x86_64", False),
    ],
)
def test_a_wheel_is_named_only_where_torch_python_abi_and_platform_all_fit(
    torch, cuda, python, abi, platform, exists
):
    machine = dataclasses.replace(
        GOOD, torch=torch, torch_cuda=cuda, python=python, torch_abi=abi, platform=platform
    )
    wheel = flash_wheels.wheel_for(machine)
    assert (wheel is not None) == exists
    if wheel:
        tag = flash_wheels.python_tag(machine)
        minor = ".".join(torch.split(".")[:2])
        assert wheel.endswith(WHEEL.format(minor, str(abi).upper(), tag, tag, platform))


def test_the_pin_that_would_have_a_wheel_is_the_newest():
    assert flash_wheels.torch_with_wheel(GOOD) == "2.9"
    assert flash_wheels.torch_with_wheel(dataclasses.replace(GOOD, python=(3, 13, 0))) == "2.8"
    assert flash_wheels.torch_with_wheel(dataclasses.replace(GOOD, platform="darwin_arm64")) is None


def test_the_rules_know_the_ranges_of_the_project(root):
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    low, high = machine_rules.PYTHONS
    assert f'requires-python = ">={low[0]}.{low[1]},<{high[0]}.{high[1]}"' in text
    low, high = machine_rules.TORCHES
    assert f'"torch>={low[0]}.{low[1]},<{high[0]}.{high[1]}"' in text
    assert f'"qwen-tts=={machine_rules.QWEN_TTS}"' in text
