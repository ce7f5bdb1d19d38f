"""What the tests of the text room share: documents from strings, the books where there are any."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from narrate.core import Document, Plan
from narrate.text import PlanOptions, coverage, plan, read

REPOSITORY = Path(__file__).resolve().parents[2]
BOOKS = Path(os.environ.get("NARRATE_BOOKS", REPOSITORY.parent / "shared" / "books"))


@pytest.fixture
def document(tmp_path: Path) -> Callable[..., Document]:
    """Write text (or bytes) to a file and read it."""

    def make(content: str | bytes, name: str = "a.txt") -> Document:
        data = content.encode("utf-8") if isinstance(content, str) else content
        path = tmp_path / name
        path.write_bytes(data)
        return read(path)

    return make


@pytest.fixture
def texts(document: Callable[..., Document]) -> Callable[..., list[str]]:
    """The chunk texts of a document given as a string."""

    def make(content: str | bytes, name: str = "a.txt", max_chars: int = 300) -> list[str]:
        return [chunk.text for chunk in planned(document(content, name), max_chars).chunks]

    return make


def planned(document: Document, max_chars: int = 300) -> Plan:
    """The plan of a document, with all that a plan promises checked."""
    result = plan(document, PlanOptions(max_chars=max_chars))
    account = coverage(document, result)
    assert account.unaccounted == ()
    assert all(len(chunk.text) <= max_chars for chunk in result.chunks)
    ends = [0, *(chunk.span.end for chunk in result.chunks)]
    for end, chunk in zip(ends, result.chunks, strict=False):
        assert end <= chunk.span.start < chunk.span.end <= len(document.source)
        assert any(map(str.isalnum, chunk.text))
        assert chunk.text == " ".join(chunk.text.split())
    assert [chunk.position for chunk in result.chunks] == list(range(1, len(result.chunks) + 1))
    return result


def book(name: str) -> Path:
    """A real book; the test is skipped where the books are not."""
    path = BOOKS / name
    if not path.is_file():
        pytest.skip(f"no {name} under {BOOKS}")
    return path
