"""Checked takes on a terminal: wrapped lines, a waveform with findings marked, and a table of many takes."""

from __future__ import annotations

import array
import shlex
import sys
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from onetake.console.terminal import INDENT, MIN_COLUMNS, fit, truncate, wrap
from onetake.render.text import colored, safe
from preflight.display.text import clock, describe_file, describe_sound

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from preflight import Report
    from preflight.analysis.pictures import Pictures, Waveform

_BARS: Final = "▁▂▃▄▅▆▇█"
_EXPONENT: Final = 0.7
"""Bars are peak ** 0.7, between linear (quiet speech would be invisible) and a square root (speech would fill them)."""
_MARKS: Final = {"info": "·", "warning": "~", "error": "^"}
_WORST_FIRST: Final = ("rejected", "fixable", "ready")
_NAME_SHARE: Final = 0.4
"""Share of the width that names get in the table."""


def take_lines(report: Report, pictures: Pictures | None, width: int) -> Iterator[str]:
    """One take: the verdict, facts, the waveform with findings marked, and the findings.

    Args:
        report: The report of the take.
        pictures: Its waveform; None if the take was not decoded, or if the terminal cannot show bars.
        width: Columns of the terminal.
    """
    by_headers = " (headers only)" if report.method == "headers" else ""
    yield from wrap(f"{colored(report.verdict)}{by_headers}: {safe(report.path)}", width)
    for line in (describe_file(report.file), describe_sound(report)):
        if line:
            yield from wrap(f"{INDENT}{line}", width)
    if pictures is not None:
        yield from waveform_lines(pictures.waveform, report, width)
    for finding in report.findings:
        line = f"{colored(finding.severity)} {finding.rule}: {safe(finding.message)}"
        yield from wrap(f"{INDENT}{line}", width)
    if report.verdict == "fixable":
        yield from wrap(f"{INDENT}fix it: onetake fix {shlex.quote(safe(report.path))} -o OUT", width)


def waveform_lines(waveform: Waveform, report: Report, width: int) -> Iterator[str]:
    """Peaks over time as bars, marks below them where findings have spans, and the time axis.

    Args:
        waveform: The waveform of all channels.
        report: The report whose findings are marked.
        width: Columns of the terminal.
    """
    columns = max(MIN_COLUMNS, width - len(INDENT) - 1)
    peaks = _peaks(waveform, columns)
    if not peaks:
        return
    seconds = waveform.column_s * len(waveform.highs[0]) / 2
    yield INDENT + "".join(_bar(peak) for peak in peaks)
    marks = [" "] * len(peaks)
    for severity, mark in _MARKS.items():  # the most severe comes last and overwrites the others
        for start, end in (
            span for finding in report.findings if finding.severity == severity for span in finding.spans
        ):
            first, last = (min(len(marks) - 1, int(moment / seconds * len(marks))) for moment in (start, end))
            marks[first : last + 1] = mark * (last + 1 - first)
    shown = [f"{mark} {severity}" for severity, mark in _MARKS.items() if mark in marks]
    if shown:
        yield (INDENT + "".join(marks)).rstrip()
    ends = clock(0), clock(report.file.duration_s or seconds)
    legend = "   ".join(shown) if len("   ".join(shown)) + 16 < len(peaks) else ""
    yield f"{INDENT}{ends[0]}{legend:^{len(peaks) - len(ends[0]) - len(ends[1])}}{ends[1]}"


def table_lines(reports: Sequence[Report], width: int) -> Iterator[str]:
    """Many takes as a table, rejected takes first, and the number of takes with each verdict.

    Args:
        reports: The reports, in any order.
        width: Columns of the terminal.
    """
    name_columns = max(MIN_COLUMNS, int(width * _NAME_SHARE))
    for report in sorted(reports, key=lambda report: (_WORST_FIRST.index(report.verdict), -len(report.findings))):
        length = clock(report.file.duration_s) if report.file.duration_s is not None else "-"
        verdict = colored(report.verdict) + " " * (len("rejected") - len(report.verdict))
        rules = ", ".join(dict.fromkeys(finding.rule for finding in report.findings))
        used = len("rejected") + 2 + 7 + 2 + name_columns + 2
        name = fit(safe(report.path), name_columns)
        yield f"{verdict}  {length:>7}  {name}  {truncate(rules, width - used - 1)}".rstrip()
    by_headers = " (headers only)" if any(report.method == "headers" for report in reports) else ""
    yield from wrap(verdict_counts(reports) + by_headers, width)
    if any(report.findings for report in reports):
        yield from wrap("for details: onetake check -v, or check one take alone", width)


def verdict_counts(reports: Sequence[Report]) -> str:
    """The number of takes, and how many have each verdict."""
    counts = Counter(report.verdict for report in reports)
    listed = ", ".join(f"{counts[verdict]} {verdict}" for verdict in _WORST_FIRST if counts[verdict])
    return f"{len(reports)} {'take' if len(reports) == 1 else 'takes'}: {listed}"


def can_draw(encoding: str | None) -> bool:
    """Whether the characters of the bars exist in a terminal's encoding."""
    try:
        _BARS.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _peaks(waveform: Waveform, columns: int) -> list[float]:
    """The highest absolute peak of all channels in each of at most `columns` equal spans of time, from 0 to 1."""
    highest: list[int] = []
    for lows, highs in zip(waveform.lows, waveform.highs, strict=True):
        channel = [max(abs(low), abs(high)) for low, high in zip(_samples(lows), _samples(highs), strict=True)]
        highest = [max(pair) for pair in zip(highest, channel, strict=True)] if highest else channel
    count = min(columns, len(highest))
    edges = [round(number * len(highest) / count) for number in range(count + 1)] if count else []
    return [max(highest[first:last]) / 32767 for first, last in pairwise(edges)]


def _samples(content: bytes) -> array.array[int]:
    numbers = array.array("h", content)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _bar(peak: float) -> str:
    return _BARS[min(len(_BARS) - 1, int(peak**_EXPONENT * len(_BARS)))]
