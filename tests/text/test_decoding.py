"""Bytes become text, or an error that says what is wrong with them."""

from __future__ import annotations

import codecs
import random

import pytest

from narrate.errors import InputError
from narrate.text.decoding import decode, decoded

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


SAMPLES = {
    "en": "Alice was beginning to get very tired of sitting by her sister on the bank.\n" * 6,
    "de": "Als Gregor Samsa eines Morgens aus unruhigen Träumen erwachte, fand er sich dünn.\n" * 6,
    "fr": "« Où êtes-vous allé ? » demanda-t-il à sa sœur. L’été, après le dîner, ça brûla…\n" * 6,
    "es": "—¿Qué quieres, muchacho? —preguntó el señor Muñoz. ¡Nada! El niño corrió allí.\n" * 6,
    "ru": "Все счастливые семьи похожи друг на друга. Все смешалось в доме Облонских.\n" * 6,
    "ja": "山路を登りながら、こう考えた。智に働けば角が立つ。情に棹させば流される。\n" * 6,
    "zh": "幸福的家庭都是相似的，不幸的家庭各有各的不幸。奥布隆斯基家里一切都混乱了。\n" * 6,
    "tw": "此開卷第一回也。作者自云：因曾歷過一番夢幻之後，故將真事隱去。\n" * 6,
    "ko": "행복한 가정은 모두 비슷하지만, 불행한 가정은 저마다 다른 이유로 불행하다.\n" * 6,
}
WIDE = ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]
NARROW = {
    "en": ["ascii", "latin-1", "cp1252"],
    "de": ["latin-1", "cp1252"],
    "fr": ["cp1252"],
    "es": ["cp1252"],
    "ru": ["cp1251", "koi8-r", "iso8859-5", "cp866"],
    "ja": ["shift_jis", "cp932", "euc_jp", "iso2022_jp"],
    "zh": ["gb18030", "gbk"],
    "tw": ["big5", "gb18030"],
    "ko": ["euc_kr", "cp949"],
}
MARKED = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_script_survives_every_encoding_that_holds_it(name: str, line_end: str) -> None:
    text = SAMPLES[name].replace("\n", line_end)
    for encoding in [*WIDE, *NARROW[name]]:
        assert decode(text.encode(encoding), "x") == text, encoding
    for encoding, mark in MARKED.items():
        assert decode(mark + text.encode(encoding), "x") == text, encoding


def test_latin_9_is_told_by_its_ligature() -> None:
    assert decode("Ma sœur a bon cœur, déjà.".encode("iso8859-15"), "x") == (
        "Ma sœur a bon cœur, déjà."
    )


def test_mixed_damage_is_said_and_counted() -> None:
    found = decoded(TEXT.encode() * 9 + "Größe".encode("cp1252") + "\ufffd".encode(), "x")
    assert found.text == TEXT * 9 + "Größe\ufffd"
    assert found.notes == (
        "2 bytes are not UTF-8; they were read as Windows-1252",
        "1 characters are marked as lost (U+FFFD)",
    )
    assert decoded(TEXT.encode(), "x").notes == ()


def test_a_few_words_of_japanese_are_not_taken_for_korean() -> None:
    text = "山路を登りながら、こう考えた。"
    assert decoded(text.encode("euc_jp"), "x").text == text


def test_as_much_damage_as_letters_leaves_the_letters_alone() -> None:
    data = "Café is good. ".encode() + "Café is bad.".encode("latin-1")
    assert decode(data, "x") == "Café is good. Café is bad."
