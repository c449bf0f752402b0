"""Rules about the text of a prompt clip: whether there is one, its form, and whether it matches a transcript."""

from __future__ import annotations

import textwrap
import unicodedata
from typing import TYPE_CHECKING, Final

from preflight.display.text import number_beside
from preflight.rules.model import Rule, Threshold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.analysis.analysis import Analysis
    from preflight.report import Finding


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


_MAX_SHOWN: Final = 300
"""Characters; eight seconds of speech have fewer."""
_MAX_LENGTH: Final = 2000
"""Characters; the text of an eight-second clip is far shorter."""
_MARKS: Final = ".?!\u3002\uff1f\uff01\u2026"
_MAY_FOLLOW: Final = "\"'\u2019\u201d\u00bb\u300d\u300f\u3011\u300b\uff09)]}"


def problem_of_text(text: str) -> str | None:
    """Return why the endpoint would reject `text` for a prompt clip, as the end of "the prompt text …"; None if not.

    `prompt-text-missing` covers an empty text. `client` checks the same before it sends a request; a test compares
    the two.
    """
    if len(text) > _MAX_LENGTH:
        return f"has {len(text)} characters, above the maximum of {_MAX_LENGTH}: shorten it"
    if control := next((letter for letter in text if unicodedata.category(letter) in ("Cc", "Cs")), ""):
        return f"contains the control character U+{ord(control):04X}: remove it"
    if not text.rstrip().rstrip(_MAY_FOLLOW).endswith(tuple(_MARKS)):
        return f"must end with punctuation, one of {' '.join(_MARKS)}"
    return None


def _missing(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    if analysis.role == "prompt" and not (analysis.prompt_text or "").strip():
        yield rule.finding("no text for the prompt clip: give the spoken words with --prompt-text")


def _unfit(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    text = analysis.prompt_text or ""
    if analysis.role == "prompt" and text.strip() and (problem := problem_of_text(text)):
        yield rule.finding(f"the prompt text {problem}")


def _differs(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    comparison, limit = analysis.comparison, rule["min_agreement"]
    if analysis.role != "prompt" or comparison is None:
        return
    transcript = f'"{textwrap.shorten(comparison.transcript, _MAX_SHOWN, placeholder=" …")}"'
    if comparison.agreement is None:
        supported = language_name(comparison.language)
        yield rule.finding(
            f"the prompt text cannot be compared with the transcript: the speech model supports {supported}, and "
            f"transcribed {transcript}: compare them yourself",
            limit=limit,
        )
    elif comparison.agreement < limit:
        found = (
            f"the speech model transcribed {transcript}" if comparison.transcript else "the speech model found no words"
        )
        yield rule.finding(
            f"the agreement of prompt text and transcript is {number_beside(comparison.agreement, limit, 2)}, below "
            f"{limit:g} ({found}): correct the text, or choose another clip",
            value=comparison.agreement,
            limit=limit,
        )


PROMPT_TEXT_MISSING = Rule(
    "prompt-text-missing",
    "error",
    what="The prompt clip has no text.",
    why="The service requires both the clip and its text, or neither.",
    source="The clone endpoint's parameter table: clone_prompt.",
    fix_hint="Give the exact words with --prompt-text, ending with punctuation.",
    judge=_missing,
    label="no text for the prompt clip",
    is_contract=True,
)
PROMPT_TEXT_UNFIT = Rule(
    "prompt-text-unfit",
    "error",
    what="The service does not accept the form of the prompt text.",
    why="It rejects text without final punctuation or with characters that cannot be read aloud (codes 1042, 2013).",
    source="The clone endpoint's parameter table: clone_prompt.prompt_text; reported error codes.",
    fix_hint="Write exactly what is said in the clip, with the punctuation that ends the sentence.",
    judge=_unfit,
    label="unsuitable prompt text",
    is_contract=True,
)
PROMPT_TEXT_DIFFERS = Rule(
    "prompt-text-differs",
    "warning",
    what="The prompt text differs from what a speech model transcribes.",
    why="The service compares them as well, and rejects the call if they differ (codes 1043 and 1044).",
    source="The clone endpoint's parameter table: accuracy. Checked only with --speech-model.",
    fix_hint="Listen to the clip and write down every word. Small models and models for other languages make mistakes.",
    judge=_differs,
    label="prompt text and clip differ",
    thresholds=(Threshold("min_agreement", 0.7, "The service's default for accuracy; --accuracy replaces it."),),
)
