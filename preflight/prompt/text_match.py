"""Compare a prompt text with what a speech model recognized, in any script and regardless of punctuation."""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import Final

_SCRIPTS: Final = {"HIRAGANA": "CJK", "KATAKANA": "CJK", "KATAKANA-HIRAGANA": "CJK", "IDEOGRAPHIC": "CJK"}
"""Scripts that are mixed in one text, such as kana and Han characters, count as one."""
_KEPT_CATEGORIES: Final = "LNM"
"""Unicode categories of letters, numbers and marks."""


def agreement(text: str, recognized: str) -> float | None:
    """Return how well two texts agree: 1 minus the number of edits divided by the length of the longer text.

    Characters are compared instead of words, so that it works for scripts without spaces: Levenshtein, "Binary codes
    capable of correcting deletions, insertions and reversals", 1966. Both texts are normalized (NFKC, Unicode UAX #15)
    and case-folded first, and only letters, marks and numbers are kept.

    Args:
        text: The expected text.
        recognized: The text that was recognized.

    Returns:
        From 0 to 1, rounded to three digits; None if the texts are written in different scripts.
    """
    from rapidfuzz.distance import Levenshtein

    expected, found = _normalized(text), _normalized(recognized)
    if not found:
        return 0.0
    if _script(expected) != _script(found):
        return None
    return round(Levenshtein.normalized_similarity(expected, found), 3)


def _normalized(text: str) -> str:
    # case folding can undo the normalization, so it is applied again (Unicode 3.13, D146)
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(letter for letter in folded if unicodedata.category(letter)[0] in _KEPT_CATEGORIES)


def _script(text: str) -> str | None:
    """Return the script of most letters, the first word of their Unicode names; None if there are no letters."""
    found: Counter[str] = Counter()
    for letter in text:
        if letter.isalpha():
            first = unicodedata.name(letter, "UNKNOWN").split()[0]
            found[_SCRIPTS.get(first, first)] += 1
    return found.most_common(1)[0][0] if found else None
