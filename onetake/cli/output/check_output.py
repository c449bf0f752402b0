"""Print the reports of `onetake check` in the requested format, each as soon as it is ready."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from onetake.console.progress import Stopwatch
from onetake.console.streams import print_document, print_json, print_line, print_stderr, print_text
from onetake.console.terminal import is_quiet, is_verbose, safe, terminal_columns
from onetake.errors import UsageError
from onetake.render.formats import LINE_FORMS, form_called
from onetake.render.terminal import can_draw, table_lines, take_lines, verdict_counts
from onetake.render.text import detail_lines, is_unfit, report_lines
from preflight.display.shell_arguments import argument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from onetake.io.inputs import Take
    from onetake.render.text import FailOn
    from preflight import Profile, Report
    from preflight.analysis.pictures import Pictures

FORMS: Final = (*LINE_FORMS, "json", "jsonl", "html")


class CheckOutput:
    """Prints reports, and collects them.

    Text on a terminal shows a single take with its waveform, and several as a table at the end (with ``-v``: each take
    in full). All other formats are printed take by take, or as one document at the end.

    Args:
        form: One of `FORMS`.
        out: The file of ``html``; None for the other formats, which go to standard output.
        profile: The profile of the run.
        fail_on: What makes a take unfit.
        takes: The recordings.
        prompt: The prompt clip; None without one.

    Attributes:
        reports: All reports, in order.

    Raises:
        UsageError: `out` does not fit the format, or is not a valid output file.
    """

    def __init__(
        self,
        form: str,
        out: str | None,
        profile: Profile,
        fail_on: FailOn,
        *,
        takes: Sequence[Take],
        prompt: str | None = None,
    ) -> None:
        self.reports: list[Report] = []
        self._form = form
        self._fail_on = fail_on
        self._stopwatch = Stopwatch()
        self._on_terminal = form == "text" and sys.stdout.isatty()
        self._is_batch = len(takes) > 1
        self._page = None
        if form == "html":
            from onetake.render.html.report_page import ReportPage

            self._page = ReportPage(out, profile, [*takes, *([prompt] if prompt else [])])
        elif out is not None:
            raise UsageError(f"--format {form} is written to standard output", "add --format html, or omit -o")

    @property
    def wants_pictures(self) -> bool:
        """Whether waveforms are shown: on the page, or for a single take on a terminal that can draw them."""
        return self._page is not None or (self._on_terminal and not self._is_batch and can_draw(sys.stdout.encoding))

    def add(self, take: Take, report: Report, pictures: Pictures | None) -> None:
        """Print one report, or keep it for the end.

        Args:
            take: The input.
            report: Its report, the next one in order.
            pictures: Its waveform, if one was requested and the take was decoded.
        """
        self.reports.append(report)
        self._stopwatch.split()
        if self._page is not None:
            self._page.add(take, report, pictures)
        elif self._form == "jsonl":
            print_json(report, in_one_line=True)
        elif self._form == "text":
            if not self._in_table(report) and self._is_shown(report):
                self._print_text(report, pictures)
        elif self._form in LINE_FORMS and (each := form_called(self._form).each) is not None:
            for line in each(report):
                print_line(line)

    def end(self) -> None:
        """Print what concerns all takes: the table, or the document."""
        if self._page is not None:
            self._page.write()
            print_stderr(f"{safe(str(self._page.path))}: {verdict_counts(self.reports)}")
        elif self._form == "json":
            from preflight.report import SCHEMA_VERSION

            print_json({"schema_version": SCHEMA_VERSION, "takes": self.reports})
        elif self._form in LINE_FORMS:
            rows = [report for report in self.reports if self._in_table(report) and self._is_shown(report)]
            for line in table_lines(rows, terminal_columns(sys.stdout)) if rows else ():
                print_line(line)
            unchecked = [report.path for report in self.reports if report.not_checked]
            if self._form == "text" and not is_quiet() and unchecked:
                path = f" {argument(unchecked[0])}" if len(unchecked) == 1 else ""
                print_text(f"not checked: whether several people speak (onetake check --speakers{path})")
            seconds, form = self._stopwatch.seconds, form_called(self._form)
            for document in form.end(self.reports, self._fail_on, seconds):  # pyright: ignore[reportArgumentType]
                print_document(document)

    def _in_table(self, report: Report) -> bool:
        return self._on_terminal and self._is_batch and report.role == "recording" and not is_verbose()

    def _is_shown(self, report: Report) -> bool:
        return not is_quiet() or is_unfit(report, self._fail_on)  # pyright: ignore[reportArgumentType]

    def _print_text(self, report: Report, pictures: Pictures | None) -> None:
        if not self._on_terminal:
            for line in report_lines(report, with_measurements=is_verbose()):
                print_text(line)
            return
        for line in take_lines(report, pictures, terminal_columns(sys.stdout), with_figures=is_verbose()):
            print_line(line)
        for line in detail_lines(report) if is_verbose() else ():
            print_line(line)
