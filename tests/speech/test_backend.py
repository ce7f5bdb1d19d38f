import subprocess
import sys
from pathlib import Path

import pytest

from narrate.errors import UsageError
from narrate.speech.backend import SpeechOptions, backend_names, open_backend
from narrate.speech.models import Checkpoint
from narrate.speech.server import ServerOptions

CHECKPOINT = Checkpoint(
    folder=Path("nowhere"),
    kind="base",
    size="1.7b",
    languages=("english", "german"),
    speakers=(),
    dialects={},
    rate_hz=24_000,
    files_bytes=0,
    digest="digest",
)


@pytest.mark.parametrize("speed", [0.0, 0.49, 2.01, -1.0, float("nan"), float("inf")])
def test_a_speed_nobody_can_speak_is_refused(speed):
    with pytest.raises(UsageError, match=r"from 0\.5 to 2"):
        SpeechOptions(speed=speed)


def test_an_unknown_backend_is_refused_with_the_known_names():
    with pytest.raises(UsageError) as caught:
        open_backend("espeak", SpeechOptions())
    assert all(name in str(caught.value) for name in backend_names())


@pytest.mark.parametrize("name", backend_names())
def test_every_backend_of_the_table_opens_under_its_name(name):
    server = ServerOptions("http://localhost:8091", model="a model")
    backend = open_backend(name, SpeechOptions(checkpoint=CHECKPOINT, server=server))
    try:
        assert backend.name == name
        assert backend.languages() == tuple(sorted(backend.languages()))
    finally:
        backend.close()


def test_the_table_imports_nothing_heavy():
    seen = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, narrate.speech.backend\n"
            "print(sorted({'numpy', 'ctypes', 'espeakng_loader', 'torch'} & set(sys.modules)))",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert seen.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["preview", "official", "qwen", "remote"])
def test_every_backend_says_whether_another_attempt_can_differ(name: str) -> None:
    """Else a bad take would be tried again for nothing, or never."""
    from importlib import import_module

    classes = {"official": "OfficialBackend", "qwen": "QwenBackend", "remote": "RemoteBackend"}
    module = import_module(f"narrate.speech.{name}")
    backend = getattr(module, classes.get(name, "PreviewBackend"))
    assert backend.varies is (name != "preview")
