"""What somebody at a terminal sees of checked takes: lines that fit the window, a waveform, a table."""

from __future__ import annotations

import array
import shlex
import sys
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from onetake.render.text import coloured, safe
from onetake.render.wrapping import INDENT, NARROWEST, cut, fitted, wrapped
from preflight.display.text import clock, describe_file, describe_sound

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from preflight import Report
    from preflight.analysis.pictures import Pictures, Waveform

_BARS: Final = "▁▂▃▄▅▆▇█"
_STRETCH: Final = 0.7
"""Between a peak and the root of its power: what is soft is seen, and what is loud does not fill every bar."""
_MARKS: Final = {"info": "·", "warning": "~", "error": "^"}
_WORST_FIRST: Final = ("rejected", "fixable", "ready")
_NAME_SHARE: Final = 0.4


def take_lines(report: Report, pictures: Pictures | None, width: int) -> Iterator[str]:
    """One take: the verdict first, then facts, the waveform with what was found marked on it, and the findings.

    Args:
        report: Of the take.
        pictures: What can be drawn of it, if anything.
        width: Columns of the window.
    """
    by_headers = " (by its headers only)" if report.method == "headers" else ""
    yield from wrapped(f"{coloured(report.verdict)}{by_headers}: {safe(report.path)}", width)
    for line in (describe_file(report.file), describe_sound(report)):
        if line:
            yield from wrapped(f"{INDENT}{line}", width)
    if pictures is not None:
        yield from waveform_lines(pictures.waveform, report, width)
    for finding in report.findings:
        told = f"{coloured(finding.severity)} {finding.rule}: {safe(finding.message)}"
        yield from wrapped(f"{INDENT}{told}", width)
    if report.verdict == "fixable":
        yield from wrapped(f"{INDENT}mend it: onetake fix {shlex.quote(safe(report.path))} -o OUT", width)


def waveform_lines(waveform: Waveform, report: Report, width: int) -> Iterator[str]:
    """The peaks over time as bars, what was found as marks under them, and the time.

    Args:
        waveform: Of all channels.
        report: Whose findings are marked where they have spans.
        width: Columns of the window.
    """
    columns = max(NARROWEST, width - len(INDENT) - 1)
    peaks = _peaks(waveform, columns)
    if not peaks:
        return
    seconds = waveform.column_s * len(waveform.highs[0]) / 2
    yield INDENT + "".join(_bar(peak) for peak in peaks)
    marks = [" "] * len(peaks)
    for severity, mark in _MARKS.items():  # the worst comes last, and stays
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
    """Many takes as a table, the worst first, and how many there are of each.

    Args:
        reports: In the order in which they were named.
        width: Columns of the window.
    """
    room = max(NARROWEST, int(width * _NAME_SHARE))
    for report in sorted(reports, key=lambda report: (_WORST_FIRST.index(report.verdict), -len(report.findings))):
        length = clock(report.file.duration_s) if report.file.duration_s is not None else "-"
        verdict = coloured(report.verdict) + " " * (len("rejected") - len(report.verdict))
        what = ", ".join(dict.fromkeys(finding.rule for finding in report.findings))
        used = len("rejected") + 2 + 7 + 2 + room + 2
        yield f"{verdict}  {length:>7}  {fitted(safe(report.path), room)}  {cut(what, width - used - 1)}".rstrip()
    by_headers = " (by their headers only)" if any(report.method == "headers" for report in reports) else ""
    yield from wrapped(verdict_counts(reports) + by_headers, width)
    if any(report.findings for report in reports):
        yield from wrapped("where, and what to do: onetake check -v, or name one of them alone", width)


def verdict_counts(reports: Sequence[Report]) -> str:
    """How many takes there are, and how many of each verdict."""
    counts = Counter(report.verdict for report in reports)
    told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in _WORST_FIRST if counts[verdict])
    return f"{len(reports)} {'take' if len(reports) == 1 else 'takes'}: {told}"


def can_draw(encoding: str | None) -> bool:
    """Whether a terminal's encoding has the bars."""
    try:
        _BARS.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _peaks(waveform: Waveform, columns: int) -> list[float]:
    """The highest peak of all channels in each of at most so many stretches of time, 0 to 1."""
    highest: list[int] = []
    for lows, highs in zip(waveform.lows, waveform.highs, strict=True):
        channel = [max(abs(low), abs(high)) for low, high in zip(_numbers(lows), _numbers(highs), strict=True)]
        highest = [max(pair) for pair in zip(highest, channel, strict=True)] if highest else channel
    count = min(columns, len(highest))
    edges = [round(number * len(highest) / count) for number in range(count + 1)] if count else []
    return [max(highest[first:last]) / 32767 for first, last in pairwise(edges)]


def _numbers(content: bytes) -> array.array[int]:
    numbers = array.array("h", content)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _bar(peak: float) -> str:
    return _BARS[min(len(_BARS) - 1, int(peak**_STRETCH * len(_BARS)))]
