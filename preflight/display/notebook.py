"""What a notebook shows of a report: inline HTML without scripts, readable on a light and on a dark page.

Colours are translucent, lines and text have the page's own. Names and tags come from strangers: all text is escaped.
"""

from __future__ import annotations

import html
import math
from functools import wraps
from typing import TYPE_CHECKING, Final, TypeVar

from preflight.display.text import clock, describe_file, describe_sound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from preflight.report import Finding, Report, Span

T = TypeVar("T")

_COLOURS: Final = {
    "ready": "rgba(46,160,67,.3)",
    "fixable": "rgba(220,160,30,.35)",
    "rejected": "rgba(235,70,60,.35)",
    "error": "rgba(235,70,60,.35)",
    "warning": "rgba(220,160,30,.35)",
    "info": "rgba(60,130,220,.3)",
}
_NONE: Final = "rgba(128,128,128,.3)"
_WIDTH: Final = 1000
"""Units from the beginning to the end of a recording; a picture is as wide as the page."""
_HEIGHT: Final = 40
_LEAST_MARK: Final = 3.0
_MOST_MARKS: Final = 300
_MOST_PLACES: Final = 5


def never_failing(show: Callable[[T], str]) -> Callable[[T], str]:
    """A notebook shows nothing at all of what raises: then rather the plain text."""

    @wraps(show)
    def shown(value: T) -> str:
        try:
            return show(value)
        except Exception:  # noqa: BLE001 - whatever somebody put into it
            return f"<pre>{text_of(repr(value))}</pre>"

    return shown


@never_failing
def html_of_report(report: Report) -> str:
    """Verdict, facts, findings, and where they are."""
    return framed(shown_report(report))


def framed(content: str) -> str:
    """Content in one box that is no wider than is easily read."""
    return f'<div style="max-width:60em;line-height:1.4">{content}</div>'


def shown_report(report: Report) -> str:
    """Verdict, facts, findings, and where they are, without a box."""
    by_headers = ", by its headers only" if report.method == "headers" else ""
    role = "prompt clip: " if report.role == "prompt" else ""
    head = f"<strong><bdi>{text_of(report.path)}</bdi></strong> {pill(report.verdict, report.verdict)}"
    lines = (f"{role}{describe_file(report.file)}{by_headers}", describe_sound(report))
    about = "".join(f"<div>{text_of(line)}</div>" for line in lines if line)
    return f"<div>{head}</div>{about}{_strip(report)}{_findings(report.findings)}"


def _strip(report: Report) -> str:
    """Where somebody speaks, and above it what was found; empty where no time is known."""
    seconds = report.file.duration_s
    if not seconds or not math.isfinite(seconds):
        return ""
    speech = "".join(
        f'<rect {_across(span, seconds)} y="24" height="12" fill="currentColor" fill-opacity=".4"/>'
        for span in _inside(report.speech, seconds)
    )
    marks = "".join(
        f'<rect {_across(span, seconds)} y="0" height="{_HEIGHT}" fill="{_COLOURS.get(finding.severity, _NONE)}">'
        f"<title>{text_of(finding.rule)} {clock(span[0])}</title></rect>"
        for finding in report.findings
        for span in _inside(finding.spans, seconds)
    )
    line = f'<path d="M0 30H{_WIDTH}" stroke="currentColor" stroke-opacity=".4"/>'
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" width="100%" height="{_HEIGHT}" role="img" '
        f'aria-label="Speech and findings over time" style="display:block;margin-top:.5em">{line}{speech}{marks}</svg>'
        '<div style="display:flex;justify-content:space-between;font-size:smaller;opacity:.8">'
        f"<span>0:00.0</span><span>speech in grey, findings in their colours</span><span>{clock(seconds)}</span></div>"
    )


def _inside(spans: tuple[Span, ...], seconds: float) -> Iterator[Span]:
    for start, end in spans[:_MOST_MARKS]:
        if 0 <= start <= end <= seconds + 1:  # not for what is no number
            yield start, min(end, seconds)


def _across(span: Span, seconds: float) -> str:
    left = min(_WIDTH * span[0] / seconds, _WIDTH - _LEAST_MARK)
    width = max(_LEAST_MARK, _WIDTH * (span[1] - span[0]) / seconds)
    return f'x="{left:.1f}" width="{width:.1f}"'


def _findings(findings: tuple[Finding, ...]) -> str:
    if not findings:
        return "<p>Nothing was found that is wrong with it.</p>"
    cell = '<td style="text-align:left;vertical-align:top;padding-right:.8em;white-space:{}">{}</td>'
    rows = "".join(
        "<tr>"
        + cell.format("nowrap", pill(finding.severity, finding.severity))
        + cell.format("nowrap", text_of(finding.rule))
        + cell.format("normal", text_of(finding.message))
        + cell.format("normal", _places(finding))
        + "</tr>"
        for finding in findings
    )
    titles = "".join(f'<th style="text-align:left">{title}</th>' for title in ("Severity", "Rule", "Finding", "Where"))
    style = "color:inherit;font-size:inherit;margin-top:.5em"
    return f'<table style="{style}"><thead><tr>{titles}</tr></thead><tbody>{rows}</tbody></table>'


def _places(finding: Finding) -> str:
    spans = [span for span in finding.spans if all(math.isfinite(moment) for moment in span)]
    told = ", ".join(f"{clock(start)}–{clock(end)}" for start, end in spans[:_MOST_PLACES])  # noqa: RUF001
    more = len(spans) - _MOST_PLACES
    return f"{told} and {more} more" if more > 0 else told


def pill(word: str, kind: str) -> str:
    """A word on the colour of a verdict or a severity."""
    style = f"background:{_COLOURS.get(kind, _NONE)};color:inherit;border-radius:.6em;padding:.1em .6em"
    return f'<span style="{style}">{text_of(word)}</span>'


def text_of(text: object) -> str:
    """Text for any place; what moves, hides or turns the writing around is shown as an escape."""
    plain = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(text))
    return html.escape(plain, quote=True)
