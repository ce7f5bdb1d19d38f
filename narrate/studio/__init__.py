"""The work itself, one plain function a step: the only place where the rooms meet.

Each step takes a store and a book's id, and can be called again at any time: what is done is
found in the store, what is missing is made. Prefect's tasks call these; so can any program.
"""

from narrate.studio.attempts import redo
from narrate.studio.deliver import Delivered, checked, deliver, encode_chapter, finished
from narrate.studio.export import export
from narrate.studio.join import join
from narrate.studio.plan import (
    Opened,
    book_called,
    books_called,
    find_book,
    plan_book,
    require_book,
)
from narrate.studio.progress import Report, Speaking
from narrate.studio.shelf import unfinished
from narrate.studio.speak import assist, import_ahead, speak
from narrate.studio.stitch import stitch
from narrate.studio.summary import Summary, summary
from narrate.studio.survey import Survey, survey
from narrate.studio.verdict import Verdict, check

__all__ = [
    "Delivered",
    "Opened",
    "Report",
    "Speaking",
    "Summary",
    "Survey",
    "Verdict",
    "assist",
    "book_called",
    "books_called",
    "check",
    "checked",
    "deliver",
    "encode_chapter",
    "export",
    "find_book",
    "finished",
    "import_ahead",
    "join",
    "plan_book",
    "redo",
    "require_book",
    "speak",
    "stitch",
    "summary",
    "survey",
    "unfinished",
]
