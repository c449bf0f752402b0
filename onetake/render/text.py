"""Plain text for a terminal: safe, short, in colour only where somebody looks."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final, TextIO

import click

from onetake.render.forms import Form
from preflight.wording import clock, megabytes

if TYPE_CHECKING:
    from preflight import FileFacts, Report

_COLOURS = {
    "ready": "green",
    "fixable": "yellow",
    "rejected": "red",
    "error": "red",
    "warning": "yellow",
    "info": "cyan",
}


def safe(text: str) -> str:
    """`text` without characters that move the cursor, colour the terminal or turn the writing direction."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def wants_colour(stream: TextIO) -> bool:
    """Whether `stream` is a terminal whose user did not decline colour (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def coloured(word: str, stream: TextIO | None = None) -> str:
    """A verdict or severity in its colour, where `stream` (standard output by default) wants colour."""
    return click.style(word, fg=_COLOURS[word], bold=True) if wants_colour(stream or sys.stdout) else word


def styled(text: str, colour: str | None) -> str:
    """`text` in a colour, where standard output wants colour."""
    return click.style(text, fg=colour) if colour and wants_colour(sys.stdout) else text


def describe_file(file: FileFacts) -> str:
    """The facts of a file in one line."""
    if not file.container:
        return megabytes(file.bytes)
    channels = {1: "mono", 2: "stereo"}.get(file.channels, f"{file.channels} channels")
    parts = [f"{file.container} ({file.codec or 'unknown'})"]
    if file.duration_s is not None:
        parts.append(clock(file.duration_s))
    parts += [f"{file.sample_rate_hz} Hz", channels]
    if file.bit_rate_bps:
        parts.append(f"{file.bit_rate_bps / 1000:.0f} kbit/s")
    return ", ".join([*parts, megabytes(file.bytes)])


_MEASURED = (
    ("integrated_loudness_lufs", "{:.1f} LUFS"),
    ("true_peak_dbtp", "true peak {:.1f} dBTP"),
    ("speech_percent", "speech {:.0f} %"),
    ("noise_floor_dbfs", "noise floor {:.0f} dBFS"),
    ("snr_db", "SNR {:.0f} dB"),
    ("bandwidth_hz", "up to {:.0f} Hz"),
)


def describe_sound(report: Report) -> str:
    """The measurements that say most, in one line; empty when nothing was measured."""
    measured = report.measurements
    parts = [form.format(measured[name]) for name, form in _MEASURED if name in measured]
    heard, whole = measured.get("measured_s"), report.file.duration_s or 0.0
    if heard is not None and whole - heard > 1:
        parts.append(f"measured over the first {clock(heard)}")
    return ", ".join(parts)


def measurement_lines(report: Report) -> list[str]:
    """Everything that was measured, a line each."""
    return [f"    {name:<28} {value:g}" for name, value in report.measurements.items()]


def is_wrong(report: Report, bad: set[str]) -> bool:
    """Whether there is a finding of one of the severities `bad`."""
    return any(finding.severity in bad for finding in report.findings)


def report_lines(report: Report, *, measured: bool = False) -> list[str]:
    """A report as lines: verdict and facts first, then the findings.

    Args:
        report: Of a take.
        measured: Whether to tell everything that was measured.
    """
    by_headers = " (by its headers only)" if report.method == "headers" else ""
    lines = [f"{safe(report.path)}: {coloured(report.verdict)}{by_headers}: {describe_file(report.file)}"]
    sound = describe_sound(report)
    if sound:
        lines.append(f"  {sound}")
    if measured:
        lines += measurement_lines(report)
    for finding in report.findings:
        lines.append(f"  {coloured(finding.severity)} {finding.rule}: {safe(finding.message)}")
    return lines


FORM: Final = Form(each=report_lines)
