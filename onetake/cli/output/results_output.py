"""Check into a folder of results, and print counts and the worst takes of one."""

from __future__ import annotations

import contextlib
from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec

from onetake.console.streams import print_json, print_stderr, print_text, print_warning
from onetake.console.terminal import safe
from onetake.errors import UsageError
from onetake.io.inputs import PIPE, read_names, recordings_of, stream_objects
from onetake.render.text import report_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from onetake.io.inputs import Take
    from onetake.results.check_run import CheckRun
    from onetake.results.part_formats import Entry
    from onetake.results.summary import Summary


def check_into(
    out: str,
    files: Sequence[str],
    files_from: str | None,
    *,
    as_json: bool,
    on: str | None = None,
    parts_as: str | None = None,
    **options: Any,
) -> CheckRun:
    """Check what was not checked before, and print the counts of this run.

    Args:
        out: The folder of the results, or a prefix.
        files: Files, folders, objects and prefixes.
        files_from: A list with more of them.
        as_json: Print a document instead of lines.
        parts_as: The format of the parts; None for JSON Lines.
        on: The cluster to check on; None for this machine.
        options: Of `CheckRun`.

    Raises:
        UsageError: Standard input is a recording, or a name is not valid.
        onetake.cluster.task.ClusterFailed: The cluster cannot be used.
        preflight.CannotWrite, uploader.StorageError: The results cannot be written.
    """
    from onetake.cluster.dask_engine import open_engine
    from onetake.config.ledger_location import home_path
    from onetake.results.check_run import CheckRun
    from onetake.results.journal import Journal
    from onetake.results.part_formats import require_format
    from onetake.results.parts import Parts

    if PIPE in files:
        raise UsageError("a folder of results needs files or objects, not standard input", "name a file")
    listed = [] if files_from is None else read_names(files_from)

    def takes() -> Iterable[Take]:
        return stream_objects(chain(recordings_of(files), recordings_of(listed)), quick=options["quick"])

    form = parts_as or "jsonl"
    require_format(form)
    parts = Parts(out, form)
    with Journal(home_path(), out) as journal, contextlib.ExitStack() as stack:
        engine = None if on is None else stack.enter_context(open_engine(on, options["jobs"]))
        run = CheckRun(parts, journal, engine=engine, **options)
        try:
            run.run(takes)
        except BaseException as error:
            if run.written:
                end = "interrupted" if isinstance(error, KeyboardInterrupt) else "stopped"
                print_warning(f"{end}: {run.written} reports are in {safe(parts.shown)}; the same command continues")
            raise
    if as_json:
        print_json({"schema_version": 1, "skipped": run.skipped, **msgspec.to_builtins(run.summary)})
    else:
        for line in run.summary.lines():
            print_text(line)
    print_stderr(f"{run.skipped} were done before; results in {safe(parts.shown)}")
    return run


def print_chosen(summary: Summary, worst: list[Entry], sample: list[Entry], *, as_json: bool) -> None:
    """Print the counts of results, their worst takes, and a sample of the others."""
    if as_json:
        chosen = {"worst": worst, "sample": sample}
        print_json({"schema_version": 1, "summary": msgspec.to_builtins(summary), **chosen})
        return
    for line in summary.lines():
        print_text(line)
    for label, entries in (("the worst", worst), ("a sample of the others", sample)):
        if entries:
            print_text(f"{label}:")
        for entry in entries:
            for line in report_lines(entry.report):
                print_text(line)
