"""One recording's own part of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from onetake.render.html import drawing
from onetake.render.html.markup import escaped, isolated, number
from preflight.wording import clock, describe_file

if TYPE_CHECKING:
    from onetake.render.html.entry import Entry
    from onetake.render.html.player import Shelf
    from preflight import Finding

_MOST_PLACES: Final = 12
"""Buttons of one finding; all its places are marked in the waveform."""
_TICKS: Final = 4


def section(
    entry: Entry, name: str, number_of_it: int, shelf: Shelf, target_db: tuple[float, float], *, is_open: bool
) -> str:
    """Everything about one recording: what was found, its player, its pictures, its measurements."""
    report = entry.report
    player = shelf.player(entry, name)
    opened = " open" if is_open else ""
    by_headers = ", by its headers only" if report.method == "headers" else ""
    role = "prompt clip: " if report.role == "prompt" else ""
    return (
        f'<section class="take" id="take-{number_of_it}" data-seconds="{number(entry.duration_s, 3)}">'
        f"<details{opened}><summary><h2>{isolated(name)}</h2> "
        f'<span class="verdict {report.verdict}">{report.verdict}</span></summary>'
        f'<p class="facts">{role}{escaped(describe_file(report.file))}{by_headers}</p>'
        f"{player}{_findings(report.findings, can_play=bool(player))}{_pictures(entry, name, target_db)}"
        f"{_measurements(entry)}</details></section>\n"
    )


def _findings(findings: tuple[Finding, ...], *, can_play: bool) -> str:
    if not findings:
        return '<p class="none">Nothing was found that is wrong with it.</p>'
    return f'<ul class="findings">{"".join(_finding(one, can_play=can_play) for one in findings)}</ul>'


def _finding(finding: Finding, *, can_play: bool) -> str:
    told = (
        f'<span class="severity {finding.severity}">{finding.severity}</span> '
        f'<b class="rule">{escaped(finding.rule)}:</b> {escaped(finding.message)}'
    )
    can_mend = ' <span class="mend">onetake fix can mend it</span>' if finding.fix else ""
    if not finding.spans or not can_play:
        return f'<li><div class="finding">{told}</div>{can_mend}</li>'
    first = finding.spans[0][0]
    places = "".join(
        f'<button type="button" data-at="{number(start, 3)}" aria-label="play {escaped(finding.rule)} at '
        f'{clock(start)}">{clock(start)}</button>'
        for start, _ in finding.spans[1:_MOST_PLACES]
    )
    others = f'<div class="places">also at {places}{_more(finding)}</div>' if places else ""
    return (
        f'<li><button type="button" class="finding" data-at="{number(first, 3)}">{told}'
        f' <span class="when">play from {clock(first)}</span></button>{can_mend}{others}</li>'
    )


def _more(finding: Finding) -> str:
    more = len(finding.spans) - _MOST_PLACES
    return f" and {more} more" if more > 0 else ""


def _pictures(entry: Entry, name: str, target_db: tuple[float, float]) -> str:
    pictures, seconds = entry.pictures, entry.duration_s
    if pictures is None or not seconds:
        return ""
    report = entry.report
    channels = len(pictures.waveform.highs)
    of_channels = ", left above right" if channels > 1 else ""
    figures = [
        _figure(
            f"Waveform{of_channels}; what was found is marked",
            drawing.waveform(pictures.waveform, report.findings, seconds, name),
            f"wave-{channels}",
        ),
        _figure("Speech", drawing.speech(report.speech, seconds, name)),
    ]
    if picture := pictures.spectrogram:
        scale = _scale(f"{number(picture.high_hz / 1000)} kHz", f"{number(picture.low_hz)} Hz")
        caption = f"Spectrogram, {number(picture.range_db)} dB below its loudest"
        figures.append(_figure(caption, drawing.spectrogram(picture, seconds, name) + scale))
    if pictures.momentary:
        whole = report.measurements.get("integrated_loudness_lufs")
        tracks = (pictures.momentary, pictures.short_term)
        drawn = drawing.loudness(tracks, target_db, whole, seconds, name)
        figures.append(_figure(_about_loudness(whole, target_db), drawn + _scale("0 LUFS", "-60 LUFS")))
    ticks = "".join(f"<span>{clock(seconds * tick / _TICKS)}</span>" for tick in range(_TICKS + 1))
    return (
        f'<div class="pictures">{"".join(figures)}<div class="head" hidden></div></div><div class="ticks">{ticks}</div>'
    )


def _about_loudness(whole: float | None, target_db: tuple[float, float]) -> str:
    integrated = f", {number(whole)} LUFS in all (dashed)" if whole is not None else ""
    low, high = target_db
    return (
        f"Loudness over 3 s (thick) and 400 ms (thin){integrated}; "
        f"shaded is the level asked for, {number(low)} to {number(high)} dB RMS"
    )


def _figure(caption: str, content: str, kind: str = "") -> str:
    return (
        f'<figure class="{kind}"><figcaption>{escaped(caption)}</figcaption><div class="plot">{content}</div></figure>'
    )


def _scale(top: str, bottom: str) -> str:
    return f'<span class="top" aria-hidden="true">{top}</span><span class="bottom" aria-hidden="true">{bottom}</span>'


def _measurements(entry: Entry) -> str:
    report = entry.report
    rows = [(name, f"{value:g}") for name, value in report.measurements.items()]
    if report.file.sha256:
        rows.append(("sha256", report.file.sha256))
    if not rows:
        return ""
    cells = "".join(f'<tr><th scope="row">{escaped(name)}</th><td>{escaped(value)}</td></tr>' for name, value in rows)
    return f'<details class="measured"><summary>All measurements</summary><table>{cells}</table></details>'
