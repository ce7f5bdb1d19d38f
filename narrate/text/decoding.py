"""Bytes to text: byte order mark, UTF-8, UTF-16 by its zero bytes, a guess, cp1252.

A guess is made from a sample, and then the whole file is decoded strictly: what comes out is
either the text or an error, never text with holes. The byte order mark is not part of the text;
everything else is, line ends included, so offsets count the file's own characters.
"""

from __future__ import annotations

import codecs
import re

from narrate.errors import InputError

__all__ = ["decode"]

# Longer marks first: UTF-32's begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAMPLE_BYTES = 64 * 1024
_STRAY_SHARE = 0.002  # a text that a copy damaged has fewer zero bytes than this, a program more
_CONTROL_SHARE = 0.02
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1a\x1b")) + b"\x7f"
# What a Western text in cp1252 uses above ASCII: its letters and its typography.
_WESTERN = frozenset(
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜßàáâãäåæçèéêëìíîïñòóôõöøùúûüÿŒœŸ¡¿«»‹›“”„‘’‚–—…§°£€©®™·ªº½¼¾ \xad"
)
_WESTERN_SHARE = 0.3  # Cyrillic or Chinese bytes are mostly above ASCII, accents are few
_REPAIRED = "narrate-cp1252"


def decode(data: bytes, where: str) -> str:
    """The text of a file; raises `InputError` where it is binary, undecodable or only space."""
    text = _decoded(data, where)
    if not text or text.isspace():
        raise InputError(
            "the file holds only white space",
            where=where,
            remedy="give a document with text in it",
        )
    return text


def _decoded(data: bytes, where: str) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            text = _strictly(data[len(mark) :], encoding)
            if text is None:
                raise InputError(
                    f"the file says it is {encoding.upper()} and is not",
                    where=where,
                    remedy="save it again as UTF-8",
                )
            return text
    if b"\0" in data:
        wide = _utf16(data)
        if wide is not None:
            return wide
        if data.count(b"\0") > max(2, len(data) * _STRAY_SHARE):
            raise _binary(where)
    text = _strictly(data, "utf-8")
    if text is None:
        text = _guessed(data)
    controls = sum(data.count(byte) for byte in _CONTROLS[1:])
    if text is None or controls > max(2, len(data) * _CONTROL_SHARE):
        raise _binary(where)
    return text


def _binary(where: str) -> InputError:
    return InputError(
        "the file is binary, or in an encoding that cannot be told",
        where=where,
        remedy="save it as plain text in UTF-8",
    )


def _strictly(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None


def _utf16(data: bytes) -> str | None:
    """The text, where all zero bytes stand on one side of each pair as UTF-16 puts them."""
    even, odd = data[0::2].count(0), data[1::2].count(0)
    if min(even, odd) > max(even, odd) * 0.02:
        return None
    encoding = "utf-16-le" if odd > even else "utf-16-be"
    if max(even, odd) < len(data) * 0.2 and _strictly(data, "utf-8") is not None:
        return None  # a few zero bytes in what is otherwise good UTF-8
    text = _strictly(data[: len(data) // 2 * 2], encoding)
    if text is None:
        return None
    sample = text[:4096]
    plain = sum(char.isalnum() or char.isspace() or char in ".,;:!?'\"-" for char in sample)
    return text if plain > len(sample) * 0.8 else None


def _guessed(data: bytes) -> str | None:
    repaired = _repaired_utf8(data)
    if repaired is not None:
        return repaired
    western = _strictly(data, "cp1252")
    high = re.sub(rb"[\x00-\x7f]+", b"", data)
    if western is not None and len(high) <= len(data) * _WESTERN_SHARE:
        signs = set(high.decode("cp1252"))
        if signs <= _WESTERN:
            return western
    # Imported here: its tables cost 50 ms that a file in UTF-8 never needs.
    from charset_normalizer import from_bytes

    best = from_bytes(_sample(data)).best()
    guess = None if best is None else _strictly(data, best.encoding)
    return western if guess is None else guess


def _sample(data: bytes) -> bytes:
    """A stretch of the file that holds bytes above ASCII: the rest says nothing of encodings."""
    found = re.search(rb"[\x80-\xff]", data)
    start = max(0, (found.start() if found else 0) - 1024)
    start = data.rfind(b"\n", 0, start) + 1 if start else 0
    return data[start : start + _SAMPLE_BYTES]


def _repaired_utf8(data: bytes) -> str | None:
    """UTF-8 in which a few stretches were pasted in cp1252, as mixed files have them."""
    text = data.decode("utf-8", errors=_REPAIRED)
    damaged = sum(len(bad) for bad in _bad_runs(data))
    accented = sum(text.count(char) for char in set(text) if ord(char) > 0x7F) - damaged
    return text if accented >= 4 * damaged else None


def _bad_runs(data: bytes) -> list[bytes]:
    kept = data.decode("utf-8", errors="surrogateescape")
    return [run.encode("utf-8", "surrogateescape") for run in re.findall("[\udc80-\udcff]+", kept)]


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    bad = error.object[error.start : error.end]
    return bad.decode("cp1252", errors="replace"), error.end


codecs.register_error(_REPAIRED, _as_cp1252)
