"""Rules about level: too quiet, too loud, plosives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preflight.display.text import clock, number_beside
from preflight.rules.clipping import has_hot_floats
from preflight.rules.model import Rule, Threshold, worst

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.analysis.analysis import Analysis
    from preflight.report import Finding

_ACX = "ACX audio submission requirements: RMS from -23 to -18 dBFS, peaks up to -3 dBFS; used by the strict profile."


def _too_quiet(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    measured = analysis.measurements
    if not analysis.can_be_judged:
        return
    levels = (
        ("speech level", measured.get("speech_level_dbfs", measured["rms_dbfs"]), "min_speech_level_dbfs"),
        ("level", measured["rms_dbfs"], "min_rms_dbfs"),
    )
    yield from worst(
        rule.finding(
            f"{what} {number_beside(value, rule[name])} dBFS RMS, below {rule[name]:g} dBFS: move closer to the "
            "microphone, or raise the input gain",
            value=value,
            threshold=name,
            detail=f"{value:.0f} dBFS",
        )
        for what, value, name in levels
        if value < rule[name]
    )


def _too_loud(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    measured = analysis.measurements
    if not analysis.can_be_judged:
        return
    # a gain lowers floating-point samples without loss (rule `above-full-scale`): the level after that gain is judged
    excess_db = measured["sample_peak_dbfs"] if has_hot_floats(analysis) else 0.0
    levels = (
        ("level", measured["rms_dbfs"] - excess_db, "dBFS RMS", "max_rms_dbfs"),
        ("peak", measured["sample_peak_dbfs"] - excess_db, "dBFS", "max_peak_dbfs"),
    )
    yield from worst(
        rule.finding(
            f"{what} {number_beside(value, rule[name])} {unit}, above {rule[name]:g} dBFS: lower the input gain",
            value=value,
            threshold=name,
            detail=f"{what} {value:.0f} dBFS",
        )
        for what, value, unit, name in levels
        if value > rule[name]
    )


def _plosives(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    spans, number = analysis.plosives, len(analysis.plosives)
    # without speech, the thump may be a drum
    if number > rule["max_plosives"] and "speech_level_dbfs" in analysis.measurements:
        count = f"{number} plosives or bumps" if number > 1 else "a plosive or bump"
        yield rule.finding(
            f"{count} below 50 Hz, first at {clock(spans[0][0])}, as loud as the voice: use a pop filter, speak past "
            "the microphone, or turn on the low cut",
            value=number,
            threshold="max_plosives",
            detail=f"{number}, first at {clock(spans[0][0])}",
            spans=spans,
        )


TOO_QUIET = Rule(
    "too-quiet",
    "warning",
    what="The voice is recorded at a very low level.",
    why="Background noise and quantization noise are then close to the voice.",
    source=_ACX,
    fix_hint="Move closer to the microphone, or raise the input gain.",
    judge=_too_quiet,
    label="very quiet",
    thresholds=(
        Threshold(
            "min_speech_level_dbfs",
            -36.0,
            "13 dB below the minimum of ACX.",
            -50.0,
            "48 dB above the quantization noise of 16-bit audio, like full-scale 8-bit audio.",
        ),
        Threshold(
            "min_rms_dbfs",
            -45.0,
            "22 dB below the minimum of ACX.",
            -60.0,
            "Speech at -50 dBFS that fills a tenth of the time.",
        ),
    ),
)
TOO_LOUD = Rule(
    "too-loud",
    "warning",
    what="The recording is louder than undistorted speech can be.",
    why="Speech at such a level has been limited or distorted.",
    source=_ACX,
    fix_hint="Lower the input gain, and record without a limiter.",
    judge=_too_loud,
    label="too loud",
    thresholds=(
        Threshold(
            "max_rms_dbfs",
            -10.0,
            "8 dB above the maximum of ACX.",
            -6.0,
            "6 dB below full scale; the peaks of undistorted speech are 12 dB or more above its RMS.",
        ),
        Threshold(
            "max_peak_dbfs",
            3.0,
            "Only lossy codecs and floating-point files can exceed full scale.",
            6.0,
            "Twice full scale: every player clips it.",
        ),
    ),
)
PLOSIVES = Rule(
    "plosives",
    "info",
    what="Bursts of air hit the microphone, such as from a p or b spoken close to it, or something bumped it.",
    why="They sound like thumps, and the clone may reproduce them.",
    source="The mean of 10 ms frames relative to that of the 0.4 s around them: at most 3 dB below the RMS of the "
    "speech, and 8 times the median, so that rumble does not count.",
    fix_hint="Use a pop filter, speak past the microphone, or turn on the low cut (high-pass filter).",
    judge=_plosives,
    label="plosives",
    thresholds=(
        Threshold(
            "max_plosives",
            0.0,
            "Clean speech has none of this strength: docs/benchmarks.md.",
            None,
            "Short thumps below the voice: a high-pass filter removes them.",
        ),
    ),
)
