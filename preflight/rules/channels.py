"""Rules about channels: DC offset, dead, out-of-phase and identical channels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from preflight.display.text import clock, number_beside
from preflight.rules.model import Rule, Threshold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.analysis.analysis import Analysis
    from preflight.report import Finding


_MAX_PAIRS = 4


def _dc_offset(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    offset, limit = analysis.measurements.get("dc_offset_percent", 0.0), rule["max_dc_offset_percent"]
    if abs(offset) > limit:
        shown = number_beside(offset, math.copysign(limit, offset), sign="+")
        yield rule.finding(
            f"DC offset of {shown} % of full scale, above {limit:g} %: turn on the high-pass filter of the "
            "microphone or interface",
            value=offset,
            limit=limit,
            quality=rule.threshold("max_dc_offset_percent").grade(abs(offset)),
            detail=f"{offset:+.1f} %",
        )


def _dead_channel(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    difference, limit = analysis.measurements.get("channel_difference_db", 0.0), rule["max_channel_difference_db"]
    if analysis.can_be_judged and difference > limit:
        yield rule.finding(
            f"one channel is {number_beside(difference, limit)} dB quieter than the other (limit {limit:g} dB): record "
            "in mono, or check the cable",
            value=difference,
            threshold="max_channel_difference_db",
        )


def _out_of_phase(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    loss = analysis.measurements.get("fold_down_loss_db", 0.0)
    channels = analysis.channels
    if channels is not None and channels.flipped:
        seconds = sum(end - start for start, end in channels.flipped)
        yield rule.finding(
            f"channels are out of phase for {seconds:.1f} s, first at {clock(channels.flipped[0][0])}, and in phase "
            "elsewhere: keep only one channel",
            value=seconds,
            limit=0.0,
            quality="poor",
            detail=f"for {seconds:.0f} s",
            spans=channels.flipped,
        )
        return
    if channels is not None and len(channels.levels_dbfs) > 2 and channels.opposite:
        pairs = ", ".join(f"{one + 1} and {other + 1}" for one, other in channels.opposite[:_MAX_PAIRS])
        yield rule.finding(
            f"channels {pairs} are out of phase: their mix loses the voice; keep only one", quality="poor"
        )
        return
    if analysis.can_be_judged and loss > rule["max_fold_down_loss_db"]:
        yield rule.finding(
            f"channels are out of phase: the mono sum loses {loss:.0f} dB; invert one channel",
            value=loss,
            threshold="max_fold_down_loss_db",
            detail=f"loses {loss:.0f} dB in mono",
        )


def _false_stereo(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    level, limit = analysis.measurements.get("side_level_db", 0.0), rule["min_side_level_db"]
    if analysis.can_be_judged and level < limit:
        yield rule.finding(
            f"both channels are the same (side level {number_beside(level, limit)} dB, below {limit:g} dB): export in "
            "mono, which halves the file size",
            value=level,
            limit=limit,
        )


DC_OFFSET = Rule(
    "dc-offset",
    "warning",
    what="The waveform is not centered on zero (DC offset).",
    why="It reduces headroom, and every cut clicks.",
    source="Good converters stay below 0.1 % of full scale.",
    fix_hint="Turn on the high-pass filter of the microphone or interface, or run `onetake fix --edit remove-dc`.",
    judge=_dc_offset,
    thresholds=(
        Threshold(
            "max_dc_offset_percent",
            1.0,
            "-40 dBFS, above the noise of most rooms.",
            10.0,
            "A tenth of the range is lost; peaks are clipped on one side only.",
        ),
    ),
    label="DC offset",
)
DEAD_CHANNEL = Rule(
    "dead-channel",
    "warning",
    what="One of two channels is silent or much quieter.",
    why="In a mono mix, the voice loses 6 dB and gains the noise of the other channel.",
    source="A centered voice has the same level in both channels.",
    fix_hint="Record in mono, or check the cable of the other channel.",
    judge=_dead_channel,
    thresholds=(
        Threshold(
            "max_channel_difference_db",
            30.0,
            "At this level only crosstalk is left.",
            None,
            "The other channel still has the whole voice.",
        ),
    ),
    label="one dead channel",
)
OUT_OF_PHASE = Rule(
    "out-of-phase",
    "warning",
    what="One channel has the opposite polarity of the other.",
    why="Services mix to mono, which cancels the voice.",
    source="The mean of two unrelated channels loses 3 dB; the mean of two opposite channels loses everything.",
    fix_hint="Invert one channel, or keep only one: `onetake fix --edit fix-polarity`. A miswired cable causes this.",
    judge=_out_of_phase,
    thresholds=(
        Threshold(
            "max_fold_down_loss_db",
            6.0,
            "Twice the loss of unrelated channels.",
            12.0,
            "Three quarters of the amplitude is lost, and the noise of both channels stays.",
        ),
    ),
    label="out-of-phase channels",
)
FALSE_STEREO = Rule(
    "false-stereo",
    "info",
    what="Both channels are the same.",
    why="It is harmless, but doubles the size.",
    source="The level of the side signal (difference) relative to the mid signal (sum).",
    fix_hint="Export in mono.",
    judge=_false_stereo,
    thresholds=(Threshold("min_side_level_db", -60.0, "Smaller than the rounding errors of 16-bit audio."),),
    label="two equal channels",
)
