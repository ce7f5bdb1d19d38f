"""`narrate voice check` as a user meets it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import SAMPLE_WORDS

from .conftest import Inside


@pytest.fixture
def check(inside: Inside) -> Inside:
    """Run `narrate voice ...`."""
    return partial(inside, "voice")


def test_a_usable_recording_ends_with_0(check: Inside, spoken_sample: Path) -> None:
    code, out, err = check("check", spoken_sample, "--voice-text", SAMPLE_WORDS)
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines() if line[0] != " "][:3] == [
        "length",
        "peak",
        "noise",
    ]


def test_json_holds_all_measures(check: Inside, spoken_sample: Path) -> None:
    code, out, _ = check("check", spoken_sample, "--json")
    value = json.loads(out)
    assert code == 0
    assert value["verdict"] == "warning"
    assert value["measures"]["duration_s"] > 3
    [transcript] = [one for one in value["findings"] if one["name"] == "transcript"]
    assert transcript["severity"] == "warning"
    assert "--voice-text" in transcript["advice"]


def test_an_unusable_recording_ends_with_7_and_says_why(check: Inside, tmp_path: Path) -> None:
    path = tmp_path / "short.wav"
    soundfile.write(path, np.full(2400, 0.1), 24_000)
    code, out, err = check("check", path)
    assert code == 7
    assert "unusable" in out
    assert "length: 0.1 s" in err
    assert err.count("\n") == 1


def test_a_file_that_is_no_recording_ends_with_7(check: Inside, tmp_path: Path) -> None:
    assert check("check", tmp_path / "nobody.wav")[0] == 7


def test_a_kept_voice_is_checked_with_the_transcript_kept_with_it(
    check: Inside, spoken_sample: Path
) -> None:
    assert check("add", "anna", spoken_sample, "--voice-text", SAMPLE_WORDS)[0] == 0
    code, out, _ = check("check", "anna", "--json")
    assert code == 0
    assert json.loads(out)["measures"]["characters_per_s"]
