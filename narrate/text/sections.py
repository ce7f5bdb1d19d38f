"""Which groups of a plain text begin a chapter, and which only list chapters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from narrate.core import Skipped
from narrate.text.headings import (
    Heading,
    HeadingKind,
    heading_of,
    is_contents,
    is_note,
    is_title,
    label_of,
)
from narrate.text.paragraphs import Group
from narrate.text.traced import skipped_in

__all__ = ["drop_contents", "split_headings"]

CONTENTS = "table of contents"
NOTE = "transcriber's note"
_HEADING_LINES = 4
_CENTRED = 8  # columns of indent
_ENTRY_CHARS = 160
_PAGE = re.compile(r"(?:\s*\.[ .]{2,}|\s{2,}|\t)\s*[\divxlc]+$", re.IGNORECASE)
_MIN_LIST = 3
_FULL_LINE = 0.6  # of the paragraph's longest line: a heading's title ends before that


def drop_contents(source: str, groups: Sequence[Group]) -> tuple[list[Group], list[Skipped]]:
    """The groups without lists of contents and transcriber's notes, and those as skipped."""
    texts = [group.text(source) for group in groups]
    seen = [_key(text) for text in texts]
    kept: list[Group] = []
    skipped: list[Skipped] = []
    index = 0
    while index < len(groups):
        end, reason = index, ""
        first_line = texts[index].partition("\n")[0]
        if len(first_line) > _ENTRY_CHARS:
            pass
        elif is_contents(first_line):
            end, reason = _contents_end(texts, seen, index), CONTENTS
        elif is_note(first_line):
            end, reason = _note_end(groups, texts, index), NOTE
        else:
            end, reason = _list_end(texts, index), CONTENTS
        if end > index:
            start, stop = groups[index].lines[0].start, groups[end - 1].lines[-1].end
            skipped += skipped_in(source, start, stop, reason)
            index = end
        else:
            kept.append(groups[index])
            index += 1
    return kept, skipped


def split_headings(source: str, groups: Sequence[Group]) -> list[tuple[Group, Heading | None]]:
    """Each group and the heading it is, titles joined to their numbers; None for text."""
    parts = [part for group in groups for part in _first_line_apart(source, group)]
    found = [_short_heading(source, part) for part in parts]
    _keep_sequence(found)
    result: list[tuple[Group, Heading | None]] = []
    index = 0
    while index < len(parts):
        group, heading = parts[index], found[index]
        index += 1
        if heading is not None and not heading.title and index + 1 < len(parts):
            title = parts[index]
            centred = min(line.indent for line in title.lines) >= _CENTRED
            lines = title.text(source).split("\n")
            if found[index] is None and is_title(lines, centred=centred):
                group = Group(group.lines + title.lines, group.gap)
                index += 1
        result.append((group, heading))
    return result


def _first_line_apart(source: str, group: Group) -> list[Group]:
    """A number right above its text, with no blank line between them, as a group of its own."""
    if len(group.lines) < 2 or _short_heading(source, group) is not None:
        return [group]
    first = heading_of(source[group.lines[0].start : group.lines[0].end])
    if first is None or first.kind is HeadingKind.NAMED:
        return [group]
    width = max(line.end - line.start for line in group.lines)
    full = group.lines[0].end - group.lines[0].start > width * _FULL_LINE
    if first.title and (full or first.kind is HeadingKind.BARE):
        return [group]
    return [Group(group.lines[:1], group.gap), Group(group.lines[1:])]


def _short_heading(source: str, group: Group) -> Heading | None:
    if len(group.lines) > _HEADING_LINES:
        return None
    heading = heading_of(group.text(source))
    if heading is not None and "\n" in heading.title and len(group.lines) > 1:
        rest = group.text(source).split("\n")[1:]
        first = heading_of(source[group.lines[0].start : group.lines[0].end])
        prose = first is not None and not first.title and not is_title(rest, centred=False)
        return None if prose else heading
    return heading


def _keep_sequence(found: list[Heading | None]) -> None:
    """Let a bare number be a heading only where it counts on: 1, 2, 3, or after "Adventure 7"."""
    numbered = any(head is not None and head.kind is HeadingKind.NUMBERED for head in found)
    bare = [index for index, head in enumerate(found) if head and head.kind is HeadingKind.BARE]
    last, repeated = 0, ""
    alone = len(bare) == 1 and bare[0] != 0
    for index, head in enumerate(found):
        if head is None:
            continue
        if head.kind is HeadingKind.NAMED:
            if head.word == repeated:  # "EXTRACTS (Supplied by …)", and "EXTRACTS" again
                found[index] = None
            repeated = head.word
            continue
        repeated = ""
        if head.kind is HeadingKind.NUMBERED:
            last = head.number
            continue
        counts_on = head.number == last + 1 or (head.number == 1 and not numbered)
        if (numbered and not head.title) or not counts_on or (alone and not numbered):
            found[index] = None
        else:
            last = head.number


def _contents_end(texts: Sequence[str], seen: Sequence[str], start: int) -> int:
    """Where the list that begins at a title "Contents" ends; nothing is cut if it is no list."""
    lines = texts[start].split("\n")
    if len(lines) > 1:
        return start + 1
    counts = Counter(seen[start + 1 :])
    twice = {key for key, count in counts.items() if key and count > 1}
    first = seen[start + 1] if start + 1 < len(seen) else ""
    end = start + 1
    while end < len(texts):
        again = seen[end] == first and end > start + 1
        prose_next = end + 1 < len(texts) and not _is_entry(texts[end + 1], "", set())
        if again or not _is_entry(texts[end], seen[end], twice):
            break
        if prose_next and end > start + 1 and seen[end] in seen[start + 1 : end]:
            break
        end += 1
    return end if end > start + 1 else start


def _is_entry(text: str, key: str, again: set[str]) -> bool:
    lines = text.split("\n")
    short = len(lines) <= 2 and len(text) <= _ENTRY_CHARS
    if short and (heading_of(text) is not None or key in again):
        return True
    listed = sum(heading_of(line) is not None or _PAGE.search(line) is not None for line in lines)
    return 2 * listed > len(lines)


def _note_end(groups: Sequence[Group], texts: Sequence[str], start: int) -> int:
    """A note's title and its paragraphs, up to a heading or a wide gap."""
    end = start + 1
    while end < len(groups) and heading_of(texts[end]) is None:
        if end > start + 1 and groups[end].gap >= 3:
            break
        end += 1
    return end


def _list_end(texts: Sequence[str], start: int) -> int:
    """The end of a run of headings with no text between them that all come again later."""
    labels: list[tuple[str, int]] = []
    end = start
    while end < len(texts):
        heading = heading_of(texts[end])
        if heading is None or heading.kind is not HeadingKind.NUMBERED:
            break
        if label_of(heading) in labels:
            break
        labels.append(label_of(heading))
        end += 1
    if len(labels) < _MIN_LIST:
        return start
    heads = (heading_of(text) for text in texts[end:])
    later = {label_of(head) for head in heads if head is not None}
    return end if later.issuperset(labels) else start


def _key(text: str) -> str:
    """A heading without case, punctuation and page number, to find it again."""
    if len(text) > _ENTRY_CHARS:
        return ""
    return "".join(re.findall(r"[^\W_]+", _PAGE.sub("", text).casefold()))
