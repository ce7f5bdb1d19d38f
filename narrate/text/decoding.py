"""Bytes to text: byte order mark, UTF-8, UTF-16 and 32 by their zero bytes, a guess.

A guess is made from a sample, and then the whole file is decoded strictly: what comes out is
either the text or an error, never text with holes. The byte order mark is not part of the text;
everything else is, line ends included, so offsets count the file's own characters.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from dataclasses import dataclass
from functools import partial

from narrate.errors import InputError

__all__ = ["Decoded", "decode", "decoded"]

# Longer marks first: UTF-32's begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UTF16 = ("utf-16-le", "utf-16-be")
_SAMPLE_BYTES = 64 * 1024
_SAMPLE_CHARS = 16 * 1024
_WIDE_SHARE = 0.2  # Western text in UTF-16 is zero in half of its bytes
_USUAL_SHARE = 0.01  # of the characters are spaces, line ends and stops; by chance far fewer
_STRAY_SHARE = 0.002  # a text that a copy damaged has fewer zero bytes than this, a program more
_CONTROL_SHARE = 0.02
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1a\x1b")) + b"\x7f"
# What a Western text in cp1252 uses above ASCII: its letters and its typography.
_WESTERN = frozenset(
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜßàáâãäåæçèéêëìíîïñòóôõöøùúûüÿŒœŸ¡¿«»‹›“”„‘’‚–—…§°£€©®™·ªº½¼¾ \xad"
)
_WESTERN_SHARE = 0.3  # Cyrillic or Chinese bytes are mostly above ASCII, accents are few
_KANA = re.compile("[\u3041-\u30fe]")
_KANA_SHARE = 0.3
_OE = re.compile(r"[a-z]½[a-z]")  # cœur, its œ as Latin-9 writes it
_REPAIRED = "narrate-cp1252"


@dataclass(frozen=True, slots=True)
class Decoded:
    """A file's text, the encoding it was in, and how many of its bytes did not fit that."""

    text: str
    encoding: str
    repaired: int = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the text ought to be told: nothing, where all of it fits."""
        notes: list[str] = []
        if self.repaired:
            notes.append(
                f"{self.repaired:,} bytes are not {self.encoding.upper()}; "
                "they were read as Windows-1252"
            )
        lost = self.text.count("\ufffd")
        if lost:
            notes.append(f"{lost:,} characters are marked as lost (U+FFFD)")
        return tuple(notes)


def decode(data: bytes, where: str) -> str:
    """The text of a file; raises `InputError` where it is binary, undecodable or only space."""
    return decoded(data, where).text


def decoded(data: bytes, where: str) -> Decoded:
    """The text of a file and what was found out about it; raises as `decode` does."""
    found = _decoded(data, where)
    if not found.text or found.text.isspace():
        raise InputError(
            "the file holds only white space",
            where=where,
            remedy="give a document with text in it",
        )
    return found


def _decoded(data: bytes, where: str) -> Decoded:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            text = _strictly(data[len(mark) :], encoding)
            if text is None:
                raise InputError(
                    f"the file says it is {encoding.upper()} and is not",
                    where=where,
                    remedy="save it again as UTF-8",
                )
            return Decoded(text, encoding)
    if b"\0" in data:
        wide = _utf32(data) or _utf16(data)
        if wide is not None:
            return wide
        if data.count(b"\0") > max(2, len(data) * _STRAY_SHARE):
            raise _binary(where)
    found = _shifted(data) or _as(data, "utf-8") or _guessed(data)
    if found is None or _controls(data) > max(2, len(data) * _CONTROL_SHARE):
        raise _binary(where)
    return found


def _controls(data: bytes) -> int:
    """How many control characters that no text has, zero bytes aside."""
    return sum(data.count(byte) for byte in _CONTROLS[1:])


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


def _as(data: bytes, encoding: str) -> Decoded | None:
    text = _strictly(data, encoding)
    return None if text is None else Decoded(text, encoding)


def _utf32(data: bytes) -> Decoded | None:
    """UTF-32 without a mark: no other text has a zero byte in each group of four."""
    if len(data) % 4:
        return None
    return _as(data, "utf-32-le") or _as(data, "utf-32-be")


def _utf16(data: bytes) -> Decoded | None:
    """UTF-16 without a mark: the order of bytes in which spaces and stops are what they seem."""
    few = data.count(b"\0") < len(data) * _WIDE_SHARE
    if few and _controls(data) <= max(2, len(data) * _CONTROL_SHARE) and _as(data, "utf-8"):
        return None  # a few zero bytes in what is otherwise good UTF-8
    even = data[: len(data) // 2 * 2]
    found = [(_usual(one.text), one) for one in map(partial(_as, even), _UTF16) if one is not None]
    share, best = max(found, key=lambda pair: pair[0], default=(0.0, None))
    return best if share > _USUAL_SHARE else None


def _usual(text: str) -> float:
    """How often signs stand in a text that hardly any text is without, 0 where it cannot be one."""
    sample = text[:_SAMPLE_CHARS]
    strange = sum(unicodedata.category(char) in ("Cc", "Cn", "Co") for char in sample)
    strange -= sum(map(sample.count, "\t\n\v\f\r"))
    if strange > len(sample) * _CONTROL_SHARE:
        return 0.0
    return sum(map(sample.count, " \n\r.,。、，．　")) / max(1, len(sample))


def _shifted(data: bytes) -> Decoded | None:
    """ISO-2022-JP, which turns to Japanese by an escape sequence and is ASCII for the rest."""
    return _as(data, "iso2022_jp") if b"\x1b$" in data else None


def _guessed(data: bytes) -> Decoded | None:
    repaired = _repaired_utf8(data)
    if repaired is not None:
        return repaired
    western = _as(data, "cp1252")
    high = re.sub(rb"[\x00-\x7f]+", b"", data)
    if western is not None and len(high) <= len(data) * _WESTERN_SHARE:
        signs = set(high.decode("cp1252"))
        if signs <= _WESTERN:
            return _as(data, "iso8859-15") if _OE.search(western.text) else western
    japanese = _as(data, "euc_jp")
    if japanese is not None and _kana_share(japanese.text) > _KANA_SHARE:
        return japanese
    # Imported here: its tables cost 50 ms that a file in UTF-8 never needs.
    from charset_normalizer import from_bytes

    best = from_bytes(_sample(data)).best()
    guess = None if best is None else _as(data, best.encoding)
    return western if guess is None else guess


def _kana_share(text: str) -> float:
    """How much of what is not ASCII is kana: EUC-JP read from Chinese or Korean bytes has none."""
    high = re.sub(r"[\x00-\x7f]+", "", text[:_SAMPLE_CHARS])
    return len(_KANA.findall(high)) / max(1, len(high))


def _sample(data: bytes) -> bytes:
    """A stretch of the file that holds bytes above ASCII: the rest says nothing of encodings."""
    found = re.search(rb"[\x80-\xff]", data)
    start = max(0, (found.start() if found else 0) - 1024)
    start = data.rfind(b"\n", 0, start) + 1 if start else 0
    return data[start : start + _SAMPLE_BYTES]


def _repaired_utf8(data: bytes) -> Decoded | None:
    """UTF-8 in which stretches were pasted in cp1252, as mixed files have them.

    Letters of cp1252 next to each other are hardly ever good UTF-8.
    """
    text = data.decode("utf-8", errors=_REPAIRED)
    damaged = sum(len(bad) for bad in _bad_runs(data))
    accented = sum(text.count(char) for char in set(text) if ord(char) > 0x7F) - damaged
    return Decoded(text, "utf-8", damaged) if accented >= damaged else None


def _bad_runs(data: bytes) -> list[bytes]:
    kept = data.decode("utf-8", errors="surrogateescape")
    return [run.encode("utf-8", "surrogateescape") for run in re.findall("[\udc80-\udcff]+", kept)]


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    bad = error.object[error.start : error.end]
    return bad.decode("cp1252", errors="replace"), error.end


codecs.register_error(_REPAIRED, _as_cp1252)
