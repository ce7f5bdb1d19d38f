"""HTML pages: blocks by the walker, chapters by headings."""

from __future__ import annotations

from pathlib import Path

from narrate.core import Document
from narrate.errors import InputError
from narrate.text.extraction import Extraction, boilerplate_aside
from narrate.text.language import language_of
from narrate.text.markup import parsed, walk
from narrate.text.matter import without_matter
from narrate.text.outline import chapters_by_level, joined_opening, promoted

__all__ = ["read"]


def read(data: bytes, path: Path) -> Document:
    """Read a page; `path` gives the title where the page gives none."""
    page = parsed(data, str(path))
    if page is None:
        raise InputError(
            "there is no HTML in this file",
            where=str(path),
            remedy="give a page with text in it, or name a plain text .txt",
        )
    extraction = Extraction(str(path))
    walk(page, extraction)
    blocks = promoted(boilerplate_aside(extraction.blocks))
    heading = next((block.text for block in blocks if block.level and not block.aside), "")
    title = page.title or heading.replace("\n", " ") or path.stem
    spoken = " ".join(block.text for block in blocks[:2000] if not block.aside)
    return Document(
        title=title,
        author=page.author,
        language=language_of(spoken, page.language),
        chapters=without_matter(joined_opening(chapters_by_level(blocks, title))),
        source=extraction.source,
        skipped=tuple(sorted(extraction.skipped, key=lambda skip: skip.span)),
        description=page.description,
    )
