"""GitHub annotations, as workflow commands in the log of a step.

Syntax: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from onetake.console.terminal import safe
from onetake.render.formats import Form
from preflight.display.text import clock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from onetake.errors import Failure
    from preflight import Finding, Report

_COMMANDS: Final = {"error": "error", "warning": "warning", "info": "notice"}
_SHOWN_SPANS: Final = 3
_IN_MESSAGES: Final = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_IN_PROPERTIES: Final = {**_IN_MESSAGES, ":": "%3A", ",": "%2C"}
"""Escapes of characters that would end a command or one of its properties."""


def annotation_lines(report: Report) -> Iterator[str]:
    """One command per finding."""
    for finding in report.findings:
        poor = " (poor quality)" if finding.quality == "poor" else ""
        message = f"{report.path}: {finding.message}{poor}{_times(finding)}"
        yield _command(_COMMANDS[finding.severity], message, file=report.path, title=finding.rule)


def summary_line(reports: Sequence[Report]) -> str:
    """The number of takes with each verdict, and with poor quality."""
    counts = Counter([*(report.verdict for report in reports), *(report.quality for report in reports)])
    listed = ", ".join(
        f"{counts[word]} {word}" for word in ("ready", "fixable", "rejected", "fair", "poor") if counts[word]
    )
    return _command("notice", listed or "nothing was checked", title="onetake check")


def failure_line(failure: Failure) -> str:
    """Why the command failed."""
    hint = f" ({failure.hint})" if failure.hint else ""
    return _command("error", f"{failure.message}{hint}", title=f"onetake: {failure.kind}")


def _times(finding: Finding) -> str:
    if not finding.spans:
        return ""
    shown = [f"{clock(start)}-{clock(end)}" for start, end in finding.spans[:_SHOWN_SPANS]]
    more = len(finding.spans) - len(shown)
    return f" [{', '.join(shown)}{f' and {more} more' if more else ''}]"


def _command(name: str, message: str, **properties: str) -> str:
    listed = ",".join(f"{key}={_escaped(value, _IN_PROPERTIES)}" for key, value in properties.items() if value)
    return f"::{name} {listed}::{_escaped(message, _IN_MESSAGES)}"


def _escaped(text: str, replacements: dict[str, str]) -> str:
    return "".join(replacements.get(char) or safe(char) for char in text)


FORM: Final = Form(
    each=annotation_lines,
    end=lambda reports, _fail_on, _seconds: [summary_line(reports)],
    failure=lambda failure: [failure_line(failure)],
)
