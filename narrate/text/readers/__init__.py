"""The table of readers: a file's ending chooses the one that turns it into a `Document`."""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from narrate.core import Document
from narrate.errors import InputError
from narrate.text.readers import docx, epub, html, md, pdf, txt

__all__ = ["MAX_FILE_BYTES", "READERS", "SUPPORTED", "Reader", "read"]

Reader = Callable[[bytes, Path], Document]

READERS: Mapping[str, Reader] = MappingProxyType(
    {
        ".txt": txt.read,
        ".text": txt.read,
        ".md": md.read,
        ".markdown": md.read,
        ".docx": docx.read,
        ".epub": epub.read,
        ".pdf": pdf.read,
        ".html": html.read,
        ".htm": html.read,
        ".xhtml": html.read,
    }
)
SUPPORTED = tuple(sorted(READERS))

MAX_FILE_BYTES = 24 * 2**20  # some forty novels; a plan holds up to sixteen bytes for each of these
MAX_PACKED_BYTES = 160 * 2**20  # pictures and fonts are most of it, and are not unpacked
_PACKED = frozenset([".docx", ".epub", ".pdf"])


def read(path: Path) -> Document:
    """Read a document with the reader its ending names.

    Raises `InputError` where there is no file, no permission, no reader, or no word in it.
    """
    reader = READERS.get(path.suffix.lower())
    most = MAX_PACKED_BYTES if path.suffix.lower() in _PACKED else MAX_FILE_BYTES
    data = _bytes_of(path, 0 if reader is None else most)
    if reader is None:
        raise InputError(
            f"no reader for {path.suffix or 'a file without an ending'}",
            where=str(path),
            remedy=f"the endings that can be read are {', '.join(SUPPORTED)}",
        )
    document = reader(data, path)
    texts = (block.text for chapter in document.chapters for block in chapter.blocks)
    if not any(char.isalnum() for text in texts for char in text):
        raise InputError(
            "the document holds no words to speak",
            where=str(path),
            remedy="give a document with text in it",
        )
    return document


def _bytes_of(path: Path, most: int) -> bytes:
    """The file's content, empty where nothing of it is wanted, and it will be refused anyway."""
    try:
        info = path.stat()
        if stat.S_ISDIR(info.st_mode):
            raise InputError(
                "this is a folder, not a document",
                where=str(path),
                remedy="name one file in it",
            )
        if not stat.S_ISREG(info.st_mode):
            raise InputError(
                "this is not an ordinary file",
                where=str(path),
                remedy="save the text to a file and name that",
            )
        if not most:
            return b""
        if info.st_size > most:
            raise InputError(
                f"the file has {info.st_size / 2**20:.0f} MB, "
                f"more than the {most // 2**20} MB that are read at once",
                where=str(path),
                remedy="split it into parts and narrate them one by one",
            )
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(
            "no such file", where=str(path), remedy="check the name and the folder"
        ) from error
    except PermissionError as error:
        raise InputError(
            "the file may not be read",
            where=str(path),
            remedy="give yourself read permission, for example with chmod u+r",
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(
            f"the file cannot be read: {error}",
            where=str(path),
            remedy="check the disk and the name",
        ) from error
    if not data:
        raise InputError(
            "the file is empty", where=str(path), remedy="give a document with text in it"
        )
    return data
