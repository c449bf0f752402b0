"""Rules about what devices and programs do to the pauses: noise gates and noise reduction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preflight.display.text import number_beside
from preflight.rules.model import Rule, Threshold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.analysis.analysis import Analysis
    from preflight.report import Finding


def _gated(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    measured = analysis.measurements
    percent, limit = measured.get("digital_silence_percent", 0.0), rule["max_digital_silence_percent"]
    if percent > limit:
        yield rule.finding(
            f"{number_beside(percent, limit)} % of the pauses are digital silence, above {limit:g} %, so the noise "
            "floor is unknown: record without noise gate or noise reduction (synthetic voices look the same)",
            value=percent,
            threshold="max_digital_silence_percent",
            detail=f"{percent:.0f} % of the pauses",
        )
    elif analysis.can_be_judged and measured.get("gate_steps_per_minute", 0.0) > rule["max_gate_steps_per_minute"]:
        steps, limit = measured["gate_steps_per_minute"], rule["max_gate_steps_per_minute"]
        yield rule.finding(
            f"a noise gate turns the pauses down by {measured['gate_step_db']:.0f} dB "
            f"({number_beside(steps, limit, 0)} such steps a minute, above {limit:g}), so the noise under the voice is "
            "louder than in the pauses: record without it",
            value=steps,
            threshold="max_gate_steps_per_minute",
            detail=f"{measured['gate_step_db']:.0f} dB at pauses",
        )


def _denoised(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    measured = analysis.measurements
    bend, limit = measured.get("background_bend_db", 0.0), rule["max_residue_bend_db"]
    if analysis.can_be_judged and bend > limit and measured["background_likeness"] < rule["min_likeness"]:
        yield rule.finding(
            "noise reduction has left tones that flicker in the pauses (their level fluctuates by "
            f"{number_beside(bend, limit)} dB within 0.1 s, limit {limit:g} dB, in each band separately): use the "
            "recording from before noise reduction, or reduce noise less",
            value=bend,
            threshold="max_residue_bend_db",
            detail="flickering tones in the pauses",
        )


GATED = Rule(
    "gated",
    "info",
    what="The pauses between words are digital silence, or a noise gate turns them down.",
    why="The noise floor cannot be measured, and a noise gate also cuts off the ends of words.",
    source="The share of frames without speech that are below -95 dBFS, the least significant bit of 16-bit audio; and "
    "steps of the level by 12 dB and more within 40 ms, by the same amount in all bands, from one even level to "
    "another each time. The level of a voice or of a room does not fall like that.",
    fix_hint="Record without a noise gate or noise reduction.",
    judge=_gated,
    thresholds=(
        Threshold(
            "max_digital_silence_percent",
            50.0,
            "More silence than room noise.",
            None,
            "Synthetic voices and well-adjusted gates look the same, and can be cloned.",
        ),
        Threshold(
            "max_gate_steps_per_minute",
            3.0,
            "Recordings without a gate have none; only two or more in 20 s count: docs/benchmarks.md.",
            None,
            "As above.",
        ),
    ),
    label="silenced pauses",
)
DENOISED = Rule(
    "denoised",
    "info",
    what="Noise reduction has left flickering tones in the pauses (musical noise).",
    why="Noise reduction also removes parts of the voice, and the clone reproduces this damage.",
    source="The bends of the level in the pauses, as for `babble`, where they differ from band to band. Musical noise: "
    "Berouti et al., Enhancement of speech corrupted by acoustic noise, ICASSP 1979.",
    fix_hint="Use the recording from before noise reduction. The service can reduce noise (--noise-reduction).",
    judge=_denoised,
    thresholds=(
        Threshold(
            "max_residue_bend_db",
            4.5,
            "Noise has up to 3.1 dB, spectral subtraction leaves 6 to 8.6 dB: docs/benchmarks.md.",
        ),
        Threshold(
            "min_likeness",
            0.27,
            "The correlation of the bends of two neighboring bands; speech and other voices have more.",
        ),
    ),
    label="traces of noise reduction",
)
