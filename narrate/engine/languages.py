"""ISO language codes and the names that checkpoints give to languages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from narrate.errors import UsageError

__all__ = ["language_codes", "language_name"]

_NAMES: Mapping[str, str] = {
    "zh": "chinese",
    "cmn": "chinese",
    "de": "german",
    "en": "english",
    "es": "spanish",
    "fr": "french",
    "it": "italian",
    "ja": "japanese",
    "ko": "korean",
    "pt": "portuguese",
    "ru": "russian",
}
AUTO = "auto"


def language_name(code: str, known: Iterable[str]) -> str:
    """Name a checkpoint's language by ISO code (`en`, `en-GB`) or by its own name; `auto` stays.

    `UsageError` lists the languages of the checkpoint where it lacks this one.
    """
    names = {name.lower() for name in known}
    plain = code.strip().lower()
    primary = plain.replace("_", "-").partition("-")[0]
    name = plain if plain in names else _NAMES.get(primary, plain)
    if name in names or name == AUTO:
        return name
    raise UsageError(
        f"the model does not speak {code!r}",
        where="--language",
        remedy=f"choose one of: {', '.join(language_codes(names)) or 'none'}, or auto",
    )


def language_codes(known: Iterable[str]) -> tuple[str, ...]:
    """The ISO codes of a checkpoint's languages, sorted; a name without one stands for itself."""
    codes = {name: code for code, name in reversed(list(_NAMES.items()))}
    return tuple(sorted(codes.get(name, name) for name in known if "dialect" not in name))
