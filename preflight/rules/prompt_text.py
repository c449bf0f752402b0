"""The rule about the text of a prompt clip, for those who had the clip heard."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from preflight.languages import language_name
from preflight.rules.model import Rule, Subject, Threshold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.report import Finding

_LONGEST_SHOWN: Final = 300
"""Characters: eight seconds of speech have fewer."""


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
