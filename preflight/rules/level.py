"""Rules about level: too quiet, too loud, clipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preflight.display.text import clock
from preflight.rules.model import Rule, Subject, Threshold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.report import Finding

_ACX = "ACX audio submission requirements: RMS of -23 to -18 dBFS, peaks at most -3 dBFS; the strict profile has them."


def _clipped(rule: Rule, subject: Subject) -> Iterator[Finding]:
    measured, heard = subject.measurements, subject.heard
    if heard is None or not measured["clipped_percent"] > rule["max_clipped_percent"]:
        return
    times = len(heard.clipped)
    yield rule.finding(
        f"the peaks are cut off {times} time{'s' if times > 1 else ''}, first at {clock(heard.clipped[0][0])} "
        f"({measured['clipped_percent']:.2f} % of all samples): lower the input gain and record again",
        value=measured["clipped_percent"],
        limit=rule["max_clipped_percent"],
        spans=heard.clipped,
    )


def _too_quiet(rule: Rule, subject: Subject) -> Iterator[Finding]:
    measured = subject.measurements
    if not subject.can_be_judged:
        return
    speech = measured.get("speech_level_dbfs", measured["rms_dbfs"])
    for what, value, limit in (
        ("the voice has", speech, rule["min_speech_level_dbfs"]),
        ("it has", measured["rms_dbfs"], rule["min_rms_dbfs"]),
    ):
        if value < limit:
            yield rule.finding(
                f"{what} {value:.1f} dBFS RMS; at least {limit:.0f} are wanted: go nearer to the microphone, "
                "or raise the input gain",
                value=value,
                limit=limit,
            )
            return


def _too_loud(rule: Rule, subject: Subject) -> Iterator[Finding]:
    measured = subject.measurements
    if not subject.can_be_judged:
        return
    for what, value, limit in (
        ("it has", measured["rms_dbfs"], rule["max_rms_dbfs"]),
        ("its peaks reach", measured["sample_peak_dbfs"], rule["max_peak_dbfs"]),
    ):
        if value > limit:
            unit = "dBFS RMS" if what == "it has" else "dBFS"
            yield rule.finding(
                f"{what} {value:.1f} {unit}; at most {limit:.0f} are wanted: lower the input gain",
                value=value,
                limit=limit,
            )
            return


def _float_scale(rule: Rule, subject: Subject) -> Iterator[Finding]:
    scale = subject.decoded.ending.float_scale if subject.decoded else 1.0
    if scale != 1.0 and subject.has_sound:
        yield rule.finding(
            f"full scale of its floating-point samples is {scale:.7g} instead of 1: other programs read noise at full "
            "volume; divide the samples by that, or run `onetake fix`",
            value=scale,
            limit=1.0,
            fix="scale",
        )


FLOAT_SCALE = Rule(
    "float-scale",
    "error",
    what="Floating-point samples have the range of integers, such as ±32767, instead of ±1.",
    why="Every decoder takes 1 for full scale, so that nothing but distortion is left of the voice.",
    source="WAVE_FORMAT_IEEE_FLOAT: full scale is ±1. Half of the samples beyond ±64 in 5 % of all windows of "
    "4096, or whole numbers beyond ±4; the scale is that of 16, 24 or 32 bits.",
    mend="`onetake fix` divides the samples. In Python, divide int16 samples by 32768 before writing them as float.",
    judge=_float_scale,
    is_contract=True,
)
CLIPPED = Rule(
    "clipped",
    "warning",
    what="The peaks of the sound are cut off, at full scale or at a lower ceiling.",
    why="The edges that this makes are heard as crackle, and a clone learns them as part of the voice.",
    source="Runs of three and more equal samples at a channel's ceiling, entered or left at a step. After a lossy "
    "codec or a resampler, plateaus at one level: peaks whose steep edges would lead to 1.2 times the height or more.",
    mend="Lower the input gain until the loudest words stay 6 dB below full scale, and record again.",
    judge=_clipped,
    thresholds=(
        Threshold(
            "max_clipped_percent", 0.05, "Found from 0.1 % on, after lossy codecs from 1 % on; clean speech has none."
        ),
    ),
)
TOO_QUIET = Rule(
    "too-quiet",
    "warning",
    what="The voice is recorded at a very low level.",
    why="Noise and the last bits of the converter come near to it.",
    source=_ACX,
    mend="Go nearer to the microphone, or raise the input gain.",
    judge=_too_quiet,
    thresholds=(
        Threshold("min_speech_level_dbfs", -36.0, "13 dB below the least that ACX accepts."),
        Threshold("min_rms_dbfs", -45.0, "22 dB below the least that ACX accepts."),
    ),
)
TOO_LOUD = Rule(
    "too-loud",
    "warning",
    what="The recording is louder than a voice can be without distortion.",
    why="At such a level speech was limited or distorted on the way.",
    source=_ACX,
    mend="Lower the input gain, and leave out limiters.",
    judge=_too_loud,
    thresholds=(
        Threshold("max_rms_dbfs", -10.0, "8 dB above the most that ACX accepts."),
        Threshold("max_peak_dbfs", 3.0, "Only lossy codings and floating-point files hold more than full scale."),
    ),
)
