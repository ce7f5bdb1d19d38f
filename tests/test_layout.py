"""What an install puts where, and what the command may load."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import narrate

HEAVY = {"torch", "prefect"}
"""Loading prefect takes about a second, torch several: no command pays before it has to."""
LINKED = ("flows", "tasks", "cli")


def _build(root: Path, out: Path, *what: str) -> Path:
    # Without isolation: hatchling is in [dev], so the build needs no network.
    command = [sys.executable, "-m", "build", "--no-isolation", *what, "--outdir", str(out)]
    done = subprocess.run([*command, str(root)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl"))


@pytest.fixture(scope="session")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as `pip install .` would, straight from the checkout."""
    return _build(root, tmp_path_factory.mktemp("wheel"), "--wheel")


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into a new environment; return the folder of its commands.

    The dependencies are those of the environment that runs the tests, reached by a .pth file. Its
    own .pth files are not read that way, so its editable narrate stays out of sight.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    scripts = folder / "bin"
    python = str(scripts / "python")
    install = ["install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", "--python", python, *install], check=True)
    paths = {"base": str(folder), "platbase": str(folder)}
    site = Path(sysconfig.get_path("purelib", "venv", vars=paths))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return scripts


def _run(command: list[str], cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | environment
    return subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=60, check=False
    )


def _modules(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {
            name for name in archive.namelist() if not name.split("/")[0].endswith(".dist-info")
        }


@pytest.mark.parametrize("name", LINKED)
def test_the_users_folders_are_reached_by_relative_links(root: Path, name: str) -> None:
    link = root / "narrate" / name
    assert link.is_symlink()
    assert link.readlink() == Path("..") / name


def test_the_wheel_holds_one_top_level_name(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        top = {name.split("/")[0] for name in archive.namelist()}
    assert top == {"narrate", f"narrate-{narrate.__version__}.dist-info"}


def test_the_wheel_holds_every_module_of_the_checkout(root: Path, wheel: Path) -> None:
    package = root / "narrate"
    rooms = [package, *(package / name for name in LINKED)]
    wanted = {path.relative_to(root).as_posix() for room in rooms for path in room.rglob("*.py")}
    assert {f"narrate/{name}/__init__.py" for name in LINKED} <= wanted
    assert wanted <= _modules(wheel)


def test_the_sdist_builds_the_same_wheel(root: Path, wheel: Path, tmp_path: Path) -> None:
    from_sdist = _build(root, tmp_path)
    assert _modules(from_sdist) == _modules(wheel)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        members = archive.getmembers()
    assert not [member.name for member in members if member.issym() or member.islnk()]
    names = {member.name.partition("/")[2] for member in members}
    assert {"pyproject.toml", "README.md", "CHANGELOG.md", "constraints.txt"} <= names
    assert not {name.split("/")[0] for name in names} & {*LINKED, "outputs", ".venv", ".git"}


def test_the_installed_package_is_the_wheel_s(installed: Path, tmp_path: Path) -> None:
    probe = "import narrate; print(narrate.__file__)"
    done = _run([str(installed / "python"), "-c", probe], tmp_path)
    assert Path(done.stdout.strip()).is_relative_to(installed.parent), done.stderr


@pytest.mark.parametrize("words", [["--help"], ["status"], ["plan", "--help"]])
def test_a_light_command_runs_anywhere_and_loads_nothing_heavy(
    installed: Path, tmp_path: Path, words: list[str]
) -> None:
    done = _run(
        [str(installed / "narrate"), *words],
        tmp_path,
        NARRATE_HOME=str(tmp_path / "home"),
        PYTHONPROFILEIMPORTTIME="1",
    )
    loaded = {
        line.rpartition("|")[2].strip().partition(".")[0]
        for line in done.stderr.splitlines()
        if line.startswith("import time:")
    }
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert "narrate" in loaded
    assert not loaded & HEAVY
