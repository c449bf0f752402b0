"""Rules about channels: an offset, a dead or opposite one, and two that are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preflight.display.text import clock
from preflight.rules.model import Rule, Subject, Threshold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.report import Finding


_MOST_PAIRS = 4


def _dc_offset(rule: Rule, subject: Subject) -> Iterator[Finding]:
    offset = subject.measurements.get("dc_offset_percent", 0.0)
    if abs(offset) > rule["max_dc_offset_percent"]:
        yield rule.finding(
            f"the wave lies {offset:+.1f} % of full scale beside the middle: the converter adds a constant; "
            "switch on its high-pass filter",
            value=offset,
            limit=rule["max_dc_offset_percent"],
        )


def _dead_channel(rule: Rule, subject: Subject) -> Iterator[Finding]:
    difference = subject.measurements.get("channel_difference_db", 0.0)
    if subject.can_be_judged and difference > rule["max_channel_difference_db"]:
        yield rule.finding(
            f"one of its channels is {difference:.0f} dB quieter than the other: record in mono, or check the cable",
            value=difference,
            limit=rule["max_channel_difference_db"],
        )


def _out_of_phase(rule: Rule, subject: Subject) -> Iterator[Finding]:
    loss = subject.measurements.get("fold_down_loss_db", 0.0)
    channels = subject.decoded.channels if subject.decoded else None
    if channels is not None and channels.flipped:
        seconds = sum(end - start for start, end in channels.flipped)
        yield rule.finding(
            f"its channels are out of phase for {seconds:.1f} s, first at {clock(channels.flipped[0][0])}, and in "
            "phase elsewhere: keep only one of them",
            value=seconds,
            limit=0.0,
            spans=channels.flipped,
        )
        return
    if channels is not None and len(channels.levels_dbfs) > 2 and channels.opposite:
        pairs = ", ".join(f"{one + 1} and {other + 1}" for one, other in channels.opposite[:_MOST_PAIRS])
        yield rule.finding(f"channels {pairs} are out of phase: a mix of them loses the voice; keep only one")
        return
    if subject.can_be_judged and loss > rule["max_fold_down_loss_db"]:
        yield rule.finding(
            f"its channels cancel each other: in mono it loses {loss:.0f} dB; turn the polarity of one of them, or "
            "keep only one",
            value=loss,
            limit=rule["max_fold_down_loss_db"],
        )


def _separate_speakers(rule: Rule, subject: Subject) -> Iterator[Finding]:
    channels = subject.decoded.channels if subject.decoded else None
    if channels is None or not channels.speakers or not subject.has_sound:
        return
    which = ", ".join(f"channel {at + 1} for {channels.alone_s[at]:.0f} s" for at in channels.speakers)
    yield rule.finding(
        f"its channels take turns ({which} alone): each seems to hold another speaker; export the channel of the voice "
        "that you want",
        value=float(len(channels.speakers)),
        limit=1.0,
    )


def _false_stereo(rule: Rule, subject: Subject) -> Iterator[Finding]:
    level = subject.measurements.get("side_level_db", 0.0)
    if subject.can_be_judged and level < rule["min_side_level_db"]:
        yield rule.finding(
            "both channels hold the same: mono has half the size, and no less to hear",
            value=level,
            limit=rule["min_side_level_db"],
        )


DC_OFFSET = Rule(
    "dc-offset",
    "warning",
    what="The wave does not lie around zero.",
    why="It costs headroom, and every cut clicks.",
    source="Good converters stay below 0.1 % of full scale.",
    mend="Switch on the high-pass filter of the microphone or the interface.",
    judge=_dc_offset,
    thresholds=(Threshold("max_dc_offset_percent", 1.0, "-40 dBFS: louder than the noise of a bad room."),),
)
DEAD_CHANNEL = Rule(
    "dead-channel",
    "warning",
    what="One of two channels is silent or far quieter.",
    why="Folded down to mono, the voice loses 6 dB and gains the other channel's noise.",
    source="A voice in the middle gives both channels the same level.",
    mend="Record in mono, or check the cable of the other channel.",
    judge=_dead_channel,
    thresholds=(Threshold("max_channel_difference_db", 30.0, "What is left then is crosstalk."),),
)
OUT_OF_PHASE = Rule(
    "out-of-phase",
    "warning",
    what="One channel is the other with opposite polarity.",
    why="Services fold down to mono, and the voice is gone.",
    source="The mean of two channels that have nothing in common loses 3 dB; of two that cancel, all.",
    mend="Turn the polarity of one channel, or keep only one. A wrongly soldered cable does this.",
    judge=_out_of_phase,
    thresholds=(Threshold("max_fold_down_loss_db", 6.0, "Twice what unrelated channels lose."),),
)
SEPARATE_SPEAKERS = Rule(
    "separate-speakers",
    "warning",
    what="The channels hold different speakers, as in an interview with a microphone for each.",
    why="A clone is made of all voices at once. Mixing the channels adds them up.",
    source="Frames of 10 ms in which one channel is 10 dB above all others; two channels with 15 % of these and 2 s.",
    mend="Export one channel. `onetake fix --edit mono` keeps the one that carries the most.",
    judge=_separate_speakers,
)
FALSE_STEREO = Rule(
    "false-stereo",
    "info",
    what="Both channels hold the same sound.",
    why="It does no harm, but doubles the size.",
    source="The level of the channels' difference over that of their sum.",
    mend="Export in mono.",
    judge=_false_stereo,
    thresholds=(Threshold("min_side_level_db", -60.0, "Less than the last bits of 16-bit audio differ."),),
)
