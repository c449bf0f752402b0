"""What a rule is, and what it looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from preflight.report import Finding, Role, Severity, Span

if TYPE_CHECKING:
    from preflight.decode import Damage
    from preflight.errors import PreflightError
    from preflight.probe import Probe


@dataclass(frozen=True)
class Decoded:
    """What one pass over the sound found, besides the measurements.

    Attributes:
        duration_s: Seconds decoded.
        damage: What could not be decoded.
        changes: Where rate or channels changed: (seconds, rate, channels).
        stopped: Whether decoding was given up at `limits.MAX_DECODED_S`.
        sample_peak_dbfs: The highest sample.
    """

    duration_s: float
    damage: tuple[Damage, ...]
    changes: tuple[tuple[float, int, int], ...]
    stopped: bool
    sample_peak_dbfs: float

    @property
    def whole_stretches(self) -> tuple[Span, ...]:
        """The stretches without damage, as (start, end) in seconds of the decoded sound."""
        starts = [0.0, *(spot.until_s for spot in self.damage)]
        ends = [*(spot.at_s for spot in self.damage), self.duration_s]
        return tuple(zip(starts, ends, strict=True))


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
    """

    suffix: str
    size: int
    role: Role
    prompt_text: str | None = None
    problem: PreflightError | None = None
    probe: Probe | None = None
    decoded: Decoded | None = None

    @property
    def duration_s(self) -> float | None:
        """Seconds of sound: decoded where that was done, else by the headers."""
        if self.decoded is not None:
            return self.decoded.duration_s
        return self.probe.estimated_duration_s if self.probe else None

    @property
    def has_sound(self) -> bool:
        """Whether there is audio at all, so that rules about it make sense."""
        if self.probe is None or self.probe.protected or not self.probe.is_plausible:
            return False
        return self.decoded is None or self.decoded.duration_s > 0


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
    """

    name: str
    severity: Severity
    what: str
    why: str
    source: str
    mend: str
    judge: Callable[[Rule, Subject], Iterable[Finding]]

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
        """A finding of this rule; numbers and spans are rounded to a millisecond or a thousandth."""
        return Finding(
            rule=self.name,
            severity=severity or self.severity,
            message=message,
            value=None if value is None else round(value, 3),
            limit=limit,
            spans=tuple((round(start, 3), round(end, 3)) for start, end in spans),
            fix=fix,
        )
