"""What documents say about themselves, as far as several formats say it alike."""

from __future__ import annotations

import re

__all__ = ["front_matter_fields", "year_of"]

_FIELD = re.compile(
    r"^(title|authors?|lang|language|date|year|series|description)[ \t]*[:=][ \t]*"
    r"([^\n]*(?:\n(?:[ \t]+|-[ \t])[^\n]*)*)",
    re.MULTILINE,
)
_FOLDED = frozenset({"", ">", ">-", "|", "|-"})
_NAMES = {"authors": "author", "lang": "language", "date": "year"}


def front_matter_fields(front: str) -> dict[str, str]:
    """The fields of a front matter, each on one line; several authors are parted by commas.

    Read as far as people write it, no YAML for its own sake: `title: Foo: a bar` is none, and
    means what it says.
    """
    fields: dict[str, str] = {}
    for name, value in _FIELD.findall(re.sub(r"\r\n?", "\n", front)):
        name = _NAMES.get(name, name)
        first, *more = value.split("\n")
        if name == "author" and first.strip().startswith("["):
            more = first.strip().strip("[]").split(",")
            first = ""
        said = [_bare(one) for one in [first, *more] if one.strip() not in _FOLDED]
        fields.setdefault(name, (", " if name == "author" else " ").join(filter(None, said)))
    return fields


def _bare(value: str) -> str:
    value = re.sub(r"^-[ \t]+", "", value.strip())
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    return value.strip()


def year_of(date: str) -> int | None:
    """The year of a date that begins with it, as in `1813-01-28`."""
    found = re.match(r"\s*(\d{4})(?!\d)", date)
    return int(found[1]) or None if found else None
