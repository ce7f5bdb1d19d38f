"""Ends that a splitter misses: items in a line, no space, "I." or "usw." as the last word."""

from __future__ import annotations

import re
from collections.abc import Iterator

from narrate.text.boundaries import STARTER, after_closers, is_abbreviation

__all__ = ["item_boundaries", "list_end_boundaries", "pronoun_boundaries", "unspaced_boundaries"]

_ITEM = re.compile(
    r"(?:(?<=\s)|\A)(?=\S)(?P<bullet>[•‣⁃◦▪]\s*)?"
    r"(?:(?P<count>\d{1,3}|[a-z])(?P<stop>\.\)|[.)])\s*)?(?=[^\W\d_])"
)
_TOUCHING = re.compile(r"(?<=[^\W_])[.!?](?=[A-Z][a-z]*\.?\s)")
_WORD = re.compile(r"[^\W_]+$")
_TOKEN = re.compile(r"\S*")
_ADDRESS = re.compile(r"[@/\\:_()<>=]|www\.|\.[a-z]")
_PRONOUN = re.compile(r" (?P<word>I|St|Ave|Blvd|Rd)\.")
_SAID = frozenset(
    ["say", "says", "said", "thought", "cried", "asked", "replied", "answered", "shouted", "quoth"]
)
_NEW = re.compile(r"\s+[“‘\"'(«]*[A-Z]")
_WINDOW = 60
# German writes nouns large, so only these words show that a list has ended the sentence, too.
_LIST_END = re.compile(
    r"\b(?:usw|u\. ?s\. ?w|etc)\.(?=\s+[„»‚›]?(?:Aber|Alle[sn]?|Als|Am|Auch|Auf|Bei|Da|Dabei|Dafür"
    r"|Daher|Damit|Danach|Dann|Das|Davon|Dazu|Dem|Den|Denn|Der|Deshalb|Die|Diese[mnrs]?|Doch|Dort"
    r"|Eine?[mnrs]?|Er|Es|Für|Hier|Ich|Ihr|Im|In|Jetzt|Man|Mit|Nach|Nein|Nun|Nur|Ob|Sie|So|Und"
    r"|Vom|Von|Vor|Warum|Was|Weil|Wenn|Wer|Wie|Wir|Wo|Zum|Zur)\b)"
)


def item_boundaries(text: str) -> Iterator[int]:
    """Where the items of a list in one line begin: "1) Tea 2) Milk" counts on from its start."""
    last = _ITEM.match(text)
    if last is None or not last.group():
        return
    for found in _ITEM.finditer(text, last.end()):
        if found.group() and _follows(found, last):
            yield found.start()
            last = found


def _follows(found: re.Match[str], last: re.Match[str]) -> bool:
    """Whether an item has the marks of the one before it, and the next number or letter."""
    if bool(found["bullet"]) != bool(last["bullet"]) or found["stop"] != last["stop"]:
        return False
    count, before = found["count"], last["count"]
    if count is None or before is None:
        return count is before
    if count.isdecimal() and before.isdecimal():
        return int(count) == int(before) + 1
    return ord(count[0]) == ord(before[0]) + 1


def unspaced_boundaries(text: str) -> Iterator[int]:
    """Where the space after a sentence is missing: "the world.Today is", but no address."""
    for found in _TOUCHING.finditer(text):
        start = found.start()
        word = _WORD.search(text[max(0, start - _WINDOW) : start])
        before = "" if word is None else word.group()
        plain = (before.islower() and len(before) > 1 and not is_abbreviation(before)) or (
            before[:1].isupper() and before[1:].islower() and len(before) > 3
        )
        token = _token(text, start)
        if (plain or before.isdecimal()) and _ADDRESS.search(token) is None:
            yield found.end()


def pronoun_boundaries(text: str) -> Iterator[int]:
    """Where "I" or a street ends a sentence: "you and I. Have you met him?", "in Elm St. It is"."""
    for found in _PRONOUN.finditer(text):
        word = _WORD.search(text, max(0, found.start() - _WINDOW), found.start())
        if word is None or word.group()[0].islower() != (found["word"] == "I"):
            continue
        end = after_closers(text, found.end())
        if STARTER.match(text, end) or (word.group() in _SAID and _NEW.match(text, end)):
            yield end


def list_end_boundaries(text: str) -> Iterator[int]:
    """Where a German list that goes on ends a sentence: "Äpfel, Birnen usw. Dann ging er"."""
    for found in _LIST_END.finditer(text):
        yield found.end()


def _token(text: str, place: int) -> str:
    start = max(text.rfind(" ", max(0, place - _WINDOW), place), max(-1, place - _WINDOW))
    found = _TOKEN.match(text, start + 1, place + _WINDOW)
    return "" if found is None else found.group()
