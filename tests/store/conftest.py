"""Both databases: what the store promises holds on either."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from narrate.config import Settings
from narrate.store import Store

OpenStore = Callable[[], Store]


@pytest.fixture(params=["sqlite", "postgresql"])
def environment(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """Name an empty home and an empty database of either kind; child processes see them, too."""
    monkeypatch.setenv("NARRATE_HOME", str(tmp_path / "home"))
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").new_database()
        monkeypatch.setenv("NARRATE_DATABASE_URL", url)
    else:
        monkeypatch.delenv("NARRATE_DATABASE_URL", raising=False)
    root = str(Path(__file__).resolve().parents[2])
    return {**os.environ, "PYTHONPATH": root, "PATH": str(Path(sys.executable).parent)}


@pytest.fixture
def open_store(environment: dict[str, str]) -> OpenStore:
    """Open the test's store, as often as a test wants."""
    return lambda: Store(Settings.from_environment())


@pytest.fixture
def store(open_store: OpenStore) -> Iterator[Store]:
    """Open the test's store once."""
    with open_store() as opened:
        yield opened
