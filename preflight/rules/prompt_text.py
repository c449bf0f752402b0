"""Rules about the text of a prompt clip: its form, and, for those who had the clip heard, its words."""

from __future__ import annotations

import textwrap
import unicodedata
from typing import TYPE_CHECKING, Final

from preflight.languages import language_name
from preflight.rules.model import Rule, Subject, Threshold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.report import Finding

_LONGEST_SHOWN: Final = 300
"""Characters: eight seconds of speech have fewer."""
_LONGEST: Final = 2000
"""Characters; more is no text of a clip of eight seconds."""
_MARKS: Final = ".?!\u3002\uff1f\uff01\u2026"
_MAY_FOLLOW: Final = "\"'\u2019\u201d\u00bb\u300d\u300f\u3011\u300b\uff09)]}"


def problem_of_text(text: str) -> str | None:
    """Why the endpoint would not take `text` as that of a prompt clip, to be read after "its text"; None if it would.

    An empty text is what `prompt-text-missing` is about. The same is asked once more before anything is sent, by
    `client`, which knows no recordings; a test holds the two against each other.
    """
    if len(text) > _LONGEST:
        return f"has {len(text)} characters; at most {_LONGEST} are allowed"
    if control := next((letter for letter in text if unicodedata.category(letter) in ("Cc", "Cs")), ""):
        return f"holds the control character U+{ord(control):04X}: take it out"
    if not text.rstrip().rstrip(_MAY_FOLLOW).endswith(tuple(_MARKS)):
        return f"must end with punctuation, one of {' '.join(_MARKS)}"
    return None


def _unfit(rule: Rule, subject: Subject) -> Iterator[Finding]:
    text = subject.prompt_text or ""
    if subject.role == "prompt" and text.strip() and (problem := problem_of_text(text)):
        yield rule.finding(f"its text {problem}")


def _differs(rule: Rule, subject: Subject) -> Iterator[Finding]:
    comparison, limit = subject.comparison, rule["min_agreement"]
    if subject.role != "prompt" or comparison is None:
        return
    heard = f'"{textwrap.shorten(comparison.heard, _LONGEST_SHOWN, placeholder=" …")}"'
    if comparison.agreement is None:
        known = language_name(comparison.language)
        yield rule.finding(
            f"its text cannot be compared with what was heard: the speech model knows {known}, and heard {heard}",
            limit=limit,
        )
    elif comparison.agreement < limit:
        what = f"heard was {heard}" if comparison.heard else "nothing was heard"
        yield rule.finding(
            f"its text and its sound agree by {comparison.agreement:.2f}, and should by {limit:g}: {what}",
            value=comparison.agreement,
            limit=limit,
        )


PROMPT_TEXT_UNFIT = Rule(
    "prompt-text-unfit",
    "error",
    what="The text of a prompt clip has a form that the endpoint does not take.",
    why="It refuses a text that does not end with punctuation, or holds what cannot be read aloud (codes 1042, 2013).",
    source="The clone endpoint's parameter table and reports: clone_prompt.prompt_text.",
    mend="Write exactly what is said in the clip, with the mark that ends the sentence.",
    judge=_unfit,
    is_contract=True,
)
PROMPT_TEXT_DIFFERS = Rule(
    "prompt-text-differs",
    "warning",
    what="The text of a prompt clip is not what a speech model hears in it.",
    why="The endpoint compares them too, and refuses the call when they differ (codes 1043 and 1044).",
    source="The clone endpoint's parameter table: accuracy. Asked only where --speech-model names a model.",
    mend="Listen to the clip and write down every word; a small model mishears some, one of another language all.",
    judge=_differs,
    thresholds=(
        Threshold("min_agreement", 0.7, "The endpoint's own default of accuracy; --accuracy stands in its place."),
    ),
)
