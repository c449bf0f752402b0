"""Rules about full scale: clipped samples, samples above full scale, and a wrong full scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preflight.display.text import clock, number_beside
from preflight.rules.model import Rule, Threshold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.analysis.analysis import Analysis
    from preflight.report import Finding

_MIN_EXCESS_DBFS = 0.1
"""Below this, a converter to integers flattens only samples that exceed full scale by one percent."""


def _clipped(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    measured, limit = analysis.measurements, rule["max_clipped_percent"]
    if not analysis.is_measured or not measured["clipped_percent"] > limit:
        return
    count = len(analysis.clipped)
    yield rule.finding(
        f"{number_beside(measured['clipped_percent'], limit, 2)} % of the samples are clipped (limit {limit:g} %), in "
        f"{count} place{'s' if count > 1 else ''}, first at {clock(analysis.clipped[0][0])}: lower the input gain and "
        "record again",
        value=measured["clipped_percent"],
        threshold="max_clipped_percent",
        detail=f"{measured['clipped_percent']:.2g} % of the samples",
        spans=analysis.clipped,
    )


def has_hot_floats(analysis: Analysis) -> bool:
    """Whether floating-point samples exceed full scale: a gain lowers them without loss."""
    is_float = analysis.probe is not None and analysis.probe.codec.startswith("pcm_f")
    # with the headers alone, no peak is known
    return is_float and analysis.measurements.get("sample_peak_dbfs", 0.0) > _MIN_EXCESS_DBFS


def _above_full_scale(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    if has_hot_floats(analysis):
        peak = analysis.measurements["sample_peak_dbfs"]
        yield rule.finding(
            f"the floating-point samples peak at {peak:+.1f} dBFS, above full scale, where players and converters clip "
            "them: lower the level (onetake fix)",
            value=peak,
            limit=0.0,
            fix="gain",
        )


def _float_scale(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    scale = analysis.float_scale
    if scale != 1.0 and analysis.has_sound:
        yield rule.finding(
            f"the floating-point samples have a full scale of {scale:.7g} instead of 1, so other programs play them as "
            "distortion: divide the samples by it (onetake fix)",
            value=scale,
            limit=1.0,
            fix="scale",
        )


FLOAT_SCALE = Rule(
    "float-scale",
    "error",
    what="Floating-point samples have the range of integers, such as ±32767, instead of ±1.",
    why="Every decoder assumes a full scale of 1 and clips the rest, which leaves only distortion.",
    source="WAVE_FORMAT_IEEE_FLOAT: full scale is ±1. Detected if the median exceeds 64 in 5 % of the windows of 4096 "
    "samples, or if all samples are whole numbers and exceed 4; the scale is that of 16, 24 or 32 bits.",
    fix_hint="Run `onetake fix`. In Python, divide int16 samples by 32768 before you write them as float.",
    judge=_float_scale,
    label="wrong sample scale",
    is_contract=True,
)
ABOVE_FULL_SCALE = Rule(
    "above-full-scale",
    "error",
    what="Floating-point samples exceed full scale (0 dBFS).",
    why="The file itself is not clipped, but every decoder that outputs integers clips it.",
    source="WAVE_FORMAT_IEEE_FLOAT: full scale is ±1, but samples can exceed it. Reported above 0.1 dB.",
    fix_hint="Run `onetake fix`: one gain brings the peaks below full scale, and nothing is lost. Or lower the level "
    "in the program that exported the file.",
    judge=_above_full_scale,
    label="above full scale",
    is_contract=True,
)
CLIPPED = Rule(
    "clipped",
    "warning",
    what="Peaks are clipped, at full scale or at a lower ceiling.",
    why="Clipping sounds like crackle, and the clone reproduces it as part of the voice.",
    source="Runs of three or more equal samples at the peak of a channel that start or end with a step. After a lossy "
    "codec or a resampler: plateaus at one level, with edges steep enough for a peak at least 1.2 times as high. "
    "Codecs at low bit rates (AAC at 48 kbit/s, Opus at 24) leave no plateaus if a quarter of the samples or more are "
    "clipped: 40 % of such takes are found, and the others are `too-loud`, because their peaks exceed full scale.",
    fix_hint="Lower the input gain until the loudest words peak 6 dB below full scale, and record again.",
    judge=_clipped,
    label="clipped",
    thresholds=(
        Threshold(
            "max_clipped_percent",
            0.05,
            "Detected from 0.1 %, after lossy codecs from 1 %; clean speech has none.",
            1.0,
            "Speech with an input gain about 7 dB too high (median of 15 recordings).",
        ),
    ),
)
