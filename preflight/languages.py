"""Names of languages by their ISO 639-1 codes."""

from __future__ import annotations

from typing import Final

_NAMES: Final = {
    "ar": "Arabic",
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "ja": "Japanese",
    "ko": "Korean",
    "tl": "Tagalog",
    "uk": "Ukrainian",
    "vi": "Vietnamese",
    "zh": "Chinese",
}


def language_name(code: str) -> str:
    """Return the English name of a language code, or the code itself if it is unknown.

    >>> language_name("de"), language_name("tlh")
    ('German', 'tlh')
    """
    return _NAMES.get(code, code)
