"""Which language a document is in, as an ISO 639-1 code.

What it declares counts, then its script, then its little words where they leave no doubt. Only
what is still open is asked of py3langid: loading its model takes most of a second.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Protocol

__all__ = ["language_of", "named", "tag_of"]

_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "english": "en", "german": "de", "french": "fr", "spanish": "es", "italian": "it",
        "portuguese": "pt", "russian": "ru", "chinese": "zh", "japanese": "ja", "korean": "ko",
        "dutch": "nl", "finnish": "fi", "swedish": "sv", "danish": "da", "norwegian": "no",
        "polish": "pl", "czech": "cs", "greek": "el", "hungarian": "hu", "latin": "la",
        "arabic": "ar", "hebrew": "he", "turkish": "tr", "catalan": "ca", "esperanto": "eo",
    }
)  # fmt: skip

_SCRIPTS = (
    ("ja", re.compile("[\u3040-\u30ff]")),
    ("ko", re.compile("[\uac00-\ud7af]")),
    ("zh", re.compile("[\u4e00-\u9fff]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("he", re.compile("[\u0590-\u05ff]")),
)
# Little words that are frequent in one of these languages and rare in the others.
_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "en": "the and of to that was with his her for not is it you",
        "de": "der die und das nicht ist den mit sich auf ein dem war es",
        "fr": "le les et des est dans une que pour qui il elle pas du",
        "es": "el los y las que por una con para como se su del lo",
        "it": "il che di e per non una con gli della sono era si lo",
        "pt": "o que e do da uma não com os para em no na mais ao",
    }
)
_SAMPLE_CHARS = 100_000
_SCRIPT_SHARE = 0.1
_SURE_SHARE = 0.12  # of all words are little words of the language they are written in
_SURE_WORDS = 60
_MODEL_CHARS = 20_000
# What py3langid may answer: what the voices speak, and neighbours that would be taken for it.
_SPOKEN = ("en", "de", "fr", "es", "it", "pt", "ru", "zh", "ja", "ko")
_NEIGHBOURS = (
    "nl", "da", "sv", "no", "fi", "pl", "cs", "sk", "hu", "ro", "ca", "el", "tr", "uk", "bg",
    "hr", "la", "eo", "vi", "hi", "fa",
)  # fmt: skip
_LEAST_SURE = 0.9
_LEAST_LETTERS = 20
_LONG_TAGS: Mapping[str, str] = MappingProxyType(
    {
        "eng": "en", "ger": "de", "deu": "de", "fre": "fr", "fra": "fr", "spa": "es", "ita": "it",
        "por": "pt", "rus": "ru", "chi": "zh", "zho": "zh", "cmn": "zh", "jpn": "ja", "kor": "ko",
        "dut": "nl", "nld": "nl", "ara": "ar", "heb": "he", "lat": "la", "pol": "pl", "iw": "he",
    }
)  # fmt: skip


class _Identifier(Protocol):
    def classify(self, text: str) -> tuple[str, float]: ...


def named(name: str) -> str:
    """The code of a language by its English name, empty where it is unknown."""
    return _NAMES.get(name.strip().lower(), "")


def tag_of(declared: str) -> str:
    """The primary subtag of a language tag such as `en-US`, empty where it says nothing."""
    primary = re.split("[-_]", declared.strip().lower())[0]
    primary = _LONG_TAGS.get(primary, primary)
    return primary if re.fullmatch("[a-z]{2}", primary) else ""


def language_of(text: str, declared: str = "") -> str:
    """What the document declares, else what its script and its words say, else English."""
    if tag_of(declared):
        return tag_of(declared)
    sample = text[:_SAMPLE_CHARS]
    letters = sum(map(str.isalpha, sample))
    for code, script in _SCRIPTS:
        if code != "ru" and len(script.findall(sample)) > (letters or 1) * _SCRIPT_SHARE:
            return code
    words = Counter(re.findall(r"[^\W\d_]+", sample.lower()))
    scores = {code: sum(words[word] for word in little.split()) for code, little in _WORDS.items()}
    best, second = sorted(scores, key=lambda code: -scores[code])[:2]
    sure = scores[best] > _SURE_SHARE * words.total() and scores[best] > 2 * scores[second]
    if sure and words.total() >= _SURE_WORDS:
        return best
    if letters < _LEAST_LETTERS:
        return "en"
    middle = max(0, (len(sample) - _MODEL_CHARS) // 2)
    code, certainty = _identifier().classify(sample[middle : middle + _MODEL_CHARS])
    if code in _NEIGHBOURS and certainty < _LEAST_SURE:
        code, certainty = _identifier(_SPOKEN).classify(sample[middle : middle + _MODEL_CHARS])
    return code if certainty > 0.5 else "en"


@lru_cache(maxsize=2)
def _identifier(codes: tuple[str, ...] = _SPOKEN + _NEIGHBOURS) -> _Identifier:
    # Imported here: its model takes most of a second to load.
    from py3langid import langid

    identifier: _Identifier = langid.LanguageIdentifier.from_model_file(
        langid.MODEL_FILE, norm_probs=True
    )
    identifier.set_languages(list(codes))  # type: ignore[attr-defined]
    return identifier
