"""Plain text for people: reports as lines, local times, and colors only where the stream wants them."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, TextIO

import click

from onetake.console.terminal import INDENT, safe, wants_color
from onetake.render.formats import Form
from preflight.display.text import describe_file, describe_sound

if TYPE_CHECKING:
    from preflight import Finding, Report


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
    "good": "green",
    "fair": "yellow",
    "poor": "red",
    "error": "red",
    "warning": "yellow",
    "info": "cyan",
}


def colored(word: str, stream: TextIO | None = None) -> str:
    """A verdict or severity in its color, if `stream` (by default standard output) wants colors."""
    return click.style(word, fg=_COLORS[word], bold=True) if wants_color(stream or sys.stdout) else word


def styled(text: str, color: str | None) -> str:
    """`text` in a color, if standard output wants colors."""
    return click.style(text, fg=color) if color and wants_color(sys.stdout) else text


def measurement_lines(report: Report) -> list[str]:
    """All measurements, one per line."""
    return [f"    {name:<28} {value:g}" for name, value in report.measurements.items()]


FailOn = Literal["error", "poor", "warning"]


def fails(finding: Finding, fail_on: FailOn) -> bool:
    """Whether a finding makes a recording unfit: an error does, and with ``poor`` or ``warning`` these as well."""
    return finding.severity in {"error", fail_on} or finding.quality == fail_on


def is_unfit(report: Report, fail_on: FailOn) -> bool:
    """Whether a report has a finding that fails the run."""
    return any(fails(finding, fail_on) for finding in report.findings)


def headline_of(report: Report) -> str:
    """The path and the headline, with verdict and quality in color."""
    from preflight.display.report_text import headline  # here, as below: the rules are not needed to print a failure

    words = safe(headline(report)).replace(report.verdict, colored(report.verdict), 1)
    if report.quality is not None:
        words = words.replace(f" {report.quality}", f" {colored(report.quality)}", 1)
    return f"{safe(report.path)}: {words}"


def report_lines(report: Report, *, with_measurements: bool = False) -> list[str]:
    """A report as lines: headline, next step, what the figures mean, then the findings.

    Args:
        report: The report of one take.
        with_measurements: Whether to add the facts of the file, all measurements, and the figures of findings.
    """
    lines = [headline_of(report), next_line(report), *figure_lines(report)]
    if with_measurements:
        lines += detail_lines(report)
    return [*lines, *(finding_line(finding, with_figures=with_measurements) for finding in report.findings)]


def next_line(report: Report) -> str:
    """What to do now."""
    from preflight.display.report_text import next_step

    return f"{INDENT}next: {safe(next_step(report))}"


def figure_lines(report: Report) -> list[str]:
    """What the most important figures mean, if anything was measured."""
    from preflight.display.report_text import sound_in_words

    words = sound_in_words(report)
    return [f"{INDENT}{words}"] if words else []


def detail_lines(report: Report) -> list[str]:
    """The facts of the file, the usual figures, and all measurements."""
    facts = (describe_file(report.file), describe_sound(report))
    return [*(f"{INDENT}{line}" for line in facts if line), *measurement_lines(report)]


def finding_line(finding: Finding, *, with_figures: bool) -> str:
    """A finding as one line, with its figures in dB or in plain words."""
    from preflight.display.report_text import plain_message

    message = finding.message if with_figures else plain_message(finding)
    return f"{INDENT}{colored(finding.severity)} {finding.rule}: {safe(message)}"


FORM: Final = Form(each=report_lines)
