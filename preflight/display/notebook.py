"""The HTML that a notebook displays for a report or a fix: inline, without scripts, readable on light and dark pages.

Colors are translucent, and text has the color of the page. File names and tags are untrusted: jinja2 escapes all text,
and control and bidirectional characters appear as escapes. Only `_repr_html_` imports this module, since jinja2 costs
start-up time.
"""

from __future__ import annotations

import math
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, Final, TypeVar

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from preflight.display.report_text import headline, next_step, sound_in_words
from preflight.display.text import clock, describe_file, describe_sound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from preflight.fixes.fix import Fixed
    from preflight.report import Finding, Report, Span

T = TypeVar("T")

_COLORS: Final = {
    "ready": "rgba(46,160,67,.3)",
    "fixable": "rgba(220,160,30,.35)",
    "rejected": "rgba(235,70,60,.35)",
    "good": "rgba(46,160,67,.3)",
    "fair": "rgba(220,160,30,.35)",
    "poor": "rgba(235,70,60,.35)",
    "error": "rgba(235,70,60,.35)",
    "warning": "rgba(220,160,30,.35)",
    "info": "rgba(60,130,220,.3)",
}
_OTHER_COLOR: Final = "rgba(128,128,128,.3)"
_CELL: Final = "text-align:left;vertical-align:top;padding-right:.8em"
_WIDTH: Final = 1000
"""The width of the timeline in SVG units; it is stretched to the width of the page."""
_MIN_BAR: Final = 3.0
"""SVG units: a click of a millisecond stays visible."""
_MAX_BARS: Final = 300
_MAX_SPANS_LISTED: Final = 5


def _with_fallback(render: Callable[[T], str]) -> Callable[[T], str]:
    """Return plain text if rendering fails: a notebook shows nothing at all for a `_repr_html_` that raises."""

    @wraps(render)
    def rendered(value: T) -> str:
        try:
            return render(value)
        except Exception:  # noqa: BLE001 - a program may have put any value into a report
            return f"<pre>{escape(_printable(repr(value)))}</pre>"

    return rendered


@_with_fallback
def html_of_report(report: Report) -> str:
    """Return the verdict, the facts, the timeline and the findings of `report` as HTML."""
    return _render("report.html", report=_report_context(report))


@_with_fallback
def html_of_fixed(fixed: Fixed) -> str:
    """Return the edits that were made or planned, and the resulting report, as HTML."""
    fix = {
        "action": fixed.action,
        "method": "lossless" if fixed.lossless else "re-encoded",
        "state": "planned" if fixed.after is None else "written to",
        "path": fixed.path,
        "edits": fixed.edits,
    }
    return _render("fix.html", fix=fix, report=_report_context(fixed.after or fixed.before))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("preflight.display"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(color=_color, pill=_pill, cell=_CELL)
    return environment


def _render(template: str, **context: Any) -> str:
    return _environment().get_template(template).render(**context)


def _printable(value: Any) -> Any:
    """Escape control, bidirectional and other invisible characters in text; markup of the templates is left alone."""
    if isinstance(value, Markup):
        return value
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(value))


def _color(kind: str) -> str:
    return _COLORS.get(kind, _OTHER_COLOR)


def _pill(word: str, kind: str) -> Markup:
    """Return `word` on the color of a verdict or a severity."""
    style = f"background:{_color(kind)};color:inherit;border-radius:.6em;padding:.1em .6em"
    return Markup('<span style="{}">{}</span>').format(style, _printable(word))


def _report_context(report: Report) -> dict[str, Any]:
    role = "prompt clip: " if report.role == "prompt" else ""
    method = ", from its headers only" if report.method == "headers" else ""
    lines = (
        headline(report),
        f"next: {next_step(report)}",
        sound_in_words(report),
        f"{role}{describe_file(report.file)}{method}",
        describe_sound(report),
    )
    return {
        "path": report.path,
        "verdict": report.verdict,
        "quality": report.quality,
        "lines": [line for line in lines if line],
        "timeline": _timeline_context(report),
        "findings": [
            {"severity": one.severity, "rule": one.rule, "message": one.message, "where": _where(one)}
            for one in report.findings
        ],
    }


def _timeline_context(report: Report) -> dict[str, Any] | None:
    """Return the bars of speech and findings; None if the duration is unknown."""
    seconds = report.file.duration_s
    if not seconds or not math.isfinite(seconds):
        return None
    findings = [
        _bar(span, seconds) | {"severity": finding.severity, "title": f"{finding.rule} {clock(span[0])}"}
        for finding in report.findings
        for span in _valid_spans(finding.spans, seconds)
    ]
    speech = [_bar(span, seconds) for span in _valid_spans(report.speech, seconds)]
    return {"width": _WIDTH, "speech": speech, "findings": findings, "end": clock(seconds)}


def _valid_spans(spans: tuple[Span, ...], seconds: float) -> Iterator[Span]:
    for start, end in spans[:_MAX_BARS]:
        if 0 <= start <= end <= seconds + 1:  # False for NaN as well
            yield start, min(end, seconds)


def _bar(span: Span, seconds: float) -> dict[str, str]:
    left = min(_WIDTH * span[0] / seconds, _WIDTH - _MIN_BAR)
    width = max(_MIN_BAR, _WIDTH * (span[1] - span[0]) / seconds)
    return {"x": f"{left:.1f}", "width": f"{width:.1f}"}


def _where(finding: Finding) -> str:
    spans = [span for span in finding.spans if all(math.isfinite(moment) for moment in span)]
    listed = ", ".join(f"{clock(start)}–{clock(end)}" for start, end in spans[:_MAX_SPANS_LISTED])  # noqa: RUF001
    more = len(spans) - _MAX_SPANS_LISTED
    return f"{listed} and {more} more" if more > 0 else listed
