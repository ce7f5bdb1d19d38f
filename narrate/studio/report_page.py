"""The report as one page that needs nothing else: no script, no request, the sound inside it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

__all__ = ["MOST_AUDIO_BYTES", "Attempt", "Flagged", "page"]

MOST_AUDIO_BYTES = 24_000_000
"""Of recordings in one page; chunks beyond it are listed without a player."""

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; media-src data:"
_STYLE = """
:root { color-scheme: light dark; --ink: #1d1d1f; --paper: #fdfdfc; --soft: #5c5c61;
  --line: #d8d8dc; --bad: #a3120a; --good: #1d6b2f; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececee; --paper: #17171a; --soft: #a9a9b0;
  --line: #3a3a40; --bad: #ff9a8f; --good: #8fd6a0; } }
body { margin: 2rem auto; max-width: 46rem; padding: 0 1rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.05rem; margin: 0; }
article { border-top: 1px solid var(--line); padding: 1rem 0; }
blockquote { margin: .6rem 0; padding-left: .8rem; border-left: 3px solid var(--line); }
audio { width: 100%; } .soft { color: var(--soft); } .bad { color: var(--bad); }
.good { color: var(--good); } ol { margin: .4rem 0; padding-left: 1.4rem; }
code { font-family: ui-monospace, monospace; }
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One recording of a chunk; `is_kept`: it is in the book; `fault`: empty where it is good.

    `reason` says what the fault is.
    """

    number: int
    fault: str
    reason: str
    duration_s: float
    is_kept: bool


@dataclass(frozen=True, slots=True)
class Flagged:
    """A chunk that was bad at least once, and when it is heard in its chapter, in seconds."""

    position: int
    chapter: int
    chapter_title: str
    text: str
    spoken: str
    fault: str
    start_s: float
    attempts: tuple[Attempt, ...]
    audio_path: Path


def page(
    title: str,
    book_id: str,
    language: str,
    chunks: int,
    flagged: Sequence[Flagged],
    most_bytes: int = MOST_AUDIO_BYTES,
) -> str:
    """The page, HTML 5; recordings come in order until they are `most_bytes` in all."""
    articles: list[str] = []
    left, silent = most_bytes, 0
    for one in flagged:
        sound, used = _player(one, left)
        left -= used
        silent += not used
        articles.append(_article(one, sound, language))
    bad = sum(bool(one.fault) for one in flagged)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Report: {escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<header><h1>{escape(title)}</h1>\n{_summary(chunks, len(flagged), bad, book_id)}"
        f"{_cut_off(silent)}</header>\n<main>\n{''.join(articles)}</main>\n</body>\n</html>\n"
    )


def _summary(chunks: int, flagged: int, bad: int, book_id: str) -> str:
    if not flagged:
        return f"<p>All {chunks:,} chunks came out well at the first attempt.</p>\n"
    redo = f"<code>narrate redo {escape(book_id)} N</code>"
    said = f"{flagged:,} of {chunks:,} chunks were spoken more than once or flagged; "
    rest = f"{bad:,} still bad: listen to them, and let {redo} speak number N again."
    return f"<p>{said}{rest if bad else 'none is bad now.'}</p>\n"


def _cut_off(silent: int) -> str:
    if not silent:
        return ""
    return (
        f"<p>{silent:,} of them have no player here: the page would be too large, or the "
        "recording is gone. They are heard in the book at the times given.</p>\n"
    )


def _article(one: Flagged, sound: str, language: str) -> str:
    title = f" {escape(one.chapter_title)}" if one.chapter_title else ""
    state = f'<span class="bad">{escape(one.fault)}</span>' if one.fault else (
        '<span class="good">good now</span>'
    )  # fmt: skip
    minutes, seconds = divmod(one.start_s, 60)
    attempts = "".join(_attempt(attempt) for attempt in one.attempts)
    return (
        f'<article id="chunk-{one.position}">\n<h2>Chunk {one.position}: {state}</h2>\n'
        f'<p class="soft">Chapter {one.chapter}{title}, at {minutes:.0f}:{seconds:04.1f}</p>\n'
        f'<blockquote lang="{escape(language)}" dir="auto">{escape(one.text)}</blockquote>\n'
        f"{sound}<ol>{attempts}</ol>\n</article>\n"
    )


def _attempt(attempt: Attempt) -> str:
    kept = ", in the book" if attempt.is_kept else ""
    said = f"{attempt.duration_s:.1f} s{kept}, {attempt.fault or 'no fault'}"
    reason = f": {attempt.reason}" if attempt.reason else ""
    return f'<li value="{attempt.number + 1}">{escape(said + reason)}</li>'


def _player(one: Flagged, most_bytes: int) -> tuple[str, int]:
    """A player with the recording in it and the recording's size; nothing if it is too large."""
    content = _content(one.audio_path, most_bytes)
    if not content:
        return "", 0
    sound = base64.b64encode(content).decode("ascii")
    label = f"Recording of chunk {one.position}"
    player = f'<audio controls preload="metadata" aria-label="{label}"'
    return f'{player} src="data:audio/flac;base64,{sound}"></audio>\n', len(content)


def _content(path: Path, most_bytes: int) -> bytes:
    try:
        return path.read_bytes() if path.stat().st_size <= most_bytes else b""
    except OSError:
        return b""
