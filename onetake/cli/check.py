"""`onetake check`."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

import click

from onetake.cli import exit_with
from onetake.cli.judging import judging_options, profile_from
from onetake.cli.output import print_json
from onetake.cli.progress import counted, timed
from onetake.cli.streams import print_aside, print_line
from onetake.errors import Status, UsageError
from onetake.render.text import report_lines, safe
from onetake.takes import takes_in

if TYPE_CHECKING:
    from collections.abc import Generator

    from onetake.checked_page import CheckedPage
    from preflight import Profile, Report


@click.command("check", epilog="Example: onetake check takes/ --profile strict --format json")
@click.argument("files", nargs=-1, type=click.Path(), metavar="FILE|FOLDER...")
@click.option("--prompt", type=click.Path(), metavar="CLIP", help="Check a prompt clip too.")
@click.option("--prompt-text", metavar="TEXT", help="The words spoken in the prompt clip.")
@click.option("--quick", is_flag=True, help="Read headers only; durations may be wrong.")
@judging_options(selecting=True)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "jsonl", "html"]),
    default="text",
    metavar="FORM",
    help="text, json, jsonl or html.",
)
@click.option("-o", "--out", type=click.Path(), metavar="FILE", help="The page that --format html writes.")
@click.option("--fail-on", type=click.Choice(["error", "warning"]), default="error", help="What makes the status 1.")
@click.option("--exit-zero", is_flag=True, help="Status 0 even if a recording is not fit.")
@click.option("--jobs", type=click.IntRange(1, 256), metavar="N", help="Recordings at a time; by default one a core.")
def command(
    files: tuple[str, ...],
    prompt: str | None,
    prompt_text: str | None,
    form: str,
    out: str | None,
    fail_on: str,
    jobs: int | None,
    *,
    quick: bool,
    exit_zero: bool,
    **flags: Any,
) -> Any:
    """Tell what recordings are, how they sound, and whether the clone service would take them.

    Of a folder all recordings in it are checked.
    """
    if not files and prompt is None:
        raise UsageError("no recording is named", "give one or more files")
    if prompt is None and prompt_text is not None:
        raise UsageError("--prompt-text needs the clip in which it is spoken", "add --prompt CLIP")
    profile = profile_from(flags)
    page = _page(form, out, profile)
    reports = []
    is_quiet = form in {"json", "html"} or not sys.stdout.isatty()
    takes = list(takes_in(files))
    with contextlib.closing(_reports(takes, profile, jobs, page, quick=quick, is_quiet=is_quiet)) as found:
        for report in found:
            reports.append(report)
            _show(report, form)
    if prompt is not None and page is not None:
        reports.append(page.check_prompt(prompt, prompt_text, quick=quick))
    elif prompt is not None:
        from preflight import check

        reports.append(check(prompt, role="prompt", prompt_text=prompt_text, quick=quick, profile=profile))
        _show(reports[-1], form)
    if form == "json":
        from preflight.report import SCHEMA_VERSION

        print_json({"schema_version": SCHEMA_VERSION, "takes": reports})
    if page is not None:
        page.write()
        print_aside(f"{safe(str(page.path))}: {len(reports)} checked")
    bad = {"error", "warning"} if fail_on == "warning" else {"error"}
    is_fit = all(finding.severity not in bad for report in reports for finding in report.findings)
    return exit_with(Status.DONE if is_fit or exit_zero else Status.NOT_FIT)


def _page(form: str, out: str | None, profile: Profile) -> CheckedPage | None:
    if form != "html":
        if out is not None:
            raise UsageError(f"--format {form} is written on standard output", "add --format html, or leave out -o")
        return None
    from onetake.checked_page import CheckedPage

    return CheckedPage(out, profile)


def _show(report: Report, form: str) -> None:
    if form == "jsonl":
        print_json(report, in_one_line=True)
    elif form == "text":
        for line in report_lines(report):
            print_line(line)


def _reports(
    files: list[str], profile: Profile, jobs: int | None, page: CheckedPage | None, *, quick: bool, is_quiet: bool
) -> Generator[Report, None, None]:
    if page is not None:
        with contextlib.closing(page.check(files, quick=quick, jobs=jobs)) as found:
            yield from counted(found, len(files), shown=is_quiet)
    elif len(files) == 1:
        from preflight import check

        with timed(shown=is_quiet) as on_progress:
            report = check(files[0], quick=quick, profile=profile, on_progress=on_progress)
        yield report
    elif files:
        from preflight import check_many

        with contextlib.closing(check_many(files, quick=quick, profile=profile, workers=jobs)) as found:
            yield from counted(found, len(files), shown=is_quiet)
