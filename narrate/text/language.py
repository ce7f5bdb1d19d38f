"""Which language a document is in, as an ISO 639-1 code."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["language_of", "named"]

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


def named(name: str) -> str:
    """The code of a language by its English name, empty where it is unknown."""
    return _NAMES.get(name.strip().lower(), "")


def language_of(text: str, declared: str = "") -> str:
    """What the document declares, else what its script and little words say, else English."""
    if declared:
        return declared
    sample = text[:_SAMPLE_CHARS]
    letters = sum(map(str.isalpha, sample)) or 1
    for code, script in _SCRIPTS:
        if len(script.findall(sample)) > letters * _SCRIPT_SHARE:
            return code
    words = Counter(re.findall(r"[^\W\d_]+", sample.lower()))
    scores = {code: sum(words[word] for word in little.split()) for code, little in _WORDS.items()}
    best = max(scores, key=lambda code: (scores[code], code == "en"))
    return best if scores[best] > 1.2 * scores["en"] else "en"
