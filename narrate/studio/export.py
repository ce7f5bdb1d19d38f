"""Other formats, labels or levels of a book that is spoken: nothing is spoken again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from narrate.apart import Stop
from narrate.config import Job
from narrate.memory import keep_memory_flat
from narrate.store import Store
from narrate.studio.abreast import abreast
from narrate.studio.covers import given_cover
from narrate.studio.deliver import Delivered, deliver, encode_chapter
from narrate.studio.editions import check_programs
from narrate.studio.plan import require_book
from narrate.studio.stitch import finished_chapters, stitch

__all__ = ["export"]


def export(
    store: Store, book_id: str, changes: Mapping[str, Any], stop: Stop | None = None
) -> Delivered:
    """Make what is asked for beside what there is; a change of None leaves things as they are.

    Chapters that are spoken but not stitched, or at another level, are stitched. The caller holds
    the book's lease. Errors as of a run that comes to its end.
    """
    keep_memory_flat()
    book = require_book(store, book_id)
    old = Job(**(book.job or {"document": str(book.source_path)}))
    given = {name: value for name, value in changes.items() if value is not None}
    asked = Job(**(old.parameters() | given))
    if "format" in given:
        asked = replace(asked, format=",".join(dict.fromkeys([*old.formats, *asked.formats])))
    check_programs(asked)
    cover = given_cover(asked) if "cover" in given else None
    store.put_book(replace(book, job=asked.parameters()))
    if cover:
        store.put_cover(book_id, "given", cover)
    there = finished_chapters(store, book_id)
    spoken = [part.number for part in store.progress(book_id) if part.done == part.chunks]

    def chapter(number: int, stop: Stop) -> None:
        stitch(store, book_id, number, stop)
        encode_chapter(store, book_id, number, stop)

    abreast([partial(chapter, number) for number in spoken if number not in there], stop)
    return deliver(store, book_id, stop)
