"""A reader's own words: how names and terms are said, from a table of written and spoken forms.

A line holds a written form, a tab, its spoken form and, after another tab, a language if it counts
in one alone. An entry in small letters stands for every case, one with capitals for just that
writing. Blank lines and lines that begin with "#" mean nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from narrate.errors import UsageError
from narrate.text.decoding import decode
from narrate.text.language import tag_of
from narrate.text.verbal.claims import Rule

__all__ = ["Entry", "lexicon", "own_words", "read_lexicon", "rule_of"]

MOST_CHARACTERS = 200
_LINE = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """A written form, what is said for it, and the language it holds in, empty for all."""

    written: str
    spoken: str
    language: str = ""


def own_words(named: str | None, usual: Path) -> tuple[Entry, ...]:
    """The lexicon that was named, else the usual one if there is any."""
    if named is not None:
        return read_lexicon(Path(named).expanduser())
    return read_lexicon(usual) if usual.exists() else ()


def read_lexicon(path: Path) -> tuple[Entry, ...]:
    """Read a lexicon file; a UsageError names the first line that is none of its kind."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"the lexicon cannot be read: {error.strerror}",
            where=str(path),
            remedy="check the name and the permissions, or leave --lexicon out",
        ) from error
    return lexicon(decode(data, str(path)) if data.strip() else "", str(path))


def lexicon(text: str, where: str) -> tuple[Entry, ...]:
    """Understand the lines of a lexicon, in the order of their written forms."""
    entries: dict[tuple[str, str], int] = {}
    result: list[Entry] = []
    for number, line in enumerate(_LINE.split(unicodedata.normalize("NFC", text)), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        entry = _entry(line, f"{where}, line {number}")
        key = (entry.written, entry.language)
        if key in entries:
            raise _refused(f"“{entry.written}” stands in line {entries[key]} already",
                           f"{where}, line {number}")  # fmt: skip
        entries[key] = number
        result.append(entry)
    return tuple(sorted(result))


def _entry(line: str, where: str) -> Entry:
    cells = [" ".join(cell.split()) for cell in line.split("\t")]
    while len(cells) > 2 and not cells[-1]:
        cells.pop()
    if not 2 <= len(cells) <= 3:
        raise _refused(f"the line has {len(cells)} columns, not two or three", where)
    written, spoken, language = [*cells, ""][:3]
    if not written:
        raise _refused("there is no written form in it", where)
    if not any(map(str.isalnum, spoken)):
        raise _refused("there is no spoken form in it", where)
    if max(len(written), len(spoken)) > MOST_CHARACTERS:
        raise _refused(f"a form is longer than {MOST_CHARACTERS} characters", where)
    if language and tag_of(language) == "":
        raise _refused(f"{language!r} is no language code such as en", where)
    return Entry(written, spoken, tag_of(language) if language else "")


def _refused(what: str, where: str) -> UsageError:
    return UsageError(
        what, where=where, remedy="write: written form, tab, spoken form, and if it needs one a "
        "tab and a language",
    )  # fmt: skip


@lru_cache(maxsize=8)
def rule_of(entries: Sequence[Entry], language: str) -> Rule | None:
    """The rule that says the entries of a language, the longest written form first."""
    known = {entry.written: entry.spoken for entry in entries if not entry.language}
    known |= {entry.written: entry.spoken for entry in entries if entry.language == language}
    if not known:
        return None
    parts = [_pattern(written) for written in sorted(known, key=lambda form: (-len(form), form))]
    pattern = re.compile("|".join(parts))

    def say(found: re.Match[str]) -> str | None:
        written = " ".join(found[0].split())
        return known.get(written) or known.get(written.lower())

    return Rule(pattern, say)


def _pattern(written: str) -> str:
    """Whole words: no letter, mark or digit may touch a form that itself ends in one."""
    body = r"\s+".join(map(re.escape, written.split(" ")))
    if written == written.lower():
        body = f"(?i:{body})"
    start = r"(?<!\w)" if written[0].isalnum() else ""
    end = r"(?!\w|[\u0300-\u036f])" if written[-1].isalnum() else ""
    return f"(?:{start}{body}{end})"
