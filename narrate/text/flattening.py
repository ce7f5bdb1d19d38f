"""HTML nested deeper than a parser goes, made flat: the text stays, the innermost tags go."""

from __future__ import annotations

import re

__all__ = ["flattened"]

_DEEPEST = 500  # elements; the parser gives up at 2,048 and drops what follows without a word
_TAG = re.compile(r"<(?P<close>/?)(?P<name>[A-Za-z][\w:-]*)(?:\s[^<>]*)?>")
_VOID_NAMES = "area base br col embed hr img input link meta param source track wbr"
# These end where the next one of their kind begins: an end tag may be missing.
_LOOSE_NAMES = "p li dt dd tr td th option thead tbody tfoot html head body"
_UNCOUNTED = frozenset((_VOID_NAMES + " " + _LOOSE_NAMES).split())
_LITERAL = re.compile(r"<(script|style)\b", re.IGNORECASE)
_PARTING = frozenset(
    [
        "div",
        "section",
        "article",
        "aside",
        "blockquote",
        "ul",
        "ol",
        "dl",
        "table",
        "main",
        "center",
        "form",
    ]
)


def flattened(markup: str) -> str:
    """The page without the tags of elements that lie too deep; a block's become paragraph breaks.

    Time is linear: one pass over the tags, with the open elements on a stack.
    """
    markup = _without_literals(markup)
    parts: list[str] = []
    stack: list[str] = []
    cursor = 0
    for found in _TAG.finditer(markup):
        name = found["name"].lower()
        if name in _UNCOUNTED:
            if len(stack) <= _DEEPEST or name in ("br", "p"):
                continue
            kept = False
        elif found["close"]:
            if name not in stack[-1:]:
                continue
            stack.pop()
            kept = len(stack) < _DEEPEST
        else:
            stack.append(name)
            kept = len(stack) <= _DEEPEST
        if not kept:
            parting = name in _PARTING or name in _UNCOUNTED
            parts += [markup[cursor : found.start()], "<p>" if parting else ""]
            cursor = found.end()
    parts.append(markup[cursor:])
    return "".join(parts)


def _without_literals(markup: str) -> str:
    """The page without scripts and styles; one that is never shut stays as it is."""
    parts: list[str] = []
    cursor, open_for_good = 0, set[str]()
    for found in _LITERAL.finditer(markup):
        name = found[1].lower()
        if found.start() < cursor or name in open_for_good:
            continue
        shut = re.compile(rf"</{name}\s*>", re.IGNORECASE).search(markup, found.end())
        if shut is None:
            open_for_good.add(name)
            continue
        parts.append(markup[cursor : found.start()])
        cursor = shut.end()
    return "".join([*parts, markup[cursor:]])
