"""The model of a rule, and of its thresholds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from preflight.report import Finding, Severity, Span

if TYPE_CHECKING:
    from preflight.analysis.analysis import Analysis


_MAX_SPANS = 500


@dataclass(frozen=True)
class Threshold:
    """A limit that a rule compares a measurement with; a profile can change it.

    Attributes:
        name: Starts with ``min_`` or ``max_`` and ends with the unit.
        value: The limit in that unit.
        source: Where the limit comes from.
    """

    name: str
    value: float
    source: str


@dataclass(frozen=True)
class Rule:
    """A named check.

    Attributes:
        name: Kebab-case.
        severity: The severity of its findings, unless `judge` lowers it.
        what: What the rule reports, in one sentence.
        why: Why that matters.
        source: The source of the rule and its method.
        fix_hint: What the user can do about it.
        judge: Yields the findings for a recording.
        thresholds: The limits that measurements are compared with.
        is_contract: Whether the endpoint requires it; a recording that breaks it is never sent.
    """

    name: str
    severity: Severity
    what: str
    why: str
    source: str
    fix_hint: str
    judge: Callable[[Rule, Analysis], Iterable[Finding]]
    thresholds: tuple[Threshold, ...] = ()
    is_contract: bool = False

    def __getitem__(self, name: str) -> float:
        """Return the value of the threshold `name`."""
        return next(threshold.value for threshold in self.thresholds if threshold.name == name)

    def finding(
        self,
        message: str,
        *,
        severity: Severity | None = None,
        value: float | None = None,
        limit: float | None = None,
        spans: tuple[Span, ...] = (),
        fix: str | None = None,
    ) -> Finding:
        """Return a finding of this rule, with numbers rounded to three decimals.

        Spans are sorted, overlapping spans are merged, and the first 500 are kept.
        """
        return Finding(
            rule=self.name,
            severity=severity or self.severity,
            message=message,
            value=None if value is None else round(value, 3),
            limit=limit,
            spans=_merged(spans)[:_MAX_SPANS],
            fix=fix,
        )


def _merged(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    merged: list[Span] = []
    for start, end in sorted((round(start, 3), round(end, 3)) for start, end in spans):
        if merged and (start < merged[-1][1] or (start, end) == merged[-1]):
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)
