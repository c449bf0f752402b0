"""The model of a rule, and of its thresholds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from preflight.report import Finding, Severity, Span, worst_quality

if TYPE_CHECKING:
    from preflight.analysis.analysis import Analysis


_MAX_SPANS = 500
_UNITS: Final = {"percent": "%", "db": "dB", "dbfs": "dBFS", "hz": "Hz", "s": "s"}


@dataclass(frozen=True)
class Threshold:
    """A limit that a rule compares a measurement with, and a second one that divides fair from poor.

    A profile can change both.

    Attributes:
        name: Starts with ``min_`` or ``max_`` and ends with the unit.
        value: The limit in that unit. Beyond it there is a finding, and the quality is at most fair.
        source: Where the limit comes from.
        poor: Beyond this, the quality is poor; None if it never is.
        poor_source: Where that limit comes from, or why there is none; empty if the threshold does not grade.
    """

    name: str
    value: float
    source: str
    poor: float | None = None
    poor_source: str = ""

    @property
    def side(self) -> Literal["below", "above"]:
        """On which side of the limit a measurement is beyond it."""
        return "below" if self.name.startswith("min_") else "above"

    def grade(self, value: float) -> Literal["fair", "poor"]:
        """Return the quality of a recording whose measurement `value` is beyond the limit."""
        if self.poor is None:
            return "fair"
        is_poor = value < self.poor if self.side == "below" else value > self.poor
        return "poor" if is_poor else "fair"

    def text(self, value: float) -> str:
        """Return `value` with the unit of the threshold.

        >>> Threshold("max_hum_db", 15, "").text(21.4), Threshold("max_dropouts", 0, "").text(3)
        ('21.4 dB', '3')
        """
        unit = _UNITS.get(self.name.rpartition("_")[2], "")
        return f"{value:.4g} {unit}" if unit else f"{value:.4g}"


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
        label: The problem in a few words, as in "ready, but poor: clipped"; the name if empty.
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
    label: str = ""

    def __getitem__(self, name: str) -> float:
        """Return the value of the threshold `name`."""
        return self.threshold(name).value

    def threshold(self, name: str) -> Threshold:
        """Return the threshold `name`."""
        return next(threshold for threshold in self.thresholds if threshold.name == name)

    def finding(  # noqa: PLR0913 - each is an independent fact of the finding
        self,
        message: str,
        *,
        severity: Severity | None = None,
        value: float | None = None,
        limit: float | None = None,
        threshold: str | None = None,
        quality: Literal["fair", "poor"] | None = None,
        detail: str = "",
        spans: tuple[Span, ...] = (),
        fix: str | None = None,
    ) -> Finding:
        """Return a finding of this rule, with numbers rounded to three decimals.

        Spans are sorted, overlapping and touching spans are merged, and the first 500 are kept.

        Args:
            message: What is wrong, with value and limit, and what to do about it, in one line.
            severity: Another severity than that of the rule.
            value: The measurement.
            limit: The limit that `value` was compared with; that of `threshold` if omitted.
            threshold: The name of the threshold that `value` is beyond. It determines `limit`, `quality` and `detail`.
            quality: The quality of such a recording, where no threshold determines it. None for rules of the contract.
            detail: What to add to the label of the rule in a summary, such as "16 % of the samples".
            spans: Where the problem is, as (start, end) in seconds.
            fix: The name of the edit that fixes it.
        """
        if threshold is not None and value is not None:
            beyond = self.threshold(threshold)
            limit = beyond.value if limit is None else limit
            quality = quality or beyond.grade(value)
            detail = detail or beyond.text(value)
        label = self.label or self.name.replace("-", " ")
        return Finding(
            rule=self.name,
            severity=severity or self.severity,
            message=message,
            summary=f"{label} ({detail})" if detail else label,
            value=None if value is None else round(value, 3),
            limit=limit,
            spans=_merged(spans)[:_MAX_SPANS],
            fix=fix,
            quality=quality,
        )


def worst(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the first of the findings with the worst quality, for a rule that reports one of them."""
    found = tuple(findings)
    quality = worst_quality(found)
    return next(((one,) for one in found if one.quality == quality), found[:1])


def _merged(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    merged: list[Span] = []
    for start, end in sorted((round(start, 3), round(end, 3)) for start, end in spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)
