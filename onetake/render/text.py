"""Plain text for people: escaped control characters, local times, and colors only where the stream wants them."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TextIO

import click

from onetake.console.terminal import wants_color
from onetake.render.formats import Form
from preflight.display.text import describe_file, describe_sound

if TYPE_CHECKING:
    from preflight import Report


def local_time(moment: datetime) -> datetime:
    """Convert to the local time zone, or to UTC if that zone is invalid, such as TZ=XXX+99:99."""
    try:
        return moment.astimezone()
    except (ValueError, OverflowError, OSError):  # an offset of a day or more, or a year that the system cannot convert
        return moment.astimezone(UTC)


_COLORS: Final = {
    "ready": "green",
    "fixable": "yellow",
    "rejected": "red",
    "error": "red",
    "warning": "yellow",
    "info": "cyan",
}


def safe(text: str) -> str:
    r"""Escape the control and bidirectional characters of `text`, so that it cannot move a terminal's cursor.

    The only terminal sanitizer of the application: every text that comes from a file, its name or a service passes
    through it before it is printed.

    >>> safe("a\x1b[31m\u202e.wav")
    'a\\x1b[31m\\u202e.wav'
    """
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def colored(word: str, stream: TextIO | None = None) -> str:
    """A verdict or severity in its color, if `stream` (by default standard output) wants colors."""
    return click.style(word, fg=_COLORS[word], bold=True) if wants_color(stream or sys.stdout) else word


def styled(text: str, color: str | None) -> str:
    """`text` in a color, if standard output wants colors."""
    return click.style(text, fg=color) if color and wants_color(sys.stdout) else text


def measurement_lines(report: Report) -> list[str]:
    """All measurements, one per line."""
    return [f"    {name:<28} {value:g}" for name, value in report.measurements.items()]


def has_severity(report: Report, severities: set[str]) -> bool:
    """Whether a report has a finding of one of `severities`."""
    return any(finding.severity in severities for finding in report.findings)


def report_lines(report: Report, *, with_measurements: bool = False) -> list[str]:
    """A report as lines: path, verdict and facts, then a line of measurements, then the findings.

    Args:
        report: The report of one take.
        with_measurements: Whether to list all measurements.
    """
    by_headers = " (headers only)" if report.method == "headers" else ""
    lines = [f"{safe(report.path)}: {colored(report.verdict)}{by_headers}: {describe_file(report.file)}"]
    sound = describe_sound(report)
    if sound:
        lines.append(f"  {sound}")
    if with_measurements:
        lines += measurement_lines(report)
    for finding in report.findings:
        lines.append(f"  {colored(finding.severity)} {finding.rule}: {safe(finding.message)}")
    return lines


FORM: Final = Form(each=report_lines)
