"""Rules about speech: whether there is any, how much, and how long the pauses are."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from msgspec.structs import replace

from preflight import limits
from preflight.display.text import clock, number_beside
from preflight.rules.model import Rule, Threshold, worst

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from preflight.analysis.analysis import Analysis
    from preflight.report import Finding

    Judge = Callable[[Rule, Analysis], Iterable[Finding]]

_REMOVABLE = "Silence does not damage the voice, and `onetake fix` removes it."
_OWN = "Measured: docs/benchmarks.md, defects and false alarms."
_SPOKEN = Threshold(
    "min_speech_s", 0.5, "In noise, tones and silence the detector reports at most 0.2 s of speech per minute. " + _OWN
)
_SPOKEN_SHARE = Threshold(
    "min_speech_percent",
    15.0,
    "Read or spontaneous speech has 60 to 95 %; music is detected as speech for up to 8 %. " + _OWN,
)
_SPOKEN_OF_SOUND = Threshold(
    "min_speech_of_sound_percent",
    50.0,
    "The share of the time that is at most 20 dB quieter than the speech: it covers short speech in a long silence.",
)
_VOICE_LIKE = Threshold(
    "min_voice_like_s",
    1.0,
    "Seconds with harmonics that change in pitch and level: noise and steady tones have none. " + _OWN,
)


def _of_takes(judge: Judge) -> Judge:
    """Return `judge` without findings for a room check, which is silent for most of its time."""

    def judge_takes(rule: Rule, analysis: Analysis) -> Iterable[Finding]:
        return () if analysis.role == "room" else judge(rule, analysis)

    return judge_takes


def _is_speech(rule: Rule, analysis: Analysis) -> bool:
    measured = analysis.measurements
    return measured.get("speech_s", 0.0) >= rule["min_speech_s"] and (
        measured.get("speech_percent", 0.0) >= rule["min_speech_percent"]
        or measured.get("speech_of_sound_percent", 0.0) >= rule["min_speech_of_sound_percent"]
    )


def _is_voice_like(rule: Rule, analysis: Analysis) -> bool:
    measured = analysis.measurements
    return (
        measured.get("voice_like_s", 0.0) >= rule["min_voice_like_s"]
        or measured.get("speech_s", 0.0) >= rule["min_speech_s"]
    )


def _no_speech(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    if not analysis.can_be_judged or _is_speech(rule, analysis) or _is_voice_like(rule, analysis):
        return
    yield rule.finding(
        f"{number_beside(analysis.measurements['speech_s'], rule['min_speech_s'])} s of speech, below "
        f"{rule['min_speech_s']:g} s, and nothing else that resembles a voice: check that this is the right file",
        value=analysis.measurements["speech_s"],
        limit=rule["min_speech_s"],
        quality="poor",
    )


def _unsure_voice(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    measured = analysis.measurements
    if not analysis.can_be_judged:
        return
    if _is_speech(rule, analysis):
        if "pause_level_dbfs" in measured:
            yield rule.finding(
                f"only {measured['speech_percent']:.1f} % is detected as speech, and the rest is as loud "
                f"({measured['pause_level_dbfs']:.0f} dBFS; speech {measured['speech_level_dbfs']:.0f} dBFS), as with "
                "a lively or character voice, music, other voices or loud noise, so that the noise floor is unknown: "
                "listen to it before you pay for a clone",
                value=measured["speech_percent"],
                quality="fair",
            )
        return
    if not _is_voice_like(rule, analysis):
        return
    least = rule["min_speech_percent"]
    yield rule.finding(
        f"it resembles a voice, but only {number_beside(measured['speech_percent'], least)} % is detected as speech, "
        f"below {least:g} %, as with a child, a character voice, singing or music: listen to it before "
        "you pay for a clone",
        value=analysis.measurements["speech_percent"],
        limit=rule["min_speech_percent"],
        quality="fair",
    )


def _little_speech(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    measured = analysis.measurements
    if not analysis.can_be_judged or not _is_speech(rule, analysis) or "pause_level_dbfs" in measured:
        return  # the detector may miss most of this voice: `unsure-voice` reports that
    needed = rule["min_seconds_of_speech_s"] if analysis.role == "recording" else 0.0
    found = []
    if measured["speech_s"] < needed:
        message = (
            f"{number_beside(measured['speech_s'], needed)} s of speech, below {needed:g} s: record more; one to two "
            "minutes work best"
        )
        found.append((message, measured["speech_s"], "min_seconds_of_speech_s"))
    if measured["speech_percent"] < rule["min_share_of_speech_percent"]:
        least = rule["min_share_of_speech_percent"]
        message = (
            f"speech in {number_beside(measured['speech_percent'], least)} % of the recording, below {least:g} %: cut "
            "out the rest, or speak with shorter pauses"
        )
        found.append((message, measured["speech_percent"], "min_share_of_speech_percent"))
    findings = worst(
        rule.finding(message, value=value, threshold=threshold, spans=analysis.speech)
        for message, value, threshold in found
    )
    is_too_short = analysis.duration_s is not None and analysis.duration_s < limits.MIN_DURATION_S
    # `too-short` says that it is not enough; joined with others, what there is may be good
    yield from (replace(finding, quality=None) if is_too_short else finding for finding in findings)


def _edge_silence(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    measured, longest = analysis.measurements, rule["max_edge_silence_s"]
    is_measured_to_the_end = measured.get("measured_s", 0.0) >= (analysis.duration_s or 0.0) - 1.0
    if not analysis.speech or not is_measured_to_the_end:
        return
    end_s = analysis.duration_s or 0.0
    edges = (
        ("starts", measured.get("leading_silence_s", 0.0), (0.0, analysis.speech[0][0])),
        ("ends", measured.get("trailing_silence_s", 0.0), (analysis.speech[-1][1], end_s)),
    )
    found = [(edge, seconds, span) for edge, seconds, span in edges if seconds > longest]
    if found:
        where = " and ".join(f"{edge} with {number_beside(seconds, longest)} s" for edge, seconds, _ in found)
        yield rule.finding(
            f"the recording {where} without speech, above {longest:g} s: trim it (onetake fix --edit trim-silence)",
            value=max(seconds for _, seconds, _ in found),
            threshold="max_edge_silence_s",
            spans=tuple(span for _, _, span in found),
        )


def _long_pause(rule: Rule, analysis: Analysis) -> Iterator[Finding]:
    longest = rule["max_pause_s"]
    if "longest_pause_s" not in analysis.measurements:
        return
    pauses = [(before[1], after[0]) for before, after in pairwise(analysis.speech)]
    long_pauses = [(start, end) for start, end in pauses if end - start > longest]
    if long_pauses:
        longest_s = max(end - start for start, end in long_pauses)
        what = (
            f"a pause of {number_beside(longest_s, longest)} s"
            if len(long_pauses) == 1
            else f"{len(long_pauses)} pauses of up to {number_beside(longest_s, longest)} s"
        )
        first = "at" if len(long_pauses) == 1 else "first at"
        yield rule.finding(
            f"{what}, above {longest:g} s, {first} {clock(long_pauses[0][0])}: the clone will imitate pauses this "
            "long; shorten them (onetake fix --edit shorten-pauses)",
            value=longest_s,
            threshold="max_pause_s",
            spans=tuple(long_pauses),
        )


NO_SPEECH = Rule(
    "no-speech",
    "error",
    what="The recording contains no speech, and nothing that resembles a voice.",
    why="There is no voice to clone, and a failed attempt costs as much as a successful one.",
    source="Silero VAD v6; pitch, harmonics and syllable rhythm as well, for voices that it does not detect.",
    fix_hint="Choose the right file. If it does contain speech, override the rule with --severity no-speech=warning.",
    judge=_of_takes(_no_speech),
    label="no voice found",
    thresholds=(_SPOKEN, _SPOKEN_SHARE, _SPOKEN_OF_SOUND, _VOICE_LIKE),
)
UNSURE_VOICE = Rule(
    "unsure-voice",
    "warning",
    what="The recording has the harmonics and rhythm of a voice, but the speech detector reports little speech.",
    why="Children and character voices look like this and can be cloned; singing and music do too, and cannot.",
    source="Silero VAD v6, compared with pitch, harmonics and syllable rhythm.",
    fix_hint="Listen to it. If it is the voice you want to clone, continue.",
    judge=_of_takes(_unsure_voice),
    label="perhaps not a voice",
    thresholds=(_SPOKEN, _SPOKEN_SHARE, _SPOKEN_OF_SOUND, _VOICE_LIKE),
)
LITTLE_SPEECH = Rule(
    "little-speech",
    "warning",
    what="The recording contains little speech.",
    why="The clone is made from speech, and is affected by everything else in the recording.",
    source="The clone endpoint's guide: at least 10 s, ideally one to two minutes.",
    fix_hint="Record more, with fewer and shorter pauses.",
    judge=_of_takes(_little_speech),
    thresholds=(
        _SPOKEN,
        _SPOKEN_SHARE,
        _SPOKEN_OF_SOUND,
        Threshold(
            "min_seconds_of_speech_s",
            5.0,
            "Half of the shortest accepted recording.",
            2.5,
            "A quarter of the shortest accepted recording: one sentence.",
        ),
        Threshold(
            "min_share_of_speech_percent",
            35.0,
            "Half of the minimum for read speech. " + _OWN,
            15.0,
            "The limit below which the recording as a whole does not count as speech.",
        ),
    ),
    label="little speech",
)
EDGE_SILENCE = Rule(
    "edge-silence",
    "warning",
    what="The recording starts or ends with a long silence.",
    why="It does not help the clone, and counts toward the five minutes.",
    source="ACX requires 0.5 to 1 s of room tone at the start, and 1 to 5 s at the end.",
    fix_hint="Trim it to about half a second: `onetake fix --edit trim-silence`.",
    judge=_of_takes(_edge_silence),
    thresholds=(Threshold("max_edge_silence_s", 2.0, "Twice the maximum of ACX for the start.", None, _REMOVABLE),),
    label="silence at the edges",
)
LONG_PAUSE = Rule(
    "long-pause",
    "warning",
    what="The recording contains long pauses.",
    why="The clone will imitate pauses this long.",
    source="Guides of voice-cloning services: no pauses longer than about 1.5 s.",
    fix_hint="Record with shorter pauses, or run `onetake fix --edit shorten-pauses`.",
    judge=_of_takes(_long_pause),
    thresholds=(Threshold("max_pause_s", 1.5, "Guides of voice-cloning services.", None, _REMOVABLE),),
    label="long pauses",
)
