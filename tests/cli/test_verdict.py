"""`narrate check` as a user meets it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from .conftest import Inside

RATE_HZ = 44_100


@pytest.fixture
def check(inside: Inside) -> Inside:
    """Run `narrate check ...`."""
    return partial(inside, "check")


@pytest.fixture
def fine(tmp_path: Path) -> Path:
    """Give a chapter that nothing is wrong with: noise between a quiet head and tail."""
    samples = np.random.default_rng(1).standard_normal(6 * RATE_HZ) * 3_000
    samples[: RATE_HZ * 3 // 4] /= 1_000
    samples[-2 * RATE_HZ :] /= 1_000
    path = tmp_path / "theirs" / "01 one.flac"
    path.parent.mkdir()
    soundfile.write(path, np.clip(samples, -20_000, 20_000).astype(np.int16), RATE_HZ)
    return path


def test_files_without_faults_end_with_0_and_a_line_each(check: Inside, fine: Path) -> None:
    code, out, err = check(fine.parent)
    assert (code, err) == (0, "")
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["file", "chapter"],
        ["01", "one.flac"],
    ]
    assert out.rstrip().endswith("ok")


def test_a_fault_ends_with_9_and_is_named(check: Inside, fine: Path) -> None:
    samples, _ = soundfile.read(fine, dtype="int16")
    samples[2 * RATE_HZ : 3 * RATE_HZ] = 0
    soundfile.write(fine.with_name("02 two.flac"), samples, RATE_HZ)
    code, out, err = check(fine.parent)
    assert code == 9
    assert "    digital silence of 1.0 s" in out.splitlines()
    assert "02 two.flac: digital silence of 1.0 s" in err and err.count("\n") == 1


def test_json_says_the_same_with_all_measures_and_the_same_code(check: Inside, fine: Path) -> None:
    assert check(fine, "--json")[0] == 0
    soundfile.write(fine, np.zeros(RATE_HZ, np.int16), RATE_HZ)
    code, out, _ = check(fine, "--json")
    values = json.loads(out)
    assert code == 9 and values["good"] is False
    assert values["files"][0]["rows"][0]["heard"]["zeros_s"] == 1.0


def test_what_is_not_there_ends_with_3_and_other_limits_with_2(check: Inside, fine: Path) -> None:
    code, _, err = check(fine.parent / "nowhere")
    assert code == 3 and "there is no such file or folder" in err
    assert check(fine, "--master", "loud")[0] == 2
