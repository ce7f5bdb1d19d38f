"""Damaged files of every format: read or refused, never a crash."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from narrate.errors import InputError
from narrate.text import plan, read
from tests.text.conftest import book

FILES = [
    "epub/wasteland_idpf_epub3.epub",
    "html/debian-handbook_foreword.en-US.html",
    "pdf/pride-and-prejudice_1342.pdf",
    "md/hatch_version.md",
    "other/zh-TW_honglou-meng_ch1-excerpt.txt",
]


def survives(name: str, rounds: int, folder: Path) -> None:
    data = book(name).read_bytes()
    path = folder / Path(name).name
    for seed in range(rounds):
        chance = random.Random(seed)
        damaged = bytearray(data[: 200_000 if name.startswith("pdf") else len(data)])
        for _ in range(chance.randint(1, 30)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        if seed % 3 == 0:
            del damaged[chance.randrange(len(damaged)) :]
        path.write_bytes(bytes(damaged))
        try:
            plan(read(path))
        except InputError as error:
            assert error.remedy


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_read_or_refused(name: str, tmp_path: Path) -> None:
    survives(name, 6, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_a_thousand_damaged_files_are_read_or_refused(name: str, tmp_path: Path) -> None:
    survives(name, 1_000, tmp_path)
