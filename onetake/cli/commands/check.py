"""`onetake check`."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import click

from onetake.cli.main import AdvancedOption, Command, exit_with
from onetake.cli.options import (
    ANY_PATH,
    SPEAKER_MODEL,
    chosen_format,
    profile_from,
    profile_options,
    setting_options,
    with_chosen_speaker_model,
)
from onetake.cli.output.check_output import FORMS, CheckOutput
from onetake.config.settings import load
from onetake.console.progress import AUDIO, show_progress, with_progress
from onetake.console.streams import print_line, print_stderr
from onetake.console.terminal import is_quiet
from onetake.errors import UsageError
from onetake.exit_status import Status
from onetake.io.inputs import is_results_folder, open_inputs, report_with_remote, with_objects
from onetake.render.text import is_unfit
from preflight.display.text import megabytes
from preflight.input.recording import SpooledFile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from onetake.io.inputs import Take
    from onetake.render.text import FailOn
    from preflight import Profile, Report


def _print_schema(ctx: click.Context, _option: click.Parameter, is_given: bool) -> None:
    if is_given and not ctx.resilient_parsing:
        from onetake.render.json_schema import published

        print_line(published().rstrip())
        ctx.exit()


@click.command("check", cls=Command, epilog="Example: onetake check takes/ --profile strict --format json")
@click.argument("files", nargs=-1, type=ANY_PATH, metavar="FILE|FOLDER...")
@click.option(
    "--files-from", cls=AdvancedOption, type=ANY_PATH, metavar="LIST", help="Read file names from LIST; - is stdin."
)
@click.option("--prompt", type=ANY_PATH, metavar="CLIP", help="Check a prompt clip, too.")
@click.option("--prompt-text", metavar="TEXT", help="The text spoken in the prompt clip.")
@click.option("--quick", is_flag=True, help="Read headers only; durations may be wrong.")
@click.option("--speakers", is_flag=True, help="Check for several speakers, too.")
@profile_options(with_select=True)
@click.option("--format", "form", type=click.Choice(FORMS), metavar="FORM", help=f"{', '.join(FORMS)}.")
@click.option("--json", "as_json", cls=AdvancedOption, is_flag=True, help="The same as --format json.")
@click.option(
    "--schema",
    is_flag=True,
    cls=AdvancedOption,
    is_eager=True,
    expose_value=False,
    callback=_print_schema,
    help="Print the JSON Schema of --format json.",
)
@click.option("-o", "--out", type=ANY_PATH, metavar="FILE|FOLDER/", help="HTML page, or folder of results.")
@click.option(
    "--retry-failed",
    cls=AdvancedOption,
    is_flag=True,
    help="With a folder of results: check again what could not be examined.",
)
@click.option(
    "--parts",
    "parts_as",
    cls=AdvancedOption,
    type=click.Choice(["jsonl", "parquet"]),
    metavar="FORM",
    help="With a folder of results: write it as jsonl or parquet.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["error", "poor", "warning"]),
    default="error",
    help="Fail on errors only, also on poor quality, or also on warnings.",
)
@click.option("--exit-zero", cls=AdvancedOption, is_flag=True, help="Exit with 0 even if a recording is not fit.")
@click.option(
    "--jobs", cls=AdvancedOption, type=click.IntRange(1, 256), metavar="N", help="Parallel jobs; default: CPU cores."
)
@setting_options(*SPEAKER_MODEL, advanced=True)
@click.option("--on", cls=AdvancedOption, metavar="CLUSTER", help="Check on dask (here) or dask://HOST:8786.")
def command(
    files: tuple[str, ...],
    prompt: str | None,
    prompt_text: str | None,
    form: str | None,
    fail_on: FailOn,
    jobs: int | None,
    on: str | None,
    *,
    as_json: bool,
    quick: bool,
    exit_zero: bool,
    speakers: bool,
    **options: Any,
) -> Any:
    """Report what recordings are, how they sound, and whether the clone service accepts them. FILE can be - for
    standard input. A FOLDER, or s3://BUCKET/PREFIX/ with the storage settings, means all recordings in it.
    """  # noqa: D205 - as one paragraph the help fits a screen
    from preflight.checks import analyze, report_of

    files_from = options.pop("files_from")
    _require_inputs(files, files_from, prompt, prompt_text)
    form = chosen_format(form, as_json=as_json)
    profile = profile_from(options)
    if speakers or options["speaker_model"] or profile.compares_voices:
        profile = with_chosen_speaker_model(profile.with_speakers(), load(options))
    _require_engine(on, jobs, form)
    retry_failed, parts_as = options.pop("retry_failed"), options.pop("parts_as")
    if is_results_folder(out := options.pop("out")):
        if prompt is not None or form not in {"text", "json"}:
            raise UsageError("a folder of results needs --format text or json, and no --prompt", "omit them")
        from onetake.cli.output.results_output import check_into

        judged: dict[str, Any] = {
            "profile": profile,
            "quick": quick,
            "fail_on": fail_on,
            "jobs": jobs,
            "on": on,
            "parts_as": parts_as,
        }
        run = check_into(out, files, files_from, as_json=form == "json", retry_failed=retry_failed, **judged)
        return exit_with(run.status(exit_zero=exit_zero))
    if retry_failed or parts_as:
        given = "--retry-failed" if retry_failed else "--parts"
        raise UsageError(f"{given} needs a folder of results", "add --out FOLDER/")
    with open_inputs(files, files_from) as named:
        takes = with_objects(named, quick=quick)
        output = CheckOutput(form, out, profile, fail_on, takes=takes, prompt=prompt)
        if on is not None:
            _check_on(on, jobs, takes, output, profile, quick=quick)
        elif len(takes) == 1:
            with show_progress("checking", AUDIO) as on_progress:
                analysis = analyze(
                    takes[0], quick=quick, pictures=output.wants_pictures, profile=profile, on_progress=on_progress
                )
            output.add(takes[0], report_with_remote(takes[0], report_of(analysis, profile)), analysis.pictures)
        elif takes:
            from preflight.batch import analyze_many

            with _started(takes, jobs) as ready:
                many = analyze_many(ready, quick=quick, pictures=output.wants_pictures, profile=profile, workers=jobs)
                with contextlib.closing(many) as analyses:
                    done = with_progress(analyses, len(takes), label="checking")
                    for take, analysis in zip(takes, done, strict=True):
                        report = report_with_remote(take, report_of(analysis, profile))
                        output.add(take, report, analysis.pictures)
    _say_fetched(takes)
    if prompt is not None:
        clip = analyze(
            prompt, role="prompt", prompt_text=prompt_text, quick=quick, pictures=form == "html", profile=profile
        )
        output.add(prompt, report_of(clip, profile), clip.pictures)
    output.end()
    return exit_with(_status(output.reports, fail_on, exit_zero=exit_zero))


def _require_inputs(
    files: tuple[str, ...], files_from: str | None, prompt: str | None, prompt_text: str | None
) -> None:
    if not files and files_from is None and prompt is None:
        raise UsageError("no recording is named", "give one or more files")
    if prompt is None and prompt_text is not None:
        raise UsageError("--prompt-text needs the clip in which it is spoken", "add --prompt CLIP")


def _require_engine(on: str | None, jobs: int | None, form: str) -> None:
    if on is None:
        return
    from onetake.cluster.dask_engine import require_engine_name

    require_engine_name(on, jobs)
    if form == "html":
        message = "an HTML page needs the waveforms, which a cluster does not return"
        raise UsageError(message, "write results (--out FOLDER/), then onetake report FOLDER/ -o PAGE.html")


def _check_on(
    on: str, jobs: int | None, takes: list[Take], output: CheckOutput, profile: Profile, *, quick: bool
) -> None:
    from onetake.cluster.batch_window import checked_in_order
    from onetake.cluster.dask_engine import open_engine
    from onetake.io.s3_objects import ObjectRecording

    with (
        open_engine(on, jobs) as engine,
        contextlib.closing(checked_in_order(engine, takes, profile, quick=quick)) as reports,
    ):
        done = with_progress(reports, len(takes), label="checking")
        for take, report in zip(takes, done, strict=True):
            if isinstance(take, ObjectRecording):
                take.remote = report.remote or None
            output.add(take, report, None)


def _started(takes: list[Take], jobs: int | None) -> contextlib.AbstractContextManager[Iterable[Take]]:
    """Fetch objects ahead; files need nothing."""
    if all(isinstance(take, str | SpooledFile) for take in takes):
        return contextlib.nullcontext(takes)
    from onetake.io.s3_prefetch import fetched_ahead
    from preflight.worker.pool import usable_cores

    return fetched_ahead(takes, jobs or usable_cores())


def _say_fetched(takes: list[Take]) -> None:
    remotes = [take.remote for take in takes if not isinstance(take, str | SpooledFile) and take.remote is not None]
    if remotes and not is_quiet():
        fetched, whole = sum(each.fetched_bytes for each in remotes), sum(each.bytes for each in remotes)
        print_stderr(f"fetched {megabytes(fetched)} of {megabytes(whole)} from {len(remotes)} objects")


def _status(reports: list[Report], fail_on: FailOn, *, exit_zero: bool) -> Status:
    # a bug in onetake says nothing about the recording: it is reported even with --exit-zero
    if any(finding.rule == "not-examined" for report in reports for finding in report.findings):
        return Status.BUG
    is_fit = not any(is_unfit(report, fail_on) for report in reports)
    return Status.DONE if is_fit or exit_zero else Status.NOT_FIT
