"""What is found out of a machine, with a torch and a driver of the test's own making."""

import sys

import pytest

from narrate.speech import machine
from narrate.speech.machine import Card, _cards_of, look_at_machine

T4_TORCH = """
from types import SimpleNamespace as _S
print("a package that talks while it loads")
__version__ = "2.9.1+cu128"
version = _S(cuda="12.8")
_C = _S(_GLIBCXX_USE_CXX11_ABI=True)
cuda = _S(
    is_available=lambda: True,
    device_count=lambda: 1,
    get_arch_list=lambda: ["sm_75", "sm_80"],
    get_device_properties=lambda n: _S(name="Tesla T4", major=7, minor=5, total_memory=16 << 30),
)
"""
SMI = """#!/bin/sh
echo "Tesla T4, 7.5, 15360, 580.95.05"
"""


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Return a function that plants a package in front of all that is installed."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    def plant(name, code):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(code)

    return plant


def test_a_card_that_torch_can_use(packages):
    packages("torch", T4_TORCH)
    packages("flash_attn", "__version__ = '2.8.3'")
    found = look_at_machine()
    assert found.torch == "2.9.1+cu128"
    assert (found.torch_cuda, found.torch_abi, found.torch_cards) == ("12.8", True, 1)
    assert found.torch_arches == ("sm_75", "sm_80")
    assert found.cards == (Card("Tesla T4", (7, 5), 16 << 30),)
    assert (found.flash_attn, found.flash_attn_error, found.torch_error) == ("2.8.3", None, None)
    assert found.python == sys.version_info[:3]


def test_a_flash_attn_of_another_torch_is_told_apart_from_none(packages):
    packages("torch", T4_TORCH)
    packages("flash_attn", "raise ImportError('undefined symbol: _ZN3c10\\nand more')")
    found = look_at_machine()
    assert found.flash_attn is None
    assert found.flash_attn_error == "ImportError: undefined symbol: _ZN3c10"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise OSError('libc10.so: cannot open shared object file')", "libc10.so: cannot open"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "signal 11"),
        ("import sys; print('oh no', file=sys.stderr); sys.exit(3)", "code 3 oh no"),
        ("import os; os._exit(0)", "code 0"),
    ],
)
def test_a_torch_that_breaks_its_process_does_not_break_ours(packages, code, said):
    packages("torch", code)
    found = look_at_machine()
    assert found.torch is None
    assert said in (found.torch_error or "")


def test_a_torch_that_hangs_is_given_up(packages, monkeypatch):
    packages("torch", "import time; time.sleep(60)")
    monkeypatch.setattr(machine, "_PROBE_S", 0.3)
    assert "does not load within" in (look_at_machine().torch_error or "")


def test_the_driver_s_word_on_the_cards_comes_first(packages, tmp_path):
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(SMI)
    program.chmod(0o755)
    packages("torch", "__version__ = '2.13.0+cpu'")
    found = look_at_machine()
    assert found.cards == (Card("Tesla T4", (7, 5), 15360 << 20),)
    assert found.driver == "580.95.05"
    assert (found.torch, found.torch_cards) == ("2.13.0+cpu", 0)


@pytest.mark.parametrize(
    "table",
    ["", "No devices were found\n", "NVIDIA-SMI has failed, because, it, could not\n", "a,b,c,d\n"],
)
def test_a_driver_with_nothing_to_say_has_no_cards(table):
    assert _cards_of(table) == ((), None)


def test_two_cards_are_two_lines():
    cards, driver = _cards_of("NVIDIA H200, 9.0, 143771, 1.2\nNVIDIA H200, 9.0, 143771, 1.2\n")
    assert len(cards) == 2
    assert cards[0].capability == (9, 0)
    assert driver == "1.2"
