"""What was flagged is told, with its recording, in a page that is safe to open."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from narrate import studio
from narrate.studio.report_page import Attempt, Flagged, page


class Elements(HTMLParser):
    """Which elements a page has, with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture
def recording(spoken_sample: Path, tmp_path: Path) -> Path:
    import soundfile

    path = tmp_path / "take.flac"
    samples, rate_hz = soundfile.read(spoken_sample, dtype="int16")
    soundfile.write(path, samples, rate_hz)
    return path


def flag(recording: Path, position: int = 7, text: str = "Who is there?") -> Flagged:
    attempts = (
        Attempt(0, "silent", "nothing can be heard", 2.0, False),
        Attempt(1, "hole", "there is quiet inside", 4.1, True),
    )
    return Flagged(position, 2, "The <lamp>", text, text, "hole", 61.5, attempts, recording)


HOSTILE = "</blockquote><script>alert(1)</script><img src=http://example.org onerror=alert(2)>"


def test_no_word_of_the_book_becomes_markup(recording: Path) -> None:
    made = page(HOSTILE, '"><script>', 'en"><script>', 10, [flag(recording, text=HOSTILE)])
    tags = {tag for tag, _ in Elements(made).found}
    assert not tags & {"script", "img", "link", "iframe"}
    assert made.count(HOSTILE.replace("<", "&lt;").replace(">", "&gt;")) == 3


def test_the_page_asks_nothing_of_any_server(recording: Path) -> None:
    found = Elements(page("Book", "book", "en", 10, [flag(recording)])).found
    sources = [attrs[name] for _, attrs in found for name in ("src", "href") if name in attrs]
    assert len(sources) == 1 and str(sources[0]).startswith("data:audio/flac;base64,")


def test_a_page_that_would_be_too_large_says_what_it_left_out(recording: Path) -> None:
    flags = [flag(recording, position) for position in range(1, 6)]
    made = page("Book", "book", "en", 9, flags, most_bytes=2 * recording.stat().st_size)
    assert made.count("<audio") == 2 and "3 of them have no player" in made
    assert made.count("<article") == 5


def test_a_book_without_faults_says_so(narrated: studio.Delivered) -> None:
    facts = json.loads((narrated.folder / "report.json").read_text())
    assert facts["flagged"] == [] and facts["still_bad"] == 0 and facts["chunks"] > 3
    assert "came out well" in (narrated.folder / "report.html").read_text()


@pytest.fixture(scope="module")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.skip("needs Chromium")
    return found


def test_a_browser_plays_the_recordings_and_runs_nothing(
    chromium: str, recording: Path, tmp_path: Path
) -> None:
    shown = tmp_path / "report.html"
    made = page(HOSTILE, "book", "en", 10, [flag(recording, text=HOSTILE)])
    # The page forbids scripts, our own too: the one that asks what the browser made of it comes
    # with a frame around it, which the page's rules do not bind.
    shown.write_text(made)
    frame = tmp_path / "frame.html"
    frame.write_text(
        "<!DOCTYPE html><title>waiting</title><iframe src='report.html'></iframe><pre></pre>"
        "<script>const frame = document.querySelector('iframe');"
        "frame.onload = () => { const page = frame.contentDocument;"
        " const sound = page.querySelector('audio');"
        " const tell = () => { document.querySelector('pre').textContent = JSON.stringify({"
        " seconds: sound.duration, heading: page.querySelector('h1').textContent,"
        " scripts: page.scripts.length, error: sound.error && sound.error.message}) };"
        " if (sound.readyState) tell(); else { sound.onloadedmetadata = tell;"
        " sound.onerror = tell } }</script>"
    )
    done = subprocess.run(
        [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--allow-file-access-from-files",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=10000",
            "--dump-dom",
            frame.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    found = re.search(r"<pre>(\{.*?\})</pre>", done.stdout, re.DOTALL)
    assert found, done.stdout[-2000:] + done.stderr[-2000:]
    told = json.loads(found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    import soundfile

    assert told["error"] is None and told["scripts"] == 0 and told["heading"] == HOSTILE
    assert told["seconds"] == pytest.approx(soundfile.info(recording).duration, abs=0.01)
