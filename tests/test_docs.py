"""The documentation is checked against the program: it fails the build when it lies."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from narrate import errors
from narrate.cli.app import app

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
TOP = "cli|data|docs|flows|narrate|tasks|tests"


def _commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Walk the tree of visible commands, leaves only, each with the words that reach it."""
    if not hasattr(command, "commands"):
        yield words, command
        return
    for name, child in command.commands.items():
        if not child.hidden:
            yield from _commands(child, (*words, name))


COMMANDS = dict(_commands(typer.main.get_command(app)))


def _examples(text: str) -> list[str]:
    """Find the lines one could paste: those that start with the command's name."""
    lines = [line.strip().removeprefix("$ ") for line in text.splitlines()]
    return [line for line in lines if re.match(r"narrate [-\w./\"']", line)]


def _fenced(text: str) -> str:
    return "\n".join(re.findall(r"^```[a-z]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


def _options(command: Any) -> set[str]:
    visible = [param for param in command.params if not getattr(param, "hidden", False)]
    return {
        name
        for param in visible
        for name in (*param.opts, *param.secondary_opts)
        if name.startswith("--") and name != "--help"
    }


def _parse(example: str, folder: Path) -> None:
    """Let the command line understand an example, with all that it would do taken out."""
    root = typer.main.get_command(app)
    for command in (root, *dict(_commands(root)).values()):
        command.callback = lambda **_: None
    words = shlex.split(example, comments=True)[1:]
    ends = [words.index(mark) for mark in ("|", ">", "&&", ";") if mark in words]
    words = words[: min(ends, default=len(words))]
    for word in words:
        if Path(word).suffix and not word.startswith("-"):
            (folder / word).parent.mkdir(parents=True, exist_ok=True)
            (folder / word).touch()
    root.main(args=words, prog_name="narrate", standalone_mode=False)


EXAMPLES = sorted(
    {line for command in COMMANDS.values() for line in _examples(command.help or "")}
    | set(_examples(_fenced(README)))
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_and_its_options_stand_in_the_readme(words: tuple[str, ...]) -> None:
    title = "BOOK" if words == ("book",) else " ".join(words)
    section = re.search(rf"^### `narrate {title}\b.*?(?=^##|\Z)", README, re.MULTILINE | re.DOTALL)
    assert section, f"README.md has no heading ### `narrate {title} ...`"
    written = set(re.findall(r"--[a-z][a-z0-9-]*", section[0]))
    assert _options(COMMANDS[words]) == written - {"--help"}


def test_the_options_of_the_command_itself_stand_in_the_readme() -> None:
    assert _options(typer.main.get_command(app)) <= set(re.findall(r"--[a-z0-9-]+", README))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_s_help_has_an_example(words: tuple[str, ...]) -> None:
    text = COMMANDS[words].help or ""
    _, found, after = text.partition("Example")
    assert found
    assert _examples(after)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_understood(
    example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _parse(example, tmp_path)


def test_a_wrong_example_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Exception, match="--no-such-option"):
        _parse("narrate plan book.txt --no-such-option", tmp_path)


def test_every_exit_code_stands_in_the_readme() -> None:
    kinds = [getattr(errors, name) for name in errors.__all__]
    codes = {0, 130, 143} | {kind.exit_code for kind in kinds}
    assert codes == {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [
        page.parent / target.partition("#")[0]
        for target in re.findall(r"\]\(([^)\s]+)\)", text)
        if "://" not in target and not target.startswith("#")
    ]
    named = [ROOT / name for name in re.findall(rf"`((?:{TOP})/[\w./-]*)`", text)]
    named += [ROOT / name for name in re.findall(r"`([\w.-]+\.(?:md|toml|txt|yaml))`", text)]
    assert not [str(path) for path in links + named if not path.exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE))
    assert named <= targets


def test_every_room_and_module_stands_in_the_structure_page() -> None:
    page = (ROOT / "docs" / "structure.md").read_text(encoding="utf-8")
    rooms = [ROOT / name for name in ("narrate", "flows", "tasks", "cli")]
    modules = [
        path.relative_to(ROOT).as_posix()
        for room in rooms
        for path in room.rglob("*.py")
        if path.name != "__init__.py" and "versions" not in path.parts
    ]
    assert not [name for name in modules if f"`{name}`" not in page]
