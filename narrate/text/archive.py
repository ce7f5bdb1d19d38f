"""Zip archives of documents, read in memory and within bounds; nothing is ever unpacked to disk."""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from collections.abc import Iterable
from urllib.parse import unquote

from lxml import etree

from narrate.errors import InputError

__all__ = ["MAX_TAGS", "Archive"]

MAX_PART_BYTES = 24 * 2**20
MAX_ALL_BYTES = 64 * 2**20
MAX_PARTS = 20_000
MAX_TAGS = 1_500_000  # an element takes a few hundred bytes in memory
_BROKEN = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError,
    ValueError, KeyError,
)  # fmt: skip


class Archive:
    """The parts of a zip archive by name; missing parts are empty, damaged ones an error."""

    def __init__(self, data: bytes, where: str, kind: str) -> None:
        """Open an archive; InputError where it is none, or has too many parts."""
        self.where = where
        self.kind = kind
        self._left = MAX_ALL_BYTES
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
            infos = self._zip.infolist()
        except _BROKEN as error:
            raise self.refusal(f"this is no {kind}: the archive is damaged or cut short") from error
        if len(infos) > MAX_PARTS:
            raise self.refusal(f"the archive has {len(infos):,} parts, more than a book has")
        self._infos = {posixpath.normpath(info.filename): info for info in infos}

    def refusal(self, what: str) -> InputError:
        """The error that says what is wrong with this archive."""
        return InputError(
            what, where=self.where, remedy=f"get the {self.kind} again, or convert it to plain text"
        )

    def __contains__(self, name: str) -> bool:
        return posixpath.normpath(name) in self._infos

    def part_size(self, name: str) -> int:
        """How long a part says it is, 0 where it is missing."""
        info = self._infos.get(posixpath.normpath(name))
        return 0 if info is None else info.file_size

    def demand(self, names: Iterable[str]) -> None:
        """Refuse at once what says itself that its parts are more than can be read."""
        sizes = [self.part_size(name) for name in names]
        if max(sizes, default=0) > MAX_PART_BYTES or sum(sizes) > MAX_ALL_BYTES:
            raise self.refusal("its pages unpack to more than a book holds")

    def first_ending(self, ending: str) -> str:
        """The first part whose name ends so, empty where there is none."""
        return next((name for name in self._infos if name.lower().endswith(ending)), "")

    def part(self, name: str) -> bytes:
        """A part's content, empty where it is missing; InputError where it is damaged or huge."""
        info = self._infos.get(posixpath.normpath(name))
        if info is None:
            return b""
        if info.flag_bits & 1:
            raise self.refusal("the book is encrypted")
        try:
            with self._zip.open(info) as file:
                data = file.read(min(MAX_PART_BYTES, self._left) + 1)
        except _BROKEN as error:
            raise self.refusal(f"{info.filename[:80]} in it is damaged") from error
        if len(data) > min(MAX_PART_BYTES, self._left):
            raise self.refusal(f"{info.filename[:80]} unpacks to more than a book holds")
        self._left -= len(data)
        return data

    def xml(self, name: str) -> etree._Element | None:
        """A part as XML, recovered where it is broken, without entities and without network."""
        parser = etree.XMLParser(
            resolve_entities=False, no_network=True, recover=True, load_dtd=False, huge_tree=True
        )
        data = self.part(name)
        if data.count(b"<") > MAX_TAGS:
            raise self.refusal(f"{name[:80]} in it has more tags than a book has")
        try:
            root = etree.fromstring(data, parser)
        except (etree.XMLSyntaxError, ValueError):
            return None
        # The parser would leave out what follows without a word.
        if any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log):
            raise self.refusal(f"{name[:80]} in it is nested deeper than any document is")
        return root

    @staticmethod
    def resolved(base: str, href: str) -> str:
        """The name of the part that a reference in another part means, its fragment cut off."""
        target = unquote(href.partition("#")[0])
        return posixpath.normpath(posixpath.join(posixpath.dirname(base), target))
