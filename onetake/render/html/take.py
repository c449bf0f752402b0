"""One recording's section of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from onetake.render.html import drawing
from onetake.render.html.drawing import number
from onetake.render.html.table import label_of
from preflight.display.report_text import headline, next_step, sound_in_words
from preflight.display.text import clock, describe_file

if TYPE_CHECKING:
    from markupsafe import Markup

    from onetake.render.html.player import Sources
    from onetake.render.html.report_page import Entry
    from preflight import Finding

_MOST_PLACES: Final = 12
"""Limit of buttons per finding; all its spans are marked in the waveform."""
_TICKS: Final = 4


def take_context(
    entry: Entry, name: str, place: int, sources: Sources, target_db: tuple[float, float], *, is_open: bool
) -> dict[str, Any]:
    """The template's variables: findings, player, pictures, measurements.

    Args:
        entry: The recording.
        name: The name that the page shows.
        place: Its number on the page, from 1.
        sources: Where the page's audio comes from.
        target_db: The level range that the profile requires, in dBFS RMS.
        is_open: Whether the section is unfolded.
    """
    report = entry.report
    source = sources.source(entry)
    seconds = entry.duration_s
    return {
        "number": place,
        "name": name,
        "seconds": number(seconds, 3),
        "is_open": is_open,
        "verdict": report.verdict,
        "quality": report.quality,
        "headline": headline(report),
        "next_step": next_step(report),
        "words": sound_in_words(report),
        "level": _level(entry, name, target_db),
        "is_prompt": report.role == "prompt",
        "headers_only": report.method == "headers",
        "facts": describe_file(report.file),
        "audio_source": source,
        "findings": [_finding(finding, can_play=source is not None) for finding in report.findings],
        "figures": _figures(entry, name, target_db),
        "ticks": [clock(seconds * tick / _TICKS) for tick in range(_TICKS + 1)],
        "measurements": _measurements(entry),
    }


def _finding(finding: Finding, *, can_play: bool) -> dict[str, Any]:
    spans = finding.spans if can_play else ()
    return {
        "severity": finding.severity,
        "rule": finding.rule,
        "label": label_of(finding.rule),
        "poor": finding.quality == "poor",
        "message": finding.message,
        "can_fix": bool(finding.fix),
        "places": [
            {"seconds": number(start, 3), "until": number(end, 3), "clock": clock(start)}
            for start, end in spans[:_MOST_PLACES]
        ],
        "more": max(0, len(spans) - _MOST_PLACES),
    }


def _figures(entry: Entry, name: str, target_db: tuple[float, float]) -> list[dict[str, Any]]:
    pictures, seconds, report = entry.pictures, entry.duration_s, entry.report
    if pictures is None or not seconds:
        return []
    channels = len(pictures.waveform.highs)
    of_channels = ", left above right" if channels > 1 else ""
    wave = drawing.waveform(pictures.waveform, report.findings, seconds, name)
    figures = [
        _figure(f"Waveform{of_channels}; findings are marked (click to listen)", wave, kind=f"wave-{channels}"),
        _figure("Speech", drawing.speech(report.speech, seconds, name)),
    ]
    if picture := pictures.spectrogram:
        caption = f"Spectrogram, {number(picture.range_db)} dB below its loudest point"
        scale = (f"{number(picture.high_hz / 1000)} kHz", f"{number(picture.low_hz)} Hz")
        figures.append(_figure(caption, drawing.spectrogram(picture, seconds, name), scale))
    if pictures.momentary:
        whole = report.measurements.get("integrated_loudness_lufs")
        tracks = (pictures.momentary, pictures.short_term)
        drawn = drawing.loudness(tracks, whole, seconds, name)
        figures.append(_figure(_loudness_caption(whole), drawn, ("0 LUFS", "-60 LUFS")))
    return figures


def _figure(caption: str, picture: Markup, scale: tuple[str, str] = ("", ""), kind: str = "") -> dict[str, Any]:
    return {"caption": caption, "picture": picture, "top": scale[0], "bottom": scale[1], "kind": kind}


def _loudness_caption(whole: float | None) -> str:
    integrated = f", {number(whole)} LUFS integrated (dashed)" if whole is not None else ""
    return f"Loudness over 3 s (thick) and 400 ms (thin){integrated}"


def _level(entry: Entry, name: str, target_db: tuple[float, float]) -> dict[str, Any] | None:
    """The level beside the range of the profile; in dBFS RMS, which is another scale than that of the loudness."""
    rms = entry.report.measurements.get("rms_dbfs")
    if rms is None or entry.report.quality is None:
        return None
    low, high = target_db
    caption = f"Level {number(rms)} dBFS RMS; shaded: accepted by the profile, {number(low)} to {number(high)} dBFS RMS"
    return {"caption": caption, "picture": drawing.level(rms, target_db, name)}


_TITLES: Final = {
    "snr_db": "Signal-to-noise ratio",
    "rms_dbfs": "Level (RMS)",
    "hum_db": "Hum above the noise around it",
    "hum_dbfs": "Hum level",
    "hum_hz": "Hum frequency",
    "fold_down_loss_db": "Loss in mono",
    "bandwidth_hz": "Highest frequency of the voice",
    "room_decay_s": "Decay of the room (60 dB)",
    "measured_s": "Measured duration",
    "speech_s": "Speech",
    "speech_percent": "Share of speech",
    "speech_of_sound_percent": "Share of speech in all sound",
    "voice_like_s": "Voice-like sound",
}
"""Names that do not follow from the key."""
_UNITS: Final = dict(percent="%", db="dB", dbfs="dBFS", dbtp="dBTP", lufs="LUFS", lu="LU", hz="Hz", s="s")  # noqa: C408


def _measurements(entry: Entry) -> list[dict[str, str]]:
    report = entry.report
    rows = [_measurement(key, value) for key, value in report.measurements.items()]
    if report.file.sha256:
        rows.append({"key": "sha256", "title": "SHA-256 of the file", "value": report.file.sha256})
    return rows


def _measurement(key: str, value: float) -> dict[str, str]:
    words, _, suffix = key.rpartition("_")
    unit = _UNITS.get(suffix, "") if words else ""
    plain = (words if unit else key).replace("_", " ").replace("dc ", "DC ")
    return {"key": key, "title": _TITLES.get(key, plain[0].upper() + plain[1:]), "value": f"{value:g} {unit}".rstrip()}
