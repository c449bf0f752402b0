"""`onetake check`."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from onetake.cli import exit_with
from onetake.cli.command import Command, FurtherOption
from onetake.cli.options.profile_options import judging_options, profile_from
from onetake.cli.options.shared import ANY_PATH, chosen_format
from onetake.cli.output.check_terminal import check_at_terminal, is_worth_telling
from onetake.console.json_output import print_json
from onetake.console.progress import SOUND, counted, watched
from onetake.console.stopwatch import Stopwatch
from onetake.console.streams import print_aside, print_line, print_text
from onetake.console.terminal_size import is_terminal
from onetake.console.verbosity import is_verbose
from onetake.errors import Status, UsageError
from onetake.io.inputs import gathered
from onetake.render.formats import LINE_FORMS, form_called
from onetake.render.terminal import verdict_counts
from onetake.render.text import is_wrong, report_lines, safe

if TYPE_CHECKING:
    from collections.abc import Generator

    from onetake.report_page import CheckedPage
    from preflight import Profile, Report
    from preflight.input.types import Stored

FORMS: Final = (*LINE_FORMS, "json", "jsonl", "html")


def _tell_schema(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from onetake.render.schema import published

        print_line(published().rstrip())
        ctx.exit()


@click.command("check", cls=Command, epilog="Example: onetake check takes/ --profile strict --format json")
@click.argument("files", nargs=-1, type=ANY_PATH, metavar="FILE|FOLDER...")
@click.option("--files-from", type=ANY_PATH, metavar="LIST", help="A file with names; - is stdin.")
@click.option("--prompt", type=ANY_PATH, metavar="CLIP", help="Check a prompt clip too.")
@click.option("--prompt-text", metavar="TEXT", help="The words spoken in the prompt clip.")
@click.option("--quick", is_flag=True, help="Read headers only; durations may be wrong.")
@judging_options(judging=True)
@click.option("--format", "form", type=click.Choice(FORMS), metavar="FORM", help=f"{', '.join(FORMS)}.")
@click.option("--json", "as_json", cls=FurtherOption, is_flag=True, help="The same as --format json.")
@click.option(
    "--schema",
    is_flag=True,
    cls=FurtherOption,
    is_eager=True,
    expose_value=False,
    callback=_tell_schema,
    help="Print the JSON Schema of --format json.",
)
@click.option("-o", "--out", type=ANY_PATH, metavar="FILE", help="Where --format html goes.")
@click.option("--fail-on", type=click.Choice(["error", "warning"]), default="error", help="What makes the status 1.")
@click.option("--exit-zero", cls=FurtherOption, is_flag=True, help="Status 0 even if a recording is not fit.")
@click.option("--jobs", cls=FurtherOption, type=click.IntRange(1, 256), metavar="N", help="At a time; one a core.")
def command(
    files: tuple[str, ...],
    prompt: str | None,
    prompt_text: str | None,
    form: str | None,
    fail_on: str,
    jobs: int | None,
    *,
    as_json: bool,
    quick: bool,
    exit_zero: bool,
    **flags: Any,
) -> Any:
    """Tell what recordings are, how they sound, and whether the clone service would take them. FILE can be - for
    standard input; of a folder all recordings are checked.
    """  # noqa: D205 - as one paragraph the help fits a screen
    files_from = flags.pop("files_from")
    if not files and files_from is None and prompt is None:
        raise UsageError("no recording is named", "give one or more files")
    if prompt is None and prompt_text is not None:
        raise UsageError("--prompt-text needs the clip in which it is spoken", "add --prompt CLIP")
    form = chosen_format(form, as_json=as_json)
    profile = profile_from(flags)
    page = _page(form, flags.pop("out"), profile)
    bad = {"error", "warning"} if fail_on == "warning" else {"error"}
    stopwatch = Stopwatch()
    with gathered(files, files_from) as takes:
        if form == "text" and is_terminal(sys.stdout):
            reports = check_at_terminal(takes, profile, jobs, bad, quick=quick)
        else:
            reports = _checked(takes, profile, jobs, page, form, bad, stopwatch, quick=quick)
    if prompt is not None and page is not None:
        reports.append(page.check_prompt(prompt, prompt_text, quick=quick))
    elif prompt is not None:
        from preflight import check

        reports.append(check(prompt, role="prompt", prompt_text=prompt_text, quick=quick, profile=profile))
        stopwatch.split()
        _show(reports[-1], form, bad)
    if page is not None:
        page.write()
        print_aside(f"{safe(str(page.path))}: {verdict_counts(reports)}")
    _conclude(reports, form, bad, stopwatch)
    return exit_with(_status(reports, bad, exit_zero=exit_zero))


def _status(reports: list[Report], bad: set[str], *, exit_zero: bool) -> Status:
    """What the command ends with; a bug of ours says nothing of the recording, and is told whatever was asked for."""
    if any(finding.rule == "not-examined" for report in reports for finding in report.findings):
        return Status.BUG
    is_fit = not any(is_wrong(report, bad) for report in reports)
    return Status.DONE if is_fit or exit_zero else Status.NOT_FIT


def _page(form: str, out: str | None, profile: Profile) -> CheckedPage | None:
    if form != "html":
        if out is not None:
            raise UsageError(f"--format {form} is written on standard output", "add --format html, or leave out -o")
        return None
    from onetake.report_page import CheckedPage

    return CheckedPage(out, profile)


def _checked(
    takes: list[str | Stored],
    profile: Profile,
    jobs: int | None,
    page: CheckedPage | None,
    form: str,
    bad: set[str],
    stopwatch: Stopwatch,
    *,
    quick: bool,
) -> list[Report]:
    """Check recordings, and show each as soon as it and those before it are done."""
    reports = []
    with contextlib.closing(_reports(takes, profile, jobs, page, quick=quick)) as found:
        for report in found:
            reports.append(report)
            stopwatch.split()
            _show(report, form, bad)
    return reports


def _show(report: Report, form: str, bad: set[str]) -> None:
    if form == "jsonl":
        print_json(report, in_one_line=True)
    elif form == "text":
        for line in report_lines(report, measured=is_verbose()) if is_worth_telling(report, bad) else ():
            print_text(line)
    elif form in LINE_FORMS and (each := form_called(form).each) is not None:
        for made in each(report):
            print_line(made)


def _conclude(reports: list[Report], form: str, bad: set[str], stopwatch: Stopwatch) -> None:
    """Print what says something of all of them."""
    if form == "json":
        from preflight.report import SCHEMA_VERSION

        print_json({"schema_version": SCHEMA_VERSION, "takes": reports})
    elif form in LINE_FORMS:
        for line in form_called(form).end(reports, bad, stopwatch.seconds):
            print_line(line)


def _reports(
    takes: list[str | Stored], profile: Profile, jobs: int | None, page: CheckedPage | None, *, quick: bool
) -> Generator[Report, None, None]:
    if page is not None:
        files = [take for take in takes if isinstance(take, str)]
        if len(files) < len(takes):
            raise UsageError("a page plays its recordings: that of standard input has no file", "name the file instead")
        with contextlib.closing(page.check(files, quick=quick, jobs=jobs)) as found:
            yield from counted(found, len(files), doing="checking")
    elif len(takes) == 1:
        from preflight import check

        with watched("checking", SOUND) as on_progress:
            report = check(takes[0], quick=quick, profile=profile, on_progress=on_progress)
        yield report
    elif takes:
        from preflight import check_many

        with contextlib.closing(check_many(takes, quick=quick, profile=profile, workers=jobs)) as found:
            yield from counted(found, len(takes), doing="checking")
