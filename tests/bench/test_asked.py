"""The words of the commands: two command lines from one description, and words that are refused."""

from __future__ import annotations

import pytest
import typer.main

from narrate.bench.__main__ import _parser as argparse_parser
from narrate.bench.asked import COMMANDS, Asked, Generate, numbers, words_of
from narrate.bench.contestants import contestants
from narrate.bench.generate import stages
from narrate.bench.texts import CHAPTER, LENGTHS, chapter, frames_for, rows, sample
from narrate.cli.app import app
from narrate.errors import UsageError


@pytest.mark.parametrize("length", LENGTHS)
def test_a_text_has_the_length_of_its_name(length: int) -> None:
    assert len(sample(length)) == length


def test_a_chapter_s_chunks_are_as_long_as_a_novel_s() -> None:
    assert [len(one.spoken) for one in chapter()] == list(CHAPTER)


def test_rows_differ_by_their_seeds_alone() -> None:
    said = rows(sample(44), 3, most_frames=5)
    assert {(one.spoken, one.frame_cap) for one in said} == {(sample(44), 5)}
    assert len({one.seed for one in said}) == 3
    assert frames_for(187) == 156


@pytest.mark.parametrize("name", COMMANDS)
def test_both_command_lines_have_the_same_words(name: str) -> None:
    group = typer.main.get_command(app).commands["bench"]  # type: ignore[attr-defined]
    typers = {one.name: one.default for one in group.commands[name].params}
    typers.pop("debug")
    (parts,) = [one.choices for one in argparse_parser()._actions if one.choices]
    of_argparse = parts[name]._actions  # type: ignore[index]
    argparses = {one.dest: one.default for one in of_argparse if one.dest != "help"}
    described = {word.name: word.default for word in words_of(COMMANDS[name])}
    assert argparses.keys() == typers.keys() == described.keys()
    assert argparses == described


@pytest.mark.parametrize(
    "words",
    ["espeak", "official:fast", "qwen+cudnn", "official+nographs", "", "qwen:flash_attention_2"],
)
def test_a_backend_that_nobody_knows_is_refused_with_the_list(words: str) -> None:
    with pytest.raises(UsageError, match=r"official\[:sdpa\|flash_attention_2\|eager\]"):
        contestants(words)


def test_switches_reach_the_backend_s_options() -> None:
    official, engine = contestants("official:eager+compile+tf32+fp32,qwen:sdpa+nographs+int8")
    options = official.options(None, 8, 300)  # type: ignore[arg-type]
    assert (options.attention, options.compile, options.precision) == (
        "eager",
        "default",
        "float32",
    )
    assert options.tf32
    options = engine.options(None, 8, 2900)  # type: ignore[arg-type]
    assert (options.engine.kernels, options.engine.graphs) == ("sdpa", False)
    assert options.engine.max_context == 4096
    assert options.engine.weights == "int8"


@pytest.mark.parametrize("words", ["1,x", "0", "", "-1", "1,,2"])
def test_numbers_that_are_none_are_refused(words: str) -> None:
    with pytest.raises(UsageError, match="--batch"):
        numbers(words, "--batch")


@pytest.mark.parametrize(
    "asked",
    [
        {"batch": "none"},
        {"characters": "13"},
        {"groups": "songs"},
        {"backends": "espeak"},
        {"random_weights": "7b"},
    ],
)
def test_words_without_a_meaning_are_refused_before_anything_is_made(asked: dict[str, str]) -> None:
    with pytest.raises(UsageError), stages(Generate(**asked)):  # type: ignore[arg-type]
        pass


def test_a_model_and_random_weights_do_not_go_together() -> None:
    with pytest.raises(UsageError, match="--random-weights"):
        Generate(model="1.7b", random_weights="tiny")


def test_no_rounds_measure_nothing() -> None:
    for runs in (0, -1):
        with pytest.raises(UsageError, match="--runs"):
            Asked(runs=runs).rounds(3)
