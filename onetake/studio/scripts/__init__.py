"""Texts to read aloud, one TOML file for each language.

Each opens with the sentence of consent, has statements, questions and exclamations, and contains one marked sentence
that is long enough for a prompt clip: its text is then known exactly, without a speech model.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Final, Literal

import msgspec

from onetake.errors import UsageError

LANGUAGES: Final = ("en", "zh", "de", "es", "fr", "ja")
"""Codes of ISO 639-1, in the order of the page."""


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A text to read.

    Attributes:
        name: The language in its own words.
        unit: What is counted for the pace: words, or characters in Chinese and Japanese.
        per_minute: Units per minute at a natural pace: 70 to 90 % of the fastest speed at which adults read aloud
            (International Reading Speed Texts, 2012: 228 words in English, 255 characters in Chinese).
        consent: The sentence of consent; ``{name}`` is the speaker's name.
        before: Sentences before the marked one.
        marked: The sentence for the prompt clip.
        after: Sentences after it.
    """

    name: str
    unit: Literal["word", "character"]
    per_minute: int
    consent: str
    before: tuple[str, ...]
    marked: str
    after: tuple[str, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """All sentences, in the order in which they are read."""
        return (self.consent, *self.before, self.marked, *self.after)

    def seconds(self, *sentences: str) -> float:
        """Return how long sentences take at a natural pace, without the pauses between them."""
        return 60 * sum(map(self._units, sentences)) / self.per_minute

    def _units(self, sentence: str) -> int:
        pattern = r"[^\W_]+(?:['\u2019-][^\W_]+)*" if self.unit == "word" else r"[^\W_]"
        return len(re.findall(pattern, sentence))


@cache
def script(language: str) -> Script:
    """Return the script of a language; raises `UsageError` if there is none."""
    if language not in LANGUAGES:
        raise UsageError(f"there is no script for {language!r}", f"the languages are {', '.join(LANGUAGES)}")
    content = files("onetake.studio.scripts").joinpath(f"{language}.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(content), Script)
