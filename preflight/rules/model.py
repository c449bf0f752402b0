"""What a rule is, and what it looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from preflight import limits
from preflight.report import Finding, Role, Severity, Span

if TYPE_CHECKING:
    from preflight.analysis.analysis import Decoded, Heard
    from preflight.errors import PreflightError
    from preflight.media.probe import Probe
    from preflight.prompt.text_match import Comparison


_MOST_SPANS = 500


@dataclass(frozen=True)
class Subject:
    """Everything that is known of one take when the rules are asked.

    Attributes:
        suffix: The ending of its name, lower case, with the dot; empty when it has no name or no ending.
        size: Bytes.
        role: What it is to be used for.
        prompt_text: The text that goes with a prompt clip.
        problem: Why it could not be opened or recognised; then `probe` is None.
        probe: What its headers say.
        decoded: What decoding found; None when only headers were read.
        comparison: The text that goes with a prompt clip beside what was heard in it; None where nobody listened.
    """

    suffix: str
    size: int
    role: Role
    prompt_text: str | None = None
    problem: PreflightError | None = None
    probe: Probe | None = None
    decoded: Decoded | None = None
    comparison: Comparison | None = None

    @property
    def duration_s(self) -> float | None:
        """Seconds of sound: decoded where that was done, else by the headers."""
        if self.decoded is not None:
            return self.decoded.duration_s
        return self.probe.estimated_duration_s if self.probe else None

    @property
    def padded_s(self) -> float | None:
        """Seconds that a decoder may find at most: with what an encoder padded, where the packets were counted."""
        seconds = self.duration_s
        return seconds if seconds is None or self.decoded is None else max(seconds, self.decoded.ending.padded_s)

    @property
    def has_sound(self) -> bool:
        """Whether there is audio at all, so that rules about it make sense."""
        if self.probe is None or not self.probe.has_sound:
            return False
        return self.decoded is None or self.decoded.duration_s > 0

    @property
    def measurements(self) -> Mapping[str, float]:
        """What was measured; empty when only headers were read."""
        return self.decoded.measurements if self.decoded else {}

    @property
    def can_be_judged(self) -> bool:
        """Whether the meters heard sound: of digital silence `no-audio` says all there is."""
        return self.heard is not None and self.measurements["sample_peak_dbfs"] >= limits.SILENCE_DBFS

    @property
    def speech(self) -> tuple[Span, ...]:
        """Where somebody speaks."""
        return self.heard.speech if self.heard else ()

    @property
    def heard(self) -> Heard | None:
        """What the meters found; None where they heard nothing."""
        return self.decoded.heard if self.decoded else None


@dataclass(frozen=True)
class Threshold:
    """A number that a rule holds a measurement against; a profile can set another.

    Attributes:
        name: Begins with ``min_`` or ``max_`` and ends with the unit.
        value: In that unit.
        source: Where it comes from.
    """

    name: str
    value: float
    source: str


@dataclass(frozen=True)
class Rule:
    """A named check.

    Attributes:
        name: Kebab-case.
        severity: Of its findings, unless `judge` says otherwise.
        what: What it finds, in one sentence.
        why: Why that matters.
        source: Where the threshold comes from.
        mend: What to do about it.
        judge: Yields the findings for a subject.
        thresholds: What it holds measurements against.
        is_contract: Whether the endpoint itself asks for it, so that nothing is sent that breaks it.
    """

    name: str
    severity: Severity
    what: str
    why: str
    source: str
    mend: str
    judge: Callable[[Rule, Subject], Iterable[Finding]]
    thresholds: tuple[Threshold, ...] = ()
    is_contract: bool = False

    def __getitem__(self, name: str) -> float:
        """The value of the threshold `name`."""
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
        """A finding of this rule; numbers are rounded to a thousandth.

        Spans are put in order, those that overlap are joined so that no place is listed twice, and 500 are kept.
        """
        return Finding(
            rule=self.name,
            severity=severity or self.severity,
            message=message,
            value=None if value is None else round(value, 3),
            limit=limit,
            spans=_joined(spans)[:_MOST_SPANS],
            fix=fix,
        )


def _joined(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    joined: list[Span] = []
    for start, end in sorted((round(start, 3), round(end, 3)) for start, end in spans):
        if joined and (start < joined[-1][1] or (start, end) == joined[-1]):
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)
