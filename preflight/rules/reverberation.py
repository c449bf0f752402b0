"""The rule about reverberation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preflight.rules.model import Rule, Threshold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.analysis.analysis import Analysis
    from preflight.report import Finding


def _reverberant(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    decay, limit = analysis.measurements.get("room_decay_s", 0.0), rule["max_room_decay_s"]
    if decay > limit:
        yield rule.finding(
            f"the room echoes: sound takes {decay:.2f} s to decay by 60 dB, above {limit:g} s: record closer to the "
            "microphone, in a room with carpet, curtains and full shelves",
            value=decay,
            threshold="max_room_decay_s",
            detail=f"{decay:.1f} s",
        )


REVERBERANT = Rule(
    "reverberant",
    "warning",
    what="The room reverberates.",
    why="The clone sounds as if it were in that room, and reverberation cannot be removed well.",
    source="The median slope of the decays after words in four octave bands (350 to 5600 Hz), as the time for 60 dB "
    "(ISO 3382-1).",
    fix_hint="Record closer to the microphone, in a room with carpet, curtains and full shelves.",
    judge=_reverberant,
    thresholds=(
        Threshold(
            "max_room_decay_s",
            0.42,
            "Dry speech measures up to 0.3 s, in a room with a reverberation time of 0.6 s at least 0.45 s: "
            "docs/benchmarks.md.",
            0.6,
            "The most that ANSI/ASA S12.60 allows for classrooms.",
        ),
    ),
    label="echo of the room",
)
