"""Checking at a terminal: one take with its waveform, many as a table when all are checked."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from onetake.console.progress import SOUND, counted, watched
from onetake.console.streams import print_line
from onetake.console.terminal_size import columns_of_window
from onetake.console.verbosity import is_quiet, is_verbose
from onetake.render.terminal import can_draw, table_lines, take_lines
from onetake.render.text import is_wrong, measurement_lines

if TYPE_CHECKING:
    from preflight import Profile, Report
    from preflight.analysis.pictures import Pictures
    from preflight.input.types import Stored


def is_worth_telling(report: Report, bad: set[str]) -> bool:
    """Whether a report is shown: where little is to be told, only if something is wrong.

    Args:
        report: Of a take.
        bad: The severities for which the command fails.
    """
    return not is_quiet() or is_wrong(report, bad)


def check_at_terminal(
    takes: list[str | Stored], profile: Profile, jobs: int | None, bad: set[str], *, quick: bool
) -> list[Report]:
    """Check recordings and show what was found; returns the reports in order."""
    if len(takes) == 1:
        return [_take(takes[0], profile, bad, quick=quick)]
    from preflight import check_many

    with contextlib.closing(check_many(takes, quick=quick, profile=profile, workers=jobs)) as found:
        reports = list(counted(found, len(takes), doing="checking"))
    told = [report for report in reports if is_worth_telling(report, bad)]
    if is_verbose():
        for report in told:
            _print(report, None)
    for line in table_lines(told, columns_of_window(sys.stdout)) if told and not is_verbose() else ():
        print_line(line)
    return reports


def _take(take: str | Stored, profile: Profile, bad: set[str], *, quick: bool) -> Report:
    from preflight.checks import examine

    pictures = can_draw(sys.stdout.encoding)
    with watched("checking", SOUND) as on_progress:
        examination = examine(take, quick=quick, pictures=pictures, profile=profile, on_progress=on_progress)
    if is_worth_telling(examination.report, bad):
        _print(examination.report, examination.pictures)
    return examination.report


def _print(report: Report, pictures: Pictures | None) -> None:
    for line in take_lines(report, pictures, columns_of_window(sys.stdout)):
        print_line(line)
    for line in measurement_lines(report) if is_verbose() else ():
        print_line(line)
