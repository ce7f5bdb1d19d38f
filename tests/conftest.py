"""What every test stands on: no test reads or writes the user's own store."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from narrate.config import Settings
from narrate.flows.server import EmbeddedServer

from . import disk
from .disk import SmallDisk
from .postgres import Cluster, binaries, cluster

# Processes that run tests beside each other share the processors: with as many threads each as
# there are of them, torch waits for itself.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# How fast a machine is, or how busy, says nothing about the code under test.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

ROOT = Path(__file__).resolve().parent.parent
SAMPLE_WORDS = "The old clock in the hall struck seven, and nobody in the house stirred."


def pytest_sessionstart() -> None:
    """Let SIGTERM end the tests as Ctrl-C does: the servers that they started are stopped."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _a_home_of_the_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Point the environment, so subprocesses too, at a home that goes away with the run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NARRATE_HOME", str(tmp_path_factory.mktemp("home")))
        foreign = ("NARRATE_DATABASE_URL", "NARRATE_SERVER_URL", "NARRATE_API_KEY")
        for name in (*foreign, "PREFECT_API_URL", "PREFECT_HOME"):
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


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give a tiny checkpoint of random weights of a kind, made once for all tests."""
    if find_spec("qwen_tts") is None:
        pytest.skip("needs the speech model's package: pip install -e '.[qwen]'")
    made: dict[str, Path] = {}

    def make(kind: str) -> Path:
        from narrate.bench.weights import make_checkpoint

        if kind not in made:
            made[kind] = make_checkpoint(tmp_path_factory.mktemp(kind), "tiny", kind)
        return made[kind]

    return make


@pytest.fixture(scope="session")
def tiny_checkpoint(checkpoint: Callable[[str], Path]) -> Path:
    """Give the tiny Base checkpoint, which clones a voice."""
    return checkpoint("base")


@pytest.fixture(scope="session")
def spoken_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give some four seconds of speech to take a voice from, with no transcript beside it."""
    import soundfile

    from narrate.core import Utterance
    from narrate.speech.backend import SpeechOptions
    from narrate.speech.preview import PreviewBackend, preview_voice

    words = Utterance("sample", SAMPLE_WORDS, "en", seed=0)
    [spoken] = PreviewBackend(SpeechOptions()).speak(iter([words]), preview_voice())
    path = tmp_path_factory.mktemp("voice") / "sample.wav"
    soundfile.write(path, spoken.samples, spoken.rate_hz)
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """Run a PostgreSQL for the whole test run; skipped where its programs are not installed."""
    programs = binaries()
    if programs is None:
        pytest.skip("needs PostgreSQL's programs: apt-get install postgresql")
    pytest.importorskip("psycopg", reason="needs the driver: pip install -e '.[postgres]'")
    with cluster(programs) as running:
        yield running


@pytest.fixture(scope="session")
def prefect_api(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[str]:
    """Serve Prefect's API for the whole test run.

    Half of a cold start is Prefect's own migrations: the empty database that comes of them is kept
    among pytest's files, for the next run with the same Prefect.
    """
    settings = Settings.from_environment(
        {"NARRATE_HOME": str(tmp_path_factory.mktemp("prefect-home"))}
    )
    made, done = settings.home / "prefect" / "prefect.db", f"migrated-{version('prefect')}"
    kept = request.config.cache.mkdir("prefect") / f"{done}.db"
    if kept.exists():
        made.parent.mkdir()
        shutil.copy(kept, made)
        (made.parent / done).touch()
    server = EmbeddedServer(settings)
    try:
        server.wait()
        if not kept.exists():
            copy = kept.with_suffix(f".{os.getpid()}")
            with closing(sqlite3.connect(made)) as source, closing(sqlite3.connect(copy)) as target:
                source.backup(target)
            copy.replace(kept)
        yield server.url
    finally:
        server.stop()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Mount two megabytes; skipped without the right to mount."""
    with disk.small_disk(tmp_path / "disk", 2 << 20) as mounted:
        yield mounted
