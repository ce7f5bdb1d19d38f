"""Where sentences end, in prose that was written to mislead."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from narrate.text.boundaries import rule_boundaries
from narrate.text.sentences import sentences


def split(text: str, language: str = "en") -> list[str]:
    return [text[start:end] for start, end in sentences(text, language)]


CASES = [
    "Mr. Bennet met Dr. Smith at 5 p.m. on Monday. | They talked.",
    "J. R. R. Tolkien wrote it. | So did C. S. Lewis.",
    "He lives in the U.S.A. with his wife. | The U.S. Navy came.",
    "It cost 3.14 dollars. | Version 2.0.1 is out. | See e.g. the book, i.e. this one.",
    "Visit https://example.com/a?b=c&d=e. | Then mail joe.doe@example.com. | Or not.",
    "Wait... what? | Well... | Yes… no. | “Really?” he said. | “Yes!” | She left.",
    "“I said ‘Go!’ and he went. | Then he said ‘No.’ | She cried.” | Unclosed “quote here. | So.",
    "He said (it was late. | Very late!) that he must go. | So do I. | He left.",
    "Oh! how glad I am. | What! are you mad? | No. 5 is alive. | He said no. | Yes.",
    "I met Gov. Brown on Jan. 5 with Sen. Green. | Then it ended.",
    "1. First thing. | 2. Second thing.",
    "`Well!' thought Alice. | `How brave they'll all think me at home!' | (Which was true.)",
    "He paid $5.20 for the 10,000-year-old bones. | All 1,234 men left at 10:30 a.m. | Then rain.",
    "She asked, \"Why?\" | \"Because,\" he said. | \"I must.\" | Then 'tis done.",
    "Was it he? | It was!! | No?! | Well.",
    "The cat 🐈 slept. | 🎉 Then a party!",
]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_english_sentences_end_where_a_reader_ends_them(case: str) -> None:
    assert " | ".join(split(case.replace(" | ", " "))) == case


@pytest.mark.parametrize(
    ("language", "case"),
    [
        ("de", "Am 3. Mai kam er z. B. nicht. | »Ja!« sagte sie. | Dr. Müller ging."),
        ("fr", "« Bonjour ! » dit-il. | « Ça va ? » | M. Dupont arriva. | Il partit."),
        ("es", "¿Qué? | ¡Vamos! | El Sr. García llegó."),
        ("ru", "Он пришёл. | Она ушла и т. д. в город. | Всё!"),
        ("pt", "Ele chegou. | O Sr. Silva saiu."),
    ],
)
def test_sentences_of_other_languages(language: str, case: str) -> None:
    assert " | ".join(split(case.replace(" | ", " "), language)) == case


@pytest.mark.parametrize("language", ["ja", "zh", "en"])
def test_eastern_sentences_need_no_space(language: str) -> None:
    text = "山路を登る。「行くか？」と言った。「はい。」終り！"
    assert split(text, language) == [
        "山路を登る。",
        "「行くか？」と言った。",
        "「はい。」",
        "終り！",
    ]


@pytest.mark.parametrize("sign", "♭∯ȸ☉☇☈☄☏☝♬☓ƪ♨✂⌂ᓴᓰ&")
def test_the_marks_that_pysbd_uses_inside_lose_nothing(sign: str) -> None:
    text = f"Mr. Smith hid a {sign} in it. Prof. Lee saw {sign}{sign}! He left it. A. B. too."
    parts = split(text)
    assert " ".join(parts) == text
    assert len(parts) == 4


def test_a_long_quotation_is_no_single_sentence() -> None:
    text = "“" + "I shall go to Mr. Bingley at once. " * 40 + "So I shall.”"
    assert max(map(len, split(text))) < 60


def test_no_cut_before_a_closing_mark() -> None:
    for part in split("(“He went.”) “[She stayed.]” ‘They left.’) And so. «Non.» Oui."):
        assert part[0] not in ")]”’»"


def test_long_walls_of_text_take_linear_time() -> None:
    began = time.perf_counter()
    for wall in ("word " * 40_000, "Mr. X e.g. " * 20_000, '"' * 200_000, "Yes! " * 40_000):
        split(wall)
    assert time.perf_counter() - began < 5


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from(list("aB1 .!?…。“”\"'()-:,;♭∯\n山»«")), max_size=80))
def test_sentences_cover_the_text_in_order(text: str) -> None:
    for language in ("en", "de", "ja"):
        spans = sentences(text, language)
        cursor = 0
        for start, end in spans:
            assert not text[cursor:start].strip()
            assert cursor <= start < end
            cursor = end
        assert not text[cursor:].strip()
        assert all(0 < end < len(text) for end in rule_boundaries(text, language))
