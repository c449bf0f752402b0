"""Rules about whether somebody speaks, and how much of the time."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from preflight.display.text import clock
from preflight.rules.model import Rule, Subject, Threshold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.report import Finding

_OWN = "Our own measurements: docs/benchmarks.md, defects and false alarms."
_SPOKEN = Threshold(
    "min_speech_s", 0.5, "In noise, tones and silence the detector hears at most 0.2 s of speech a minute. " + _OWN
)
_SPOKEN_SHARE = Threshold(
    "min_speech_percent",
    15.0,
    "Speech that is read or told has 60 to 95 %; music was heard as speech up to 8 %. " + _OWN,
)
_SPOKEN_OF_SOUND = Threshold(
    "min_speech_of_sound_percent",
    50.0,
    "Of the time that is not 20 dB quieter than the speech: with silence around it, speech is most of what is heard.",
)
_VOICE_LIKE = Threshold(
    "min_voice_like_s", 1.0, "Seconds of gliding, beating harmonics: noise and tones have none. " + _OWN
)


def _is_speech(rule: Rule, subject: Subject) -> bool:
    measured = subject.measurements
    return measured.get("speech_s", 0.0) >= rule["min_speech_s"] and (
        measured.get("speech_percent", 0.0) >= rule["min_speech_percent"]
        or measured.get("speech_of_sound_percent", 0.0) >= rule["min_speech_of_sound_percent"]
    )


def _is_voice_like(rule: Rule, subject: Subject) -> bool:
    measured = subject.measurements
    return (
        measured.get("voice_like_s", 0.0) >= rule["min_voice_like_s"]
        or measured.get("speech_s", 0.0) >= rule["min_speech_s"]
    )


def _no_speech(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if not subject.can_be_judged or _is_speech(rule, subject) or _is_voice_like(rule, subject):
        return
    yield rule.finding(
        "nobody speaks in it, nor does anything sound like a voice: check that it is the right file",
        value=subject.measurements["speech_s"],
        limit=rule["min_speech_s"],
    )


def _unsure_voice(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if not subject.can_be_judged or _is_speech(rule, subject) or not _is_voice_like(rule, subject):
        return
    yield rule.finding(
        f"something sounds like a voice, but only {subject.measurements['speech_percent']:.0f} % of it is told for "
        "speech: a child or a character perhaps, or a song, or music; listen to it before you pay for it",
        value=subject.measurements["speech_percent"],
        limit=rule["min_speech_percent"],
    )


def _little_speech(rule: Rule, subject: Subject) -> Iterator[Finding]:
    measured = subject.measurements
    if not subject.can_be_judged or not _is_speech(rule, subject):
        return
    needed = rule["min_seconds_of_speech_s"] if subject.role == "recording" else 0.0
    if measured["speech_s"] < needed:
        yield rule.finding(
            f"somebody speaks for only {measured['speech_s']:.1f} s: record more; one to two minutes are best",
            value=measured["speech_s"],
            limit=needed,
            spans=subject.speech,
        )
    elif measured["speech_percent"] < rule["min_share_of_speech_percent"]:
        yield rule.finding(
            f"somebody speaks during only {measured['speech_percent']:.0f} % of it: cut the rest away, or speak on",
            value=measured["speech_percent"],
            limit=rule["min_share_of_speech_percent"],
            spans=subject.speech,
        )


def _edge_silence(rule: Rule, subject: Subject) -> Iterator[Finding]:
    measured, longest = subject.measurements, rule["max_edge_silence_s"]
    is_heard_to_the_end = measured.get("measured_s", 0.0) >= (subject.duration_s or 0.0) - 1.0
    if "leading_silence_s" not in measured or not is_heard_to_the_end:
        return
    end_s = subject.duration_s or 0.0
    edges = (
        ("begins", measured["leading_silence_s"], (0.0, subject.speech[0][0])),
        ("ends", measured["trailing_silence_s"], (subject.speech[-1][1], end_s)),
    )
    found = [(how, seconds, span) for how, seconds, span in edges if seconds > longest]
    if found:
        how = " and ".join(f"{how} with {seconds:.1f} s" for how, seconds, _ in found)
        yield rule.finding(
            f"it {how} without speech: cut it to half a second",
            value=max(seconds for _, seconds, _ in found),
            limit=longest,
            spans=tuple(span for _, _, span in found),
        )


def _long_pause(rule: Rule, subject: Subject) -> Iterator[Finding]:
    longest = rule["max_pause_s"]
    if "longest_pause_s" not in subject.measurements:
        return
    pauses = [(before[1], after[0]) for before, after in pairwise(subject.speech)]
    long_ones = [(start, end) for start, end in pauses if end - start > longest]
    if long_ones:
        worst = max(end - start for start, end in long_ones)
        count = "a pause" if len(long_ones) == 1 else f"{len(long_ones)} pauses"
        yield rule.finding(
            f"{count} of up to {worst:.1f} s, first at {clock(long_ones[0][0])}: a clone learns to pause so long",
            value=worst,
            limit=longest,
            spans=tuple(long_ones),
        )


NO_SPEECH = Rule(
    "no-speech",
    "error",
    what="Nobody speaks in the recording, and nothing in it sounds like a voice.",
    why="There is nothing to clone, and the attempt costs as much as one that works.",
    source="Silero VAD v6; beside it pitch, harmonics and the rhythm of syllables, for voices it does not know.",
    mend="Choose the right file. If somebody does speak in it, overrule this with --severity no-speech=warning.",
    judge=_no_speech,
    thresholds=(_SPOKEN, _SPOKEN_SHARE, _SPOKEN_OF_SOUND, _VOICE_LIKE),
)
UNSURE_VOICE = Rule(
    "unsure-voice",
    "warning",
    what="Something is as harmonic and as lively as a voice, but the speech detector hears no speech.",
    why="Children and characters are heard so, and can be cloned. So are song and music, and cannot.",
    source="Silero VAD v6 against pitch, harmonics and the rhythm of syllables.",
    mend="Listen to it. If it is the voice that you want, go on.",
    judge=_unsure_voice,
    thresholds=(_SPOKEN, _SPOKEN_SHARE, _SPOKEN_OF_SOUND, _VOICE_LIKE),
)
LITTLE_SPEECH = Rule(
    "little-speech",
    "warning",
    what="Somebody speaks, but not for long, or seldom.",
    why="A voice is cloned from speech: what else is in the recording is learned too.",
    source="The clone endpoint's guide: 10 s at the least, one to two minutes at best.",
    mend="Record more, with fewer and shorter pauses.",
    judge=_little_speech,
    thresholds=(
        _SPOKEN,
        _SPOKEN_SHARE,
        _SPOKEN_OF_SOUND,
        Threshold("min_seconds_of_speech_s", 5.0, "Half of the shortest recording that is accepted."),
        Threshold("min_share_of_speech_percent", 35.0, "Half of what read speech has at the least. " + _OWN),
    ),
)
EDGE_SILENCE = Rule(
    "edge-silence",
    "warning",
    what="The recording begins or ends with a long time without speech.",
    why="It teaches the clone nothing, and counts towards the five minutes.",
    source="ACX asks for 0.5 to 1 s of room tone at the beginning, and 1 to 5 s at the end.",
    mend="Cut it to about half a second.",
    judge=_edge_silence,
    thresholds=(Threshold("max_edge_silence_s", 2.0, "Twice what ACX allows at the beginning."),),
)
LONG_PAUSE = Rule(
    "long-pause",
    "warning",
    what="The speaker pauses for long.",
    why="A cloned voice learns how long to pause.",
    source="Practice of voice-cloning services: no pauses over about 1.5 s.",
    mend="Speak on, or shorten the pauses.",
    judge=_long_pause,
    thresholds=(Threshold("max_pause_s", 1.5, "Practice of voice-cloning services."),),
)
