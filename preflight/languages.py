"""Languages by their codes, as a person calls them."""

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
    """What `code` stands for; the code itself where that is not known."""
    return _NAMES.get(code, code)
