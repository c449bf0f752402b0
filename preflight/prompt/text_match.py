"""How well two texts agree, whatever their punctuation, in any script."""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import Final

import msgspec

_SCRIPTS: Final = {"HIRAGANA": "CJK", "KATAKANA": "CJK", "KATAKANA-HIRAGANA": "CJK", "IDEOGRAPHIC": "CJK"}
"""What is written in one text with others, as kana with Han characters, counts as one script."""
_KEPT: Final = "LNM"
"""Letters, numbers, and the marks that belong to letters."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A text beside what a speech model heard.

    Attributes:
        heard: What was heard; empty where nothing was.
        agreement: From 0 to 1; None where the two are written in different scripts, so that nothing can be said.
        language: What the model knows, as a code, e.g. ``en``.
    """

    heard: str
    agreement: float | None
    language: str


def agreement(text: str, heard: str) -> float | None:
    """How well `heard` agrees with `text`: 1 less the edits between them over the length of the longer one.

    Characters are compared, not words, so that scripts without spaces are judged alike: Levenshtein, "Binary codes
    capable of correcting deletions, insertions and reversals", 1966. Before that both are put into the form NFKC of
    Unicode (UAX #15), case is folded, and all but letters, their marks and numbers is left out.

    Args:
        text: What should be said.
        heard: What was understood.

    Returns:
        From 0 to 1, rounded to a thousandth; None when the two are written in different scripts.
    """
    from rapidfuzz.distance import Levenshtein

    wanted, found = _bare(text), _bare(heard)
    if not found:
        return 0.0
    if _script(wanted) != _script(found):
        return None
    return round(Levenshtein.normalized_similarity(wanted, found), 3)


def _bare(text: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(letter for letter in folded if unicodedata.category(letter)[0] in _KEPT)


def _script(text: str) -> str | None:
    """The script of most letters, by the first word of their names; None where there are no letters."""
    found: Counter[str] = Counter()
    for letter in text:
        if letter.isalpha():
            first = unicodedata.name(letter, "UNKNOWN").split()[0]
            found[_SCRIPTS.get(first, first)] += 1
    return found.most_common(1)[0][0] if found else None
