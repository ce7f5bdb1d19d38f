"""The language of a document: declared, by script, by its words, in doubt by a model."""

from __future__ import annotations

import pytest

from narrate.text.language import language_of, tag_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The dog ran over the hill and was gone before the night came.", "en"),
        ("Der Hund lief über den Hügel und war vor der Nacht verschwunden.", "de"),
        ("Le chien courait sur la colline et il a disparu avant la nuit.", "fr"),
        ("El perro corrió por la colina y desapareció antes de la noche.", "es"),
        ("Il cane corse sulla collina e sparì prima che venisse la notte.", "it"),
        ("O cão correu pela colina e não voltou antes da noite chegar.", "pt"),
        ("Собака побежала по холму и исчезла ещё до наступления ночи.", "ru"),
        ("Собака побігла пагорбом і зникла ще до того, як настала ніч.", "uk"),
        ("狗跑过山丘，在夜晚来临之前就不见了。", "zh"),
        ("犬は丘を越えて走り、夜になる前にいなくなった。", "ja"),
        ("개가 언덕을 넘어 달려가더니 밤이 오기 전에 사라졌다.", "ko"),
        ("ركض الكلب فوق التل واختفى قبل حلول الليل.", "ar"),
        ("De hond rende over de heuvel en was voor de nacht verdwenen.", "nl"),
        ("OK", "en"),
        ("12 34 56", "en"),
    ],
)
def test_the_language_of_one_sentence_is_told(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    ("declared", "tag"),
    [("en-US", "en"), ("ja_JP", "ja"), ("eng", "en"), ("ZH-Hant", "zh"), ("und", ""), ("", "")],
)
def test_a_declared_language_is_reduced_to_its_primary_subtag(declared: str, tag: str) -> None:
    assert tag_of(declared) == tag


def test_what_the_document_declares_counts_more_than_its_words() -> None:
    assert language_of("The dog ran over the hill.", "de-AT") == "de"
