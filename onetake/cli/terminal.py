"""Checking at a terminal: one take with its waveform, many as a table when all are checked."""

from __future__ import annotations

import contextlib
import shutil
import sys
from typing import TYPE_CHECKING

from onetake.cli.progress import counted, timed
from onetake.cli.streams import print_line
from onetake.render.terminal import can_draw, table_lines, take_lines

if TYPE_CHECKING:
    from onetake.takes import Takes
    from preflight import Profile, Report


def is_terminal() -> bool:
    """Whether somebody looks at standard output."""
    return sys.stdout.isatty()


def check_at_terminal(takes: Takes, profile: Profile, jobs: int | None, *, quick: bool) -> list[Report]:
    """Check recordings and show what was found; returns the reports in order."""
    if len(takes.paths) == 1:
        return [_take(takes, profile, quick=quick)]
    from preflight import check_many

    with contextlib.closing(check_many(takes.paths, quick=quick, profile=profile, workers=jobs)) as found:
        reports = [takes.called(report) for report in counted(found, len(takes.paths), shown=True)]
    for line in table_lines(reports, _width()):
        print_line(line)
    return reports


def _take(takes: Takes, profile: Profile, *, quick: bool) -> Report:
    from preflight.checking import examine

    pictures = can_draw(sys.stdout.encoding)
    with timed(shown=True) as on_progress:
        examination = examine(takes.paths[0], quick=quick, pictures=pictures, profile=profile, on_progress=on_progress)
    report = takes.called(examination.report)
    for line in take_lines(report, examination.pictures, _width()):
        print_line(line)
    return report


def _width() -> int:
    return shutil.get_terminal_size().columns
