"""A report in plain words: the headline, the next step, findings, and what the most important figures mean.

People who record voices need not know decibels: figures in dB, dBFS, dBTP and LUFS are left to the detailed views.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from preflight.display.shell_arguments import argument
from preflight.display.text import clock
from preflight.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from preflight.report import Finding, Report

# Decoded lossy recordings with a normal peak stay below it.
_OVERSHOOT_DB: Final = 1.0
_QUIET_ROOM_SNR_DB: Final = 35.0
"""Recommended by Azure's custom neural voice."""
_GOOD_LEVEL_DBFS: Final = (-30.0, -14.0)
"""ACX and ElevenLabs ask for -23 to -18 dBFS RMS; services normalize a few decibels more or less without a loss."""
_DRY_S: Final = 0.3
"""The most that dry speech measures: docs/benchmarks.md."""
_CLEAR_HZ: Final = 7000.0
"""Wideband telephony (ITU-T G.722)."""
_SHORT_S: Final = 30.0
"""Half of the minute or two that the clone endpoint's guide recommends."""
_LISTEN_FIRST: Final = frozenset({"unsure-voice"})
"""Findings with which even the clone of a take of fair quality may not be worth its price."""
_TECHNICAL: Final = re.compile(r"\b(dB|dBFS|dBTP|LUFS|SNR)\b")
_DETAIL: Final = re.compile(r" \(([^()]*)\)$")
_NUMBER: Final = re.compile(r"-?[\d.]+")
"""A detail without a unit, from a rule that gives only a value."""
_VERDICTS: Final = ("rejected", "fixable", "ready")
_QUALITIES: Final = ("poor", "fair", "good", None)


def headline(report: Report) -> str:
    """Return verdict, quality and the worst reason, such as ``ready, but poor: clipped (16 % of the samples)``."""
    verdict, quality = report.verdict, report.quality
    if quality is None:
        head = f"{verdict} (headers only)" if report.method == "headers" else verdict
    elif quality == "good":
        head = f"{verdict}, good" if verdict == "ready" else f"{verdict}, good otherwise"
    elif quality == "fair":
        head = f"{verdict}, fair"
    else:
        head = f"{verdict}, {'and' if verdict == 'rejected' else 'but'} poor"
    reasons = "; ".join(dict.fromkeys(_plain_summary(finding) for finding in _worst(report)))
    return f"{head}: {reasons}" if reasons else head


def badness(report: Report) -> tuple[int, int, int]:
    """Return a sort key that puts the worst recordings first: by verdict, by quality, by the number of findings."""
    return _VERDICTS.index(report.verdict), _QUALITIES.index(report.quality), -len(report.findings)


def next_step(report: Report) -> str:
    """Return one thing to do now, as advice or as a command; the findings contain further advice."""
    path, poorest = argument(report.path), _poorest(report)
    if report.verdict == "rejected" and (error := report.deciding_error) is not None:
        if error.rule == "too-short":
            return f"record more, or join several takes: onetake join {path} OTHER... -o joined.wav"
        return advice(error)
    if poorest is not None and (report.quality == "poor" or poorest.rule in _LISTEN_FIRST):
        return advice(poorest)
    if report.verdict == "fixable":
        return f"onetake fix {path}"
    return _next_of_ready(report, path, poorest)


def _next_of_ready(report: Report, path: str, poorest: Finding | None) -> str:
    if report.role == "prompt":
        return f"onetake clone TAKE --prompt {path}"
    if report.method == "headers":
        return f"onetake check {path} (measures the sound as well)"
    if poorest is None and (report.file.duration_s or 0.0) < _SHORT_S:
        return f"onetake clone {path} (one to two minutes of speech work best: onetake join adds takes)"
    return f"onetake clone {path}"


def sound_in_words(report: Report) -> str:
    """Return the duration, and what noise, level, echo, clipping and bandwidth mean."""
    seconds = report.file.duration_s
    length = [] if seconds is None else [f"{int(10 * seconds + 1e-6) / 10:.1f} s" if seconds < 60 else clock(seconds)]
    is_judged = report.quality is not None
    return ", ".join([*length, *(_figures(report.measurements) if is_judged else ())])


def _figures(measured: Mapping[str, float]) -> Iterator[str]:
    if measured.get("digital_silence_percent", 0.0) > RULES["gated"]["max_digital_silence_percent"]:
        yield "room noise unknown (the pauses are silenced)"
    elif measured.get("gate_steps_per_minute", 0.0) > RULES["gated"]["max_gate_steps_per_minute"]:
        yield "room noise unknown (a gate turns the pauses down)"
    elif (ratio := measured.get("snr_db")) is not None:
        yield _noise_word(ratio)
    level = measured.get("speech_level_dbfs", measured.get("rms_dbfs"))
    if level is not None:
        yield _level_word(level, measured["rms_dbfs"])
    if (decay := measured.get("room_decay_s")) is not None:
        yield _room_word(decay)
    if (percent := measured.get("clipped_percent")) is not None:
        yield _clipping_word(percent, measured.get("sample_peak_dbfs", 0.0))
    if (bandwidth := measured.get("bandwidth_hz")) is not None:
        yield _bandwidth_word(bandwidth)


def _clipping_word(percent: float, peak_dbfs: float) -> str:
    if percent > RULES["clipped"]["max_clipped_percent"]:
        return f"{percent:.2g} % clipped"
    # a codec at a low bit rate turns hard clipping into peaks beyond the ceiling, and decoders to integers clip these
    return f"peaks {peak_dbfs:.0f} dB above full scale" if peak_dbfs >= _OVERSHOOT_DB else "not clipped"


def _noise_word(ratio: float) -> str:
    limit = RULES["noisy"].threshold("min_snr_db")
    if ratio >= _QUIET_ROOM_SNR_DB:
        return "quiet room"
    if ratio >= limit.value:
        return "a little noisy"
    return "noisy" if limit.grade(ratio) == "fair" else "very noisy"


def _room_word(decay: float) -> str:
    limit = RULES["reverberant"].threshold("max_room_decay_s")
    if decay <= limit.value:
        return "no echo" if decay <= _DRY_S else "little echo"
    return "echo" if limit.grade(decay) == "fair" else "strong echo"


def _level_word(speech: float, whole: float) -> str:
    if speech < RULES["too-quiet"]["min_speech_level_dbfs"] or whole < RULES["too-quiet"]["min_rms_dbfs"]:
        return "very quiet"
    if whole > RULES["too-loud"]["max_rms_dbfs"]:
        return "too loud"
    low, high = _GOOD_LEVEL_DBFS
    return "a little quiet" if speech < low else "a little loud" if speech > high else "good level"


def _bandwidth_word(bandwidth: float) -> str:
    limit = RULES["narrow-band"].threshold("min_bandwidth_hz")
    if bandwidth >= limit.value:
        return "clear" if bandwidth >= _CLEAR_HZ else "a little dull"
    return "dull" if limit.grade(bandwidth) == "fair" else "like a telephone"


def _worst(report: Report) -> tuple[Finding, ...]:
    """Return the error that decides the verdict, and the first of the findings that determine the quality."""
    return tuple(finding for finding in (report.deciding_error, _poorest(report)) if finding is not None)


def _poorest(report: Report) -> Finding | None:
    graded = (finding for finding in report.findings if finding.quality and finding.quality == report.quality)
    return next(graded, None)


def _plain_summary(finding: Finding) -> str:
    """Return the summary of a finding, without a detail in technical units or without a unit."""
    summary = finding.summary or finding.rule
    detail = _DETAIL.search(summary)
    is_technical = detail is not None and (_TECHNICAL.search(detail[1]) or _NUMBER.fullmatch(detail[1]))
    return summary[: detail.start()] if detail and is_technical else summary


def plain_message(finding: Finding) -> str:
    """Return the message of a finding; where it has technical units, what is wrong, where, and what to do."""
    then = advice(finding)
    if not _TECHNICAL.search(finding.message) or _TECHNICAL.search(then):
        return finding.message
    place = f", first at {clock(finding.spans[0][0])}" if finding.spans else ""
    return f"{_plain_summary(finding)}{place}: {then}"


def advice(finding: Finding) -> str:
    """Return what a finding says to do: the end of its message, else the first sentence of the rule's advice."""
    advice = finding.message.rpartition(": ")[2]
    if finding.rule not in RULES or (advice != finding.message and '"' not in advice):
        return advice
    sentence = RULES[finding.rule].fix_hint.partition(". ")[0].rstrip(".")
    return sentence[0].lower() + sentence[1:]
