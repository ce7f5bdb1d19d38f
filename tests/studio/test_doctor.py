"""The whole checkup, with one part broken at a time."""

import importlib.metadata
import json
import shutil
import subprocess
import sys
from typing import Any

import pytest

from narrate.config import Settings
from narrate.speech.diagnosis import Status
from narrate.speech.machine import Machine
from narrate.store import Store
from narrate.studio import doctor

WELL = Machine(python=(3, 11, 7), platform="linux_x86_64")


@pytest.fixture
def settings(home, monkeypatch):
    """Look at a machine without a model, and spare the seconds that Prefect takes."""
    monkeypatch.setattr(doctor, "look_at_machine", lambda: WELL)
    monkeypatch.setattr(doctor, "_why_prefect_does_not_start", lambda: None)
    return Settings.from_environment()


def finding(settings, subject, model=None):
    checkup = doctor.examine(settings, model)
    [found] = [one for one in checkup.findings if one.subject == subject]
    assert checkup.broken == any(one.status is Status.BROKEN for one in checkup.findings)
    return found


def test_a_fresh_machine_is_not_broken_and_nothing_is_made_on_it(settings):
    checkup = doctor.examine(settings)
    assert not checkup.broken
    assert {"python", "preview voice", "ffmpeg", "disk", "database", "prefect"} <= {
        one.subject for one in checkup.findings
    }
    assert not settings.home.exists()


def test_the_store_is_counted(settings):
    with Store(settings):
        pass
    assert "0 books" in finding(settings, "database").found


def test_a_damaged_database_is_broken(settings):
    settings.home.mkdir()
    (settings.home / "narrate.db").write_bytes(b"no database" * 100)
    found = finding(settings, "database")
    assert found.status is Status.BROKEN
    assert found.advice


def test_a_database_that_cannot_be_reached_is_broken(settings, tmp_path):
    there = Settings(settings.home, f"sqlite:///{tmp_path / 'missing' / 'folder' / 'x.db'}")
    (tmp_path / "missing").write_text("a file")
    assert finding(there, "database").status is Status.BROKEN


@pytest.mark.parametrize(("free_gb", "status"), [(100, "ok"), (5, "note"), (0.5, "broken")])
def test_the_disk_is_judged_by_what_is_free(settings, monkeypatch, free_gb, status):
    usage = type("Usage", (), {"free": int(free_gb * 1e9)})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert finding(settings, "disk").status == status


def test_a_missing_ffmpeg_is_a_note(settings, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert finding(settings, "ffmpeg").status is Status.NOTE


def test_a_preview_voice_that_does_not_speak_is_broken(settings, monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    found = finding(settings, "preview voice")
    assert found.status is Status.BROKEN
    assert "pip install" in found.advice


@pytest.mark.parametrize(
    ("versions", "status"),
    [
        ({}, "ok"),
        ({"fastapi": "0.165.0"}, "note"),
        ({"sqlalchemy": "2.1.0"}, "note"),
        ({"prefect": "3.8.7"}, "note"),
    ],
)
def test_versions_that_are_known_to_break_are_named(settings, monkeypatch, versions, status):
    installed = importlib.metadata.version
    good = {"prefect": "3.8.8", "fastapi": "0.150.0", "sqlalchemy": "2.0.58"} | versions

    def version(name: str) -> Any:
        return good.get(name) or installed(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    found = finding(settings, "prefect")
    assert found.status == status
    assert all(f"{name} {number}" in found.found for name, number in versions.items())


def test_a_prefect_that_does_not_start_is_broken(settings, monkeypatch):
    why = "TypeError: Body() got an unexpected keyword argument 'min_items'"
    monkeypatch.setattr(doctor, "_why_prefect_does_not_start", lambda: why)
    found = finding(settings, "prefect")
    assert found.status is Status.BROKEN
    assert "min_items" in found.found


@pytest.mark.parametrize(
    ("script", "why"),
    [("pass", None), ("raise TypeError('Body()')", "TypeError: Body()"), ("exit(3)", "code 3")],
)
def test_the_last_word_of_a_server_that_does_not_start_is_told(monkeypatch, script, why):
    monkeypatch.setattr(doctor, "_PREFECT_STARTS", script)
    assert doctor._why_prefect_does_not_start() == why


@pytest.mark.slow
def test_a_model_is_described(settings, checkpoint):
    found = finding(settings, "model", str(checkpoint("customvoice")))
    assert found.status is Status.OK
    assert found.details["kind"] == "custom_voice"
    assert found.details["speakers"]
    assert "english" in found.details["languages"]


def test_a_model_that_is_not_one_is_broken(settings, tmp_path):
    found = finding(settings, "model", str(tmp_path))
    assert found.status is Status.BROKEN
    assert "config.json" in found.found


def test_the_known_good_versions_are_those_of_the_project(root):
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    for name, (low, high) in doctor.KNOWN_GOOD.items():
        numbers = [".".join(map(str, part)) for part in (low, high)]
        assert f'"{name}>={numbers[0]},<{numbers[1]}"' in text


@pytest.mark.slow
def test_the_command_looks_at_everything_for_real(home):
    script = "from narrate.cli import main; main()"
    command = [sys.executable, "-c", script, "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    value = json.loads(done.stdout)
    assert done.returncode == int(value["broken"])
    status = {one["subject"]: one["status"] for one in value["findings"]}
    assert status["prefect"] == status["preview voice"] == "ok", value
    assert value["machine"]["python"] == list(sys.version_info[:3])


def test_the_command_ends_with_1_and_says_what_is_broken(home):
    home.mkdir()
    (home / "narrate.db").write_bytes(b"no database" * 100)
    script = (
        "from narrate.studio import doctor; doctor._PREFECT_STARTS = 'pass'\n"
        "from narrate.speech.machine import Machine\n"
        "doctor.look_at_machine = lambda: Machine(python=(3, 11, 7), platform='linux_x86_64')\n"
        "from narrate.cli import main; main()"
    )
    command = [sys.executable, "-c", script, "doctor"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    [line] = [line for line in done.stdout.splitlines() if line.startswith("broken")]
    assert "database" in line
