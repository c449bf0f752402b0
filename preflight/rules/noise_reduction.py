"""Rules about what devices and programs do to the pauses: noise gates and noise reduction."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
            f"{percent:.1f} % of the pauses are digital silence, above {limit:g} %, so the noise floor is unknown: "
            "record without noise gate or noise reduction (synthetic voices look the same)",
            value=percent,
            threshold="max_digital_silence_percent",
            detail=f"{percent:.0f} % of the pauses",
        )


def _denoised(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    measured = analysis.measurements
    bend, limit = measured.get("background_bend_db", 0.0), rule["max_residue_bend_db"]
    if analysis.can_be_judged and bend > limit and measured["background_likeness"] < rule["min_likeness"]:
        yield rule.finding(
            f"noise reduction has left tones that flicker in the pauses (their level bends by {bend:.1f} dB within "
            f"0.1 s, above {limit:g} dB, in each band for itself): use the recording before it, or reduce less",
            value=bend,
            threshold="max_residue_bend_db",
            detail="flickering tones in the pauses",
        )


GATED = Rule(
    "gated",
    "info",
    what="The pauses between words are digital silence.",
    why="The noise floor cannot be measured, and a noise gate also cuts off the ends of words.",
    source="The share of frames without speech that are below -95 dBFS, the least significant bit of 16-bit audio.",
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
    ),
    label="silenced pauses",
)
DENOISED = Rule(
    "denoised",
    "info",
    what="Noise reduction has left flickering tones in the pauses (musical noise).",
    why="It takes parts of the voice, too, and the clone reproduces both.",
    source="The bends of the level in the pauses, as for `babble`, where they differ from band to band. Musical noise: "
    "Berouti et al., Enhancement of speech corrupted by acoustic noise, ICASSP 1979.",
    fix_hint="Use the recording before noise reduction. The endpoint can reduce noise (--noise-reduction).",
    judge=_denoised,
    thresholds=(
        Threshold(
            "max_residue_bend_db",
            4.5,
            "Noise has up to 3.1, spectral subtraction leaves 6 to 8.6: docs/benchmarks.md.",
        ),
        Threshold(
            "min_likeness",
            0.27,
            "The correlation of the bends of two neighboring bands; speech and other voices have more.",
        ),
    ),
    label="traces of noise reduction",
)
