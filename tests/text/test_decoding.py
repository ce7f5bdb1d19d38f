"""Bytes become text, or an error that says what is wrong with them."""

from __future__ import annotations

import codecs
import random

import pytest

from narrate.errors import InputError
from narrate.text.decoding import decode

TEXT = "Größe, naïve, “quoted” — the café’s door.\r\nA second line.\n"


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (b"", "utf-16-le"),
        (b"", "utf-16-be"),
        (b"", "cp1252"),
    ],
)
def test_western_text_survives_every_encoding(mark: bytes, encoding: str) -> None:
    assert decode(mark + TEXT.encode(encoding), "x") == TEXT


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("shift_jis", "山路を登りながら、こう考えた。智に働けば角が立つ。情に棹させば流される。"),
        ("euc_jp", "山路を登りながら、こう考えた。智に働けば角が立つ。情に棹させば流される。"),
        ("gb18030", "道可道，非常道。名可名，非常名。无名天地之始，有名万物之母。"),
        ("big5", "道可道，非常道。名可名，非常名。無名天地之始，有名萬物之母。"),
        ("cp1251", "Все счастливые семьи похожи друг на друга, каждая несчастна по-своему. " * 3),
    ],
)
def test_other_scripts_are_told_by_a_sample(encoding: str, text: str) -> None:
    assert decode((text * 3).encode(encoding), "x") == text * 3


def test_a_byte_order_mark_that_lies_is_an_error() -> None:
    with pytest.raises(InputError, match="UTF-8"):
        decode(codecs.BOM_UTF8 + b"caf\xe9", "x")


def test_utf8_with_a_few_damaged_bytes_keeps_both_kinds_of_text() -> None:
    good = "Über allen Gipfeln ist Ruh, süße Wärme, größer. "
    assert decode(good.encode() * 3 + "für".encode("cp1252"), "x") == good * 3 + "für"


def test_a_few_zero_bytes_do_not_make_a_text_binary() -> None:
    assert decode(b"One word.\0 Another word.\n" + b"More of it. " * 50, "x").count("\0") == 1


@pytest.mark.parametrize("data", [bytes(range(256)) * 8, b"\x7fELF\0\0\0\x01\0\0" * 40])
def test_binary_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="binary"):
        decode(data, "x")


def test_random_bytes_never_raise_anything_but_input_errors() -> None:
    chance = random.Random(7)
    for length in (1, 2, 3, 50, 3000):
        for _ in range(20):
            data = chance.randbytes(length)
            try:
                decode(data, "x")
            except InputError as error:
                assert error.remedy


@pytest.mark.parametrize("data", [b" \r\n\t ", codecs.BOM_UTF8, codecs.BOM_UTF16_LE])
def test_white_space_alone_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="white space"):
        decode(data, "x")
