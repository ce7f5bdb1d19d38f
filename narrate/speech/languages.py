"""The languages of the preview voice, and which of espeak's voices speaks each."""

from __future__ import annotations

from collections.abc import Mapping

from narrate.errors import BackendError

__all__ = ["ESPEAK_VOICES", "espeak_voice"]

# Language tag -> espeak's voice. A path (in lower case) is loaded straight away; a bare name makes
# espeak read all its voices first, 1 ms an utterance, and is here only where the path has capitals.
ESPEAK_VOICES: Mapping[str, str] = {
    "af": "gmw/af",
    "am": "sem/am",
    "ar": "sem/ar",
    "az": "trk/az",
    "be": "zle/be",
    "bg": "zls/bg",
    "bn": "inc/bn",
    "bs": "zls/bs",
    "ca": "roa/ca",
    "cs": "zlw/cs",
    "cy": "cel/cy",
    "da": "gmq/da",
    "de": "gmw/de",
    "el": "grk/el",
    "en": "gmw/en",
    "en-us": "en-us",
    "eo": "art/eo",
    "es": "roa/es",
    "es-419": "roa/es-419",
    "et": "urj/et",
    "eu": "eu",
    "fa": "ira/fa",
    "fi": "urj/fi",
    "fr": "roa/fr",
    "ga": "cel/ga",
    "gd": "cel/gd",
    "grc": "grk/grc",
    "gu": "inc/gu",
    "he": "sem/he",
    "hi": "inc/hi",
    "hr": "zls/hr",
    "hu": "urj/hu",
    "hy": "ine/hy",
    "id": "poz/id",
    "is": "gmq/is",
    "it": "roa/it",
    "ja": "jpx/ja",
    "ka": "ccs/ka",
    "kk": "trk/kk",
    "kn": "dra/kn",
    "ko": "ko",
    "ky": "trk/ky",
    "la": "itc/la",
    "lb": "gmw/lb",
    "lt": "bat/lt",
    "lv": "bat/lv",
    "mi": "poz/mi",
    "mk": "zls/mk",
    "ml": "dra/ml",
    "mr": "inc/mr",
    "ms": "poz/ms",
    "mt": "sem/mt",
    "my": "sit/my",
    "nb": "gmq/nb",
    "ne": "inc/ne",
    "nl": "gmw/nl",
    "no": "gmq/nb",
    "pa": "inc/pa",
    "pl": "zlw/pl",
    "pt": "roa/pt",
    "pt-br": "pt-br",
    "ro": "roa/ro",
    "ru": "zle/ru",
    "sd": "inc/sd",
    "si": "inc/si",
    "sk": "zlw/sk",
    "sl": "zls/sl",
    "sq": "ine/sq",
    "sr": "zls/sr",
    "sv": "gmq/sv",
    "sw": "bnt/sw",
    "ta": "dra/ta",
    "te": "dra/te",
    "th": "tai/th",
    "tr": "trk/tr",
    "tt": "trk/tt",
    "uk": "zle/uk",
    "ur": "inc/ur",
    "uz": "trk/uz",
    "vi": "aav/vi",
    "yue": "sit/yue",
    "zh": "sit/cmn",
}

_ALIASES: Mapping[str, str] = {"cmn": "zh", "zh-hk": "yue", "nn": "nb", "iw": "he", "in": "id"}


def espeak_voice(language: str) -> str:
    """The voice for a BCP 47 tag: the most specific entry that fits (`pt-BR`, `de-AT`, `zh_Hans`).

    `BackendError` lists what can be spoken where nothing fits.
    """
    tag = language.strip().lower().replace("_", "-")
    parts = tag.split("-")
    for length in range(len(parts), 0, -1):
        candidate = "-".join(parts[:length])
        candidate = _ALIASES.get(candidate, candidate)
        if candidate in ESPEAK_VOICES:
            return ESPEAK_VOICES[candidate]
    raise BackendError(
        f"the preview voice does not speak {language!r}",
        where="--language",
        remedy=f"choose one of: {', '.join(sorted(ESPEAK_VOICES))}",
    )
