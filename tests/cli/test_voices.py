"""Voices by name, and a book in one of them, as a user gives the commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import soundfile
from typer.testing import CliRunner

from narrate.cli.app import app
from narrate.errors import VoiceError
from tests.cli.conftest import Inside, Narrate
from tests.conftest import SAMPLE_WORDS


def say(*words: object) -> str:
    """Run a command that loads nothing heavy in this process; returns its standard output."""
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    if done.exception:
        raise done.exception
    return done.stdout


def test_voices_are_added_listed_and_removed(home: Path, spoken_sample: Path) -> None:
    say("voice", "add", "anna", spoken_sample, "--voice-text", SAMPLE_WORDS)
    say("voice", "add", "ben", spoken_sample)
    [anna, ben] = json.loads(say("voice", "list", "--json"))
    assert (anna["name"], anna["transcript"]) == ("anna", SAMPLE_WORDS)
    assert (ben["name"], ben["transcript"]) == ("ben", None)
    assert anna["came_from"] == str(spoken_sample)
    assert Path(anna["recording"]).is_relative_to(home)
    listed = say("voice", "list").splitlines()
    assert [line.split()[0] for line in listed] == ["anna", "ben"]
    say("voice", "remove", "anna")
    assert len(say("voice", "list").splitlines()) == 1


def test_what_cannot_be_a_voice_is_not_kept(home: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.wav").write_text("no recording")
    with pytest.raises(VoiceError):
        say("voice", "add", "anna", tmp_path / "letter.wav")
    with pytest.raises(VoiceError):
        say("voice", "remove", "anna")
    assert say("voice", "list") == ""


@pytest.mark.slow
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_book_in_a_voice_says_nothing_but_what_it_does(
    narrate: Narrate, data: Path, spoken_sample: Path, tiny_checkpoint: Path, attention: str
) -> None:
    words: list[object] = [
        data / "short-story.txt",
        "--voice",
        spoken_sample,
        "--voice-text",
        SAMPLE_WORDS,
    ]
    words += ["--model", tiny_checkpoint, "--attention", attention, "--batch-size", 20]
    words += ["--frames-per-character", 0.02, "--attempts", 1]
    first = narrate(*words)
    said = first.stderr.splitlines()
    assert first.returncode in (0, 9), first.stderr
    assert said[0] == "voice sample: computed and kept"
    assert not [line for line in said if "arning" in line or "SoX" in line or "flash" in line]
    wav = Path(first.stdout.strip().splitlines()[-1])
    assert soundfile.info(wav).duration > 5
    again = narrate(*words)
    assert "computed" not in again.stderr
    assert again.stdout == first.stdout


def test_a_voice_that_is_not_there_ends_the_run_with_its_code(narrate: Narrate, data: Path) -> None:
    done = narrate(data / "short-story.txt", "--voice", "nobody.wav", "--model", data)
    assert done.returncode == 7
    assert "nobody.wav" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_model_that_is_none_ends_the_run_with_its_code(
    narrate: Narrate, data: Path, spoken_sample: Path
) -> None:
    done = narrate(data / "short-story.txt", "--voice", spoken_sample, "--model", data)
    assert done.returncode == 8
    assert "config.json" in done.stderr


@pytest.mark.parametrize("words", [(), ("voice",), ("bench",)])
def test_no_command_shows_what_there_is_and_complains_of_nothing(
    inside: Inside, words: tuple[str, ...]
) -> None:
    code, said, complained = inside(*words)
    assert code == 2
    assert "Commands" in said
    assert not complained
