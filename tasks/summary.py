"""What a run leaves on its page: chapters, tries, flagged chunks and speeds, as Markdown.

Numbers and titles alone: the words of a book stay in the store.
"""

from __future__ import annotations

import logging

from httpx import HTTPError
from prefect.artifacts import create_markdown_artifact
from prefect.exceptions import PrefectException

from narrate.store import Store
from narrate.studio import Summary, summary

__all__ = ["summarize"]

_log = logging.getLogger("narrate.progress")


def summarize(store: Store, book_id: str, since: float) -> None:
    """Leave the artifact; a server that is gone costs the artifact, not the run."""
    try:
        create_markdown_artifact(as_markdown(summary(store, book_id, since)), description=book_id)
    except (HTTPError, PrefectException, RuntimeError, ValueError) as error:
        _log.info("the summary could not be left on the server: %s", error)


def as_markdown(told: Summary) -> str:
    """Lay a summary out as two tables and a list."""
    lines = [
        f"# {told.title or told.book_id}",
        "",
        "| chapter | title | audio s | chunks | spoken now | again | flagged | x real time |",
        "|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    for part in told.chapters:
        speed = f"{part.speed:.0f}" if part.speed else ""
        title = part.title.replace("|", "\\|")
        lines.append(
            f"| {part.number} | {title} | {part.audio_s:.1f} | {part.chunks} | {part.spoken} | "
            f"{part.retried} | {len(part.flagged)} | {speed} |"
        )
    spoken_s, wall_s = told.spoken_s, told.wall_s
    lines += [
        "",
        "| in this run | |",
        "|---|---:|",
        f"| chunks spoken | {sum(part.spoken for part in told.chapters)} |",
        f"| seconds of audio spoken | {spoken_s:.1f} |",
        f"| seconds from start to end | {wall_s:.1f} |",
        f"| times real time | {spoken_s / wall_s:.1f} |",
    ]
    flagged = [(part.number, *one) for part in told.chapters for one in part.flagged]
    if flagged:
        lines += ["", "Flagged chunks:", ""]
        lines += [f"- chunk {n} in chapter {chapter}: {why}" for chapter, n, why in flagged]
    return "\n".join(lines) + "\n"
