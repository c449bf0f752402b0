"""`onetake report`."""

from __future__ import annotations

import click

from onetake.cli.main import Command
from onetake.cli.options import ANY_PATH, json_option
from onetake.cli.output.results_output import print_chosen
from onetake.console.streams import print_stderr
from onetake.console.terminal import safe
from onetake.errors import UsageError


@click.command("report", cls=Command, epilog="Example: onetake report results/ -o report.html")
@click.argument("results", type=ANY_PATH, metavar="RESULTS")
@click.option("-o", "--out", type=ANY_PATH, metavar="FILE", help="Write an HTML page.")
@click.option(
    "--worst", type=click.IntRange(0, 1000), default=20, metavar="N", help="Worst takes to show; default: 20."
)
@click.option(
    "--sample", type=click.IntRange(0, 1000), default=0, metavar="N", help="Other takes to show, at random; default: 0."
)
@json_option
def command(results: str, out: str | None, worst: int, sample: int, *, as_json: bool) -> None:
    """Show counts and the worst takes of a folder of results, which `onetake check --out RESULTS/` wrote."""
    from onetake.results.parts import Parts
    from onetake.results.summary import choose

    parts = Parts(results)
    summary, found, others = choose(parts.newest_first(), worst, sample)
    if not summary.takes:
        raise UsageError(f"there are no results in {parts.shown}", "write some: onetake check FOLDER --out RESULTS/")
    if out is None:
        print_chosen(summary, found, others, as_json=as_json)
        return
    from onetake.render.html.report_page import ReportPage
    from preflight.profile import DEFAULT

    page = ReportPage(out, DEFAULT, [])
    for entry in (*found, *others):
        page.add(entry.name, entry.report, None)
    page.write()
    print_stderr(f"{safe(str(page.path))}: {len(found) + len(others)} of {summary.takes} recordings")
