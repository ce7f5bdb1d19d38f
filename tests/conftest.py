"""What every test stands on: no test reads or writes the user's own store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def _a_home_of_the_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Point the environment, so subprocesses too, at a home that goes away with the run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NARRATE_HOME", str(tmp_path_factory.mktemp("home")))
        for name in ("NARRATE_DATABASE_URL", "PREFECT_API_URL", "PREFECT_HOME"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give one test a home of its own, not yet made."""
    path = tmp_path / "home"
    monkeypatch.setenv("NARRATE_HOME", str(path))
    return path


@pytest.fixture(scope="session")
def root() -> Path:
    """Name the folder that holds pyproject.toml."""
    return ROOT


@pytest.fixture(scope="session")
def data(root: Path) -> Path:
    """Name the folder of sample documents."""
    return root / "data"
