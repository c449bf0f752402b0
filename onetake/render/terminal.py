"""Checked takes on a terminal: wrapped lines, a waveform with findings marked, and a table of many takes."""

from __future__ import annotations

import array
import sys
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from onetake.console.terminal import INDENT, MIN_COLUMNS, columns_of, fit, safe, truncate, wrap
from onetake.render.text import colored, figure_lines, finding_line, headline_of, next_line
from preflight.display.report_text import badness
from preflight.display.shell_arguments import argument
from preflight.display.text import clock
from preflight.rules import RULES

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
"""Share of the width that names get in the table, at most."""
_LEAST_FINDINGS: Final = 16
"""Columns; with less, the findings of a take go on a line of their own."""
_MOST_JOINED: Final = 5


def take_lines(report: Report, pictures: Pictures | None, width: int, *, with_figures: bool = False) -> Iterator[str]:
    """One take: the headline, the next step, what the figures mean, the waveform with findings marked, the findings.

    Args:
        report: The report of the take.
        pictures: Its waveform; None if the take was not decoded, or if the terminal cannot show bars.
        width: Columns of the terminal.
        with_figures: Whether findings have their figures in dB.
    """
    yield from wrap(headline_of(report), width)
    for line in (next_line(report), *figure_lines(report)):
        yield from wrap(line, width)
    if pictures is not None:
        yield from waveform_lines(pictures.waveform, report, width)
    for finding in report.findings:
        yield from wrap(finding_line(finding, with_figures=with_figures), width)


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
    """Many takes as a table, the worst first, then the number of takes of each kind and the next step.

    Args:
        reports: The reports, in any order.
        width: Columns of the terminal.
    """
    lengths = {id(report): _length(report) for report in reports}
    length_columns = max(map(len, lengths.values()), default=0)
    others = len("rejected") + 2 + len("poor") + 2 + length_columns + 2
    share = max(MIN_COLUMNS, int(width * _NAME_SHARE))
    name_columns = min(share, max((columns_of(safe(report.path)) for report in reports), default=0))
    free = width - others - name_columns - 3
    for report in sorted(reports, key=badness):
        row = (
            _padded(report.verdict, len("rejected")),
            _padded(report.quality or "-", len("poor")),
            lengths[id(report)].rjust(length_columns),
            fit(safe(report.path), name_columns),
        )
        labels = list(dict.fromkeys(RULES[found.rule].label for found in report.findings if found.rule in RULES))
        if free < _LEAST_FINDINGS:
            yield "  ".join(row).rstrip()
            yield from wrap(f"{INDENT * 5}{', '.join(labels)}", width) if labels else ()
        else:
            yield f"{'  '.join(row)}  {_whole_words(labels, free)}".rstrip()
    by_headers = " (headers only)" if any(report.method == "headers" for report in reports) else ""
    yield from wrap(verdict_counts(reports) + by_headers, width)
    short = [report for report in reports if [found.rule for found in report.errors] == ["too-short"]]
    if len(short) > 1:
        paths = " ".join(argument(report.path) for report in short[:_MOST_JOINED])
        more = " ..." if len(short) > _MOST_JOINED else ""
        yield from wrap(f"if they are one voice: onetake join {paths}{more} -o joined.wav", width)
    if any(report.findings for report in reports):
        yield from wrap("for details: onetake check -v, or check one take alone", width)


def _length(report: Report) -> str:
    return "-" if report.file.duration_s is None else clock(report.file.duration_s)


def _padded(word: str, columns: int) -> str:
    return (colored(word) if word != "-" else word) + " " * (columns - len(word))


def _whole_words(labels: Sequence[str], columns: int) -> str:
    """As many labels as fit, and the number of the others."""
    for count in range(len(labels), 0, -1):
        more = f" +{len(labels) - count}" if count < len(labels) else ""
        text = f"{', '.join(labels[:count])}{more}"
        if len(text) <= columns:
            return text
    return truncate(labels[0], columns) if labels else ""


def verdict_counts(reports: Sequence[Report]) -> str:
    """The number of takes, how many have each verdict, and how many are of fair or poor quality."""
    verdicts = Counter(report.verdict for report in reports)
    qualities = Counter(report.quality for report in reports)
    listed = [f"{verdicts[verdict]} {verdict}" for verdict in _WORST_FIRST if verdicts[verdict]]
    flawed = [f"{qualities[quality]} {quality}" for quality in ("poor", "fair") if qualities[quality]]
    quality = f" (quality: {', '.join(flawed)})" if flawed else ""
    return f"{len(reports)} {'take' if len(reports) == 1 else 'takes'}: {', '.join(listed)}{quality}"


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
