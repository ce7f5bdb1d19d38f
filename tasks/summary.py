"""What a run leaves on its page: chapters, tries, flagged chunks and speeds, and a curve.

Numbers and titles alone: the words of a book stay in the store.
"""

from __future__ import annotations

import base64
import logging
import re

from httpx import HTTPError
from prefect.artifacts import create_image_artifact, create_markdown_artifact
from prefect.exceptions import PrefectException

from narrate.store import Store
from narrate.studio import Summary, summary

__all__ = ["summarize"]

_log = logging.getLogger("narrate.progress")


def summarize(store: Store, book_id: str, since: float) -> None:
    """Leave the artifacts; a server that is gone costs the artifacts, not the run."""
    told = summary(store, book_id, since)
    try:
        create_markdown_artifact(as_markdown(told), description=book_id)
        if len(told.course) > 1:
            picture = base64.b64encode(as_svg(told).encode()).decode()
            create_image_artifact(
                f"data:image/svg+xml;base64,{picture}",
                description=f"{book_id}: seconds of audio by seconds of the run",
            )
    except (HTTPError, PrefectException, RuntimeError, ValueError) as error:
        _log.info("the summary could not be left on the server: %s", error)


def as_markdown(told: Summary) -> str:
    """Lay a summary out as two tables and a list."""
    lines = [
        f"# {_plain(told.title) or told.book_id}",
        "",
        "| chapter | title | audio s | chunks | spoken now | again | flagged | x real time |",
        "|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    for part in told.chapters:
        speed = f"{part.speed:.0f}" if part.speed else ""
        lines.append(
            f"| {part.number} | {_plain(part.title)} | {part.audio_s:.1f} | {part.chunks} | "
            f"{part.spoken} | {part.retried} | {len(part.flagged)} | {speed} |"
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


def _plain(title: str) -> str:
    """Take the meaning out of Markdown's signs: a title is the book's, and no part of the page."""
    return re.sub(r"[\\`*_~\[\]<>#|!]", r"\\\g<0>", " ".join(title.split()))


def as_svg(told: Summary) -> str:
    """Draw how much audio was there by when: bends show where the run stood still or slowed."""
    width, height, left, low = 640, 240, 60, 24
    across, up = (width - left) / told.wall_s, (height - 2 * low) / max(told.spoken_s, 1.0)
    points = [(0.0, 0.0), *told.course]
    curve = " ".join(f"{left + at * across:.0f},{height - low - s * up:.0f}" for at, s in points)
    labels = (
        (left, low - 8, "start", f"{told.spoken_s:.0f} s of audio"),
        (width, height - 6, "end", f"{told.wall_s:.0f} s"),
    )
    words = "".join(
        f'<text x="{x}" y="{y}" text-anchor="{anchor}">{label}</text>'
        for x, y, anchor, label in labels
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" font-family="sans-serif" font-size="14" fill="gray">'
        f'<path d="M{left},{low}V{height - low}H{width}" fill="none" stroke="gray"/>'
        f'<polyline points="{curve}" fill="none" stroke="royalblue" stroke-width="2"/>'
        f"{words}</svg>"
    )
