"""`onetake check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from onetake.cli import exit_with
from onetake.cli.output import print_json
from onetake.cli.streams import print_line
from onetake.errors import Status, UsageError
from onetake.render.text import report_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight import Report


@click.command("check", epilog="Example: onetake check take.m4a --prompt clip.wav --prompt-text 'What is said.'")
@click.argument("files", nargs=-1, type=click.Path(), metavar="FILE...")
@click.option("--prompt", type=click.Path(), metavar="CLIP", help="Check a prompt clip too.")
@click.option("--prompt-text", metavar="TEXT", help="The words spoken in the prompt clip.")
@click.option("--quick", is_flag=True, help="Read headers only; durations may then be wrong.")
@click.option("--format", "form", type=click.Choice(["text", "json", "jsonl"]), default="text", help="How to answer.")
@click.option("--fail-on", type=click.Choice(["error", "warning"]), default="error", help="What makes the status 1.")
@click.option("--exit-zero", is_flag=True, help="Status 0 even if a recording is not fit.")
def command(
    files: tuple[str, ...],
    prompt: str | None,
    prompt_text: str | None,
    form: str,
    fail_on: str,
    *,
    quick: bool,
    exit_zero: bool,
) -> Any:
    """Tell what recordings are, and whether the clone service would take them."""
    if not files and prompt is None:
        raise UsageError("no recording is named", "give one or more files")
    if prompt is None and prompt_text is not None:
        raise UsageError("--prompt-text needs the clip in which it is spoken", "add --prompt CLIP")
    reports = []
    for report in _reports(files, prompt, prompt_text, quick=quick):
        reports.append(report)
        if form == "jsonl":
            print_json(report, in_one_line=True)
        elif form == "text":
            for line in report_lines(report):
                print_line(line)
    if form == "json":
        from preflight.report import SCHEMA_VERSION

        print_json({"schema_version": SCHEMA_VERSION, "takes": reports})
    bad = {"error", "warning"} if fail_on == "warning" else {"error"}
    is_fit = all(finding.severity not in bad for report in reports for finding in report.findings)
    return exit_with(Status.DONE if is_fit or exit_zero else Status.NOT_FIT)


def _reports(files: tuple[str, ...], prompt: str | None, prompt_text: str | None, *, quick: bool) -> Iterator[Report]:
    from preflight import check

    for file in files:
        yield check(file, quick=quick)
    if prompt is not None:
        yield check(prompt, role="prompt", prompt_text=prompt_text, quick=quick)
