"""One recording's section of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from onetake.render.html import drawing
from onetake.render.html.drawing import number
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
        _figure(f"Waveform{of_channels}; findings are marked", wave, kind=f"wave-{channels}"),
        _figure("Speech", drawing.speech(report.speech, seconds, name)),
    ]
    if picture := pictures.spectrogram:
        caption = f"Spectrogram, {number(picture.range_db)} dB below its loudest point"
        scale = (f"{number(picture.high_hz / 1000)} kHz", f"{number(picture.low_hz)} Hz")
        figures.append(_figure(caption, drawing.spectrogram(picture, seconds, name), scale))
    if pictures.momentary:
        whole = report.measurements.get("integrated_loudness_lufs")
        tracks = (pictures.momentary, pictures.short_term)
        drawn = drawing.loudness(tracks, target_db, whole, seconds, name)
        figures.append(_figure(_loudness_caption(whole, target_db), drawn, ("0 LUFS", "-60 LUFS")))
    return figures


def _figure(caption: str, picture: Markup, scale: tuple[str, str] = ("", ""), kind: str = "") -> dict[str, Any]:
    return {"caption": caption, "picture": picture, "top": scale[0], "bottom": scale[1], "kind": kind}


def _loudness_caption(whole: float | None, target_db: tuple[float, float]) -> str:
    integrated = f", {number(whole)} LUFS integrated (dashed)" if whole is not None else ""
    low, high = target_db
    return (
        f"Loudness over 3 s (thick) and 400 ms (thin){integrated}; "
        f"shaded: the target level, {number(low)} to {number(high)} dB RMS"
    )


def _measurements(entry: Entry) -> list[tuple[str, str]]:
    report = entry.report
    rows = [(name, f"{value:g}") for name, value in report.measurements.items()]
    if report.file.sha256:
        rows.append(("sha256", report.file.sha256))
    return rows
