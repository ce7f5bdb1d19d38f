"""Which groups of a plain text begin a chapter, and which only list chapters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from narrate.text.headings import (
    Heading,
    HeadingKind,
    heading_of,
    is_contents,
    is_index,
    is_note,
    is_title,
    label_of,
)
from narrate.text.matter import COPYRIGHT, FOOTNOTE, is_copyright, is_imprint, is_index_entry
from narrate.text.paragraphs import Group
from narrate.text.roles import TRANSCRIBER

__all__ = ["listed", "note_label", "split_headings", "titles_in"]

CONTENTS = "table of contents"
INDEX = "index"
_HEADING_LINES = 4
_CENTRED = 8  # columns of indent
_ENTRY_CHARS = 160
_PAGE = re.compile(r"(?:\s*\.[ .]{2,}|\s{2,}|\t)\s*[\divxlc]+$", re.IGNORECASE)
_LOOSE_PAGE = re.compile(r"[\s.·…_]+\d{1,4}$")
_COLUMN_HEADS = frozenset(["page", "pages", "chapter", "chapterpage", "chappage", "seite"])
_LEAST_TITLES = 2
_FOOTNOTE = re.compile(r"\[footnote\s*(?P<label>[\w*†‡]{0,4})\s*:", re.IGNORECASE)
_NOTE_GROUPS = 8
_MIN_LIST = 3
_MATTER_GROUPS = 40
_OPENING_GROUPS = 15  # of a text in which no heading ends the opening
_MIN_INDEX = 5
_INDEX_SHARE = 0.6
_WIDE_GAP = 3  # blank lines
_SENTENCES = re.compile(r"[a-z][.!?][”’\"']?\s+[“‘\"']?[A-Z]")
_FULL_LINE = 0.6  # of the paragraph's longest line: a heading's title ends before that


def listed(source: str, groups: Sequence[Group]) -> dict[int, str]:
    """Which groups are contents, notes on the text, its copyright or its index, by position."""
    lists = _Lists(source, groups)
    reasons: dict[int, str] = {}
    index = 0
    while index < len(groups):
        end, reason = lists.at(index)
        reasons |= dict.fromkeys(range(index, end), reason)
        index = max(end, index + 1)
    for index, text in enumerate(lists.texts):
        if note_label(text) is not None:
            reasons |= dict.fromkeys(range(index, lists.shut(index)), FOOTNOTE)
    heads = (i for i, head in enumerate(lists.heads) if head and i not in reasons)
    opening = range(min(next(heads, _OPENING_GROUPS), _MATTER_GROUPS, len(groups)))
    for index in (*opening, *lists.closing()):
        if index not in reasons and is_copyright(" ".join(lists.texts[index].split())):
            reasons[index] = COPYRIGHT
    for order, beside in ((opening, -1), (opening[::-1], 1)):
        for index in order:
            known = index in reasons or reasons.get(index + beside) != COPYRIGHT
            if not known and is_imprint(lists.texts[index]):
                reasons[index] = COPYRIGHT
    return reasons if len(reasons) < len(groups) else {}


def note_label(text: str) -> str | None:
    """What marks the note that a paragraph is, such as "1" in "[Footnote 1: …]"; None if none."""
    found = _FOOTNOTE.match(text)
    return None if found is None else found["label"] or ""


def titles_in(source: str, groups: Sequence[Group], aside: Mapping[int, str]) -> frozenset[str]:
    """The titles that the contents of a text list, as keys to find them again."""
    contents = (groups[index] for index, reason in aside.items() if reason == CONTENTS)
    lines = (line for group in contents for line in group.text(source).split("\n"))
    return frozenset(key for line in lines if not is_contents(line) for key in _names(line))


def split_headings(
    source: str, groups: Sequence[Group], titles: frozenset[str] = frozenset()
) -> list[tuple[Group, Heading | None]]:
    """Each group and the heading it is, titles joined to their numbers; None for text.

    `titles` are the keys of what the contents list: where such a line stands alone, it is one.
    """
    parts = [part for group in groups for part in _first_line_apart(source, group)]
    found = [_short_heading(source, part) for part in parts]
    _keep_sequence(found)
    _name_by_contents(source, parts, found, titles)
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


def _name_by_contents(
    source: str, parts: Sequence[Group], found: list[Heading | None], titles: frozenset[str]
) -> None:
    """Make headings of the first lines that the contents name, where no numbers tell chapters."""
    if not titles or any(head and head.kind is not HeadingKind.NAMED for head in found):
        return
    named: dict[str, int] = {}
    for index, part in enumerate(parts):
        if len(part.lines) <= 2 and found[index] is None:
            key = _key(part.text(source))
            if key in titles:
                named.setdefault(key, index)
    if len(named) >= _LEAST_TITLES:
        for key, index in named.items():
            found[index] = Heading(HeadingKind.NAMED, key, 0, "")


def _first_line_apart(source: str, group: Group) -> list[Group]:
    """A number right above its text, with no blank line between them, as a group of its own."""
    if len(group.lines) < 2 or _short_heading(source, group) is not None:
        return [group]
    first = heading_of(source[group.lines[0].start : group.lines[0].end])
    if first is None or first.kind is HeadingKind.NAMED:
        return [group]
    width = max(line.end - line.start for line in group.lines)
    if _begins_at_once(first, group.text(source).split("\n")[1:]):
        width *= 2  # however short the lines are
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
        told = first is not None and not first.title and not is_title(rest, centred=False)
        return None if told or _begins_at_once(first, rest) else heading
    return heading


def _begins_at_once(first: Heading | None, rest: Sequence[str]) -> bool:
    """Whether sentences stand right under "Chapter One: The Start", with no blank line between."""
    if first is None or first.kind is not HeadingKind.NUMBERED:
        return False
    text = " ".join(rest)
    words = re.findall(r"[^\W\d_]+", text)
    small = 2 * sum(map(str.islower, words)) >= len(words)
    sentence = text[:1].isupper() and text[-1:] in ".!?" and small
    return is_title([first.title], centred=False) and (
        sentence or _SENTENCES.search(text) is not None
    )


def _keep_sequence(found: list[Heading | None]) -> None:
    """Let a bare number be a heading only where it counts on: 1, 2, 3, or after "Adventure 7"."""
    numbered = any(head is not None and head.kind is HeadingKind.NUMBERED for head in found)
    bare = [index for index, head in enumerate(found) if head and head.kind is HeadingKind.BARE]
    last, repeated = 0, ""
    listed = [index for index in bare if any(found[index + 1 : index + 2])]
    if 2 * len(listed) >= len(bare) > 1:  # with no text between them: the items of a list
        for index in bare:
            found[index] = None
        bare = []
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
        if (numbered and not head.title.isupper()) or not counts_on or (alone and not numbered):
            found[index] = None
        else:
            last = head.number


class _Lists:
    """Finds what only lists chapters, in one pass over the groups of a text."""

    def __init__(self, source: str, groups: Sequence[Group]) -> None:
        """Look every group up once: its key, how often that comes, and the heading it is."""
        self.groups = groups
        self.texts = [group.text(source) for group in groups]
        self.keys = [_key(text) for text in self.texts]
        self.counts = Counter(self.keys)
        self.heads = [heading_of(text) for text in self.texts]
        self.last = {label_of(head): i for i, head in enumerate(self.heads) if head is not None}

    def at(self, start: int) -> tuple[int, str]:
        """Where the list that begins at a group ends (`start` if none does), and what it is."""
        title = self.texts[start].partition("\n")[0]
        if len(title) > _ENTRY_CHARS:
            return start, ""
        if is_contents(title):
            return self._contents_end(start), CONTENTS
        if is_note(title):
            return self._note_end(start), TRANSCRIBER
        if is_index(title):
            return self._index_end(start), INDEX
        return self._run_end(start), CONTENTS

    def _contents_end(self, start: int) -> int:
        """Behind the entries under a title "Contents"; nothing is cut where there are none."""
        if "\n" in self.texts[start]:
            return start + 1
        end = start + 1
        entries: set[str] = set()
        paged = True
        while end < len(self.texts) and self._is_entry(end):
            if end > start + 2 and paged and not (self._paged(end) or self._paged(end + 1)):
                break
            paged = paged and (self._paged(end) or self.keys[end] in _COLUMN_HEADS)
            ends_list = end + 1 == len(self.texts) or not self._is_entry(end + 1)
            if self.keys[end] in entries and (ends_list or self.keys[end] == self.keys[start + 1]):
                break
            entries.add(self.keys[end])
            end += 1
        return end if end > start + 1 else start

    def _is_entry(self, index: int) -> bool:
        text, key = self.texts[index], self.keys[index]
        lines = text.split("\n")
        short = len(lines) <= 2 and len(text) <= _ENTRY_CHARS
        again = key and self.counts[key] > 1
        if short and (self.heads[index] is not None or again or key in _COLUMN_HEADS):
            return True
        listed = sum(
            _PAGE.search(line) is not None
            or heading_of(line) is not None
            or any(self.counts[name] > (name == key) for name in _names(line))
            for line in lines
        )
        return 2 * listed > len(lines)

    def _paged(self, index: int) -> bool:
        """Whether a group ends in a page, as entries of printed contents do."""
        if index >= len(self.texts) or _LOOSE_PAGE.search(self.texts[index]) is None:
            return False
        head = self.heads[index]
        return head is None or bool(head.title)  # "Chapter 1" ends in its own number

    def shut(self, start: int) -> int:
        """Behind the group in which the bracket of a note is shut; behind the first if in none."""
        ends = (i for i in range(start, start + _NOTE_GROUPS) if self.texts[i : i + 1])
        return next((i + 1 for i in ends if self.texts[i].rstrip().endswith("]")), start + 1)

    def closing(self) -> range:
        """The groups at the end among which a copyright may stand."""
        return range(max(0, len(self.texts) - _MATTER_GROUPS // 4), len(self.texts))

    def _index_end(self, start: int) -> int:
        """Behind an index, the rest of the text; none where few lines end in pages."""
        lines = [line for text in self.texts[start + 1 :] for line in text.split("\n")]
        entries = sum(map(is_index_entry, lines))
        enough = entries >= max(_MIN_INDEX, _INDEX_SHARE * len(lines))
        return len(self.texts) if enough else start

    def _note_end(self, start: int) -> int:
        """Behind a note's title and its paragraphs, up to a heading or a wide gap."""
        end = start + 1
        while end < len(self.groups) and self.heads[end] is None:
            if end > start + 1 and self.groups[end].gap >= _WIDE_GAP:
                break
            end += 1
        return end

    def _run_end(self, start: int) -> int:
        """Behind a run of headings with no text between them that all come again later."""
        if start and self.heads[start - 1] is not None:
            return start  # inside a run that was looked at as a whole
        labels: set[tuple[str, int]] = set()
        end = start
        while end < len(self.texts):
            head = self.heads[end]
            if head is None or head.kind is not HeadingKind.NUMBERED or label_of(head) in labels:
                break
            labels.add(label_of(head))
            end += 1
        again = all(self.last[label] >= end for label in labels)
        return end if again and len(labels) >= _MIN_LIST else start


def _names(line: str) -> frozenset[str]:
    """The keys under which the chapter that an entry of the contents names may begin."""
    bare = _LOOSE_PAGE.sub("", line.strip())
    head = heading_of(bare)
    titles = (line, bare, "" if head is None else head.title)
    return frozenset(filter(None, map(_key, titles)))


def _key(text: str) -> str:
    """A heading without case, punctuation and page number, to find it again."""
    if len(text) > _ENTRY_CHARS:
        return ""
    return "".join(re.findall(r"[^\W_]+", _PAGE.sub("", text).casefold()))
