"""Plain text for a terminal: safe, short, in colour only where somebody looks."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final, TextIO

import click

from onetake.render.formats import Form
from preflight.display.text import describe_file, describe_sound

if TYPE_CHECKING:
    from preflight import Report

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
