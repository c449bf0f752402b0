"""The rules about the number of speakers: by the channels (`separate-speakers`), and by the voices themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preflight.analysis.speakers.voices import SAME_VOICE_COSINE
from preflight.display.text import clock, number_beside
from preflight.rules.model import Rule, Threshold
from preflight.rules.music import is_music

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.analysis.analysis import Analysis
    from preflight.report import Finding


def _separate_speakers(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    channels = analysis.channels
    if channels is None or not channels.speakers or not analysis.has_sound:
        return
    which = ", ".join(f"channel {at + 1} for {channels.alone_s[at]:.0f} s" for at in channels.speakers)
    yield rule.finding(
        f"each channel seems to have its own speaker ({which} alone): export the channel of the voice to clone",
        value=float(len(channels.speakers)),
        limit=1.0,
        quality="poor",
        detail="one per channel",
    )


def _several_speakers(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    split = analysis.voices.split() if analysis.voices is not None else None
    if analysis.channels is not None and analysis.channels.speakers:
        return  # `separate-speakers` reports them, and what to do about it
    if split is None or split.cosine >= rule["min_second_voice_cosine"]:
        yield from _at_once(rule, analysis)
        return
    shown = number_beside(split.cosine, rule["min_second_voice_cosine"], 2)
    yield rule.finding(
        f"two voices, the second in about {100 * split.share:.0f} % of the speech, from about "
        f"{clock(split.spans[0][0])} (likeness {shown}, below {rule['min_second_voice_cosine']:g}): cut out "
        "the other speaker, or record one voice alone",
        value=split.cosine,
        threshold="min_second_voice_cosine",
        detail=f"the second in {100 * split.share:.0f} % of the speech",
        spans=split.spans,
    )


def _at_once(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    percent = analysis.voices.second_pitch_percent if analysis.voices is not None else 0.0
    # instruments have a pitch, too
    if percent > rule["max_second_pitch_percent"] and not is_music(analysis):
        yield rule.finding(
            f"two voices at the same time: {number_beside(percent, rule['max_second_pitch_percent'])} % of the voiced "
            f"sound has a second pitch, above {rule['max_second_pitch_percent']:g} %: record one voice alone",
            value=percent,
            threshold="max_second_pitch_percent",
            detail="at the same time",
        )


SEPARATE_SPEAKERS = Rule(
    "separate-speakers",
    "warning",
    what="The channels contain different speakers, as in an interview with one microphone each.",
    why="The clone would be made from all voices together.",
    source="Frames of 10 ms in which one channel is 10 dB above all others: at least 2 s and 15 % of them in each of "
    "two channels.",
    fix_hint="Export one channel. `onetake fix --edit mono` keeps the one with the most speech.",
    judge=_separate_speakers,
    label="several speakers",
)
SEVERAL_SPEAKERS = Rule(
    "several-speakers",
    "warning",
    what="More than one person speaks.",
    why="The clone would be made from all voices together.",
    source="Voice embeddings (GE2E) of 16 windows of 1.6 s, divided into two groups, and a second pitch in 8 of them; "
    "only with `--speakers`, `join`, `clone`, and `fix` where it cuts a part out. If two people "
    "speak at the same time throughout, about half of the takes are found when their levels differ by at most 5 dB, "
    "and a quarter at 10 dB.",
    fix_hint="Keep the part with one speaker: `onetake fix --from --until`. If one person imitates others, ignore it.",
    judge=_several_speakers,
    thresholds=(
        Threshold(
            "min_second_voice_cosine",
            SAME_VOICE_COSINE,
            "Between takes with one speaker and takes with two. Measured: docs/benchmarks.md, speakers.",
            poor=0.7,
            poor_source="19 of 20 takes with two speakers are below, no take with one is.",
        ),
        Threshold(
            "max_second_pitch_percent",
            3.0,
            "Takes with one speaker have up to 2.3 %, also in rooms, in noise and with music; half of the takes with "
            "two equally loud speakers have more than 3 %: docs/benchmarks.md.",
            poor=5.0,
            poor_source="More than twice the maximum of takes with one speaker.",
        ),
    ),
    label="several speakers",
)
