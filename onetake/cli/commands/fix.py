"""`onetake fix`."""

from __future__ import annotations

from typing import Any

import click

from onetake.cli.main import Command
from onetake.cli.options import (
    ANY_PATH,
    SPEAKER_MODEL,
    fix_options,
    fix_options_from,
    json_option,
    profile_from,
    profile_options,
    setting_options,
    with_chosen_speaker_model,
)
from onetake.cli.output.fix_output import fix_lines, named_problems
from onetake.config.settings import load
from onetake.console.progress import AUDIO, show_progress
from onetake.console.streams import print_json, print_text
from onetake.errors import UsageError
from onetake.io.inputs import is_object, require_files, with_objects
from onetake.io.paths import is_folder


@click.command("fix", cls=Command, epilog="Example: onetake fix voice-message.ogg -o take.wav")
@click.argument("file", type=ANY_PATH, metavar="FILE")
@click.option(
    "-o",
    "--out",
    type=ANY_PATH,
    metavar="OUT",
    help="File (.wav, .mp3, .m4a) or folder to write.",
)
@click.option("--force", is_flag=True, help="Replace OUT if it exists.")
@click.option("--dry-run", is_flag=True, help="Show the changes without writing anything.")
@fix_options
@profile_options()
@setting_options(*SPEAKER_MODEL, advanced=True)
@json_option
def command(file: str, out: str | None, *, force: bool, dry_run: bool, as_json: bool, **flags: Any) -> Any:
    """Write a version of a recording that is fit to send, re-encoded only if necessary. Edits that change the sound
    are made only on request, by name or with --unsafe. Without -o, take.ogg becomes take.fixed.wav beside it.
    """  # noqa: D205 - as one paragraph the help fits a screen
    import preflight
    from onetake.io.s3_objects import fix_to_object

    if is_object(file) and out is None and not dry_run:
        raise UsageError("no output file", "add -o OUT, which may begin with s3://")
    require_files([file])
    profile = with_chosen_speaker_model(profile_from(flags), load(flags))
    options = fix_options_from(flags)
    (take,) = with_objects([file]) if not file.endswith("/") else [file]
    with named_problems(file, out), show_progress("fixing", AUDIO) as update:
        if dry_run:
            fixed = preflight.plan(take, out, options=options, profile=profile, on_progress=update)
        elif is_object(out):
            fixed = fix_to_object(take, out or "", force=force, options=options, profile=profile, on_progress=update)
        else:
            fixed = preflight.fix(take, out, options=options, force=force, profile=profile, on_progress=update)
    if as_json:
        print_json({"schema_version": 1, **{name: getattr(fixed, name) for name in fixed.__struct_fields__}})
    else:
        for line in fix_lines(fixed, chooses_format=options.to is None and (out is None or is_folder(out))):
            print_text(line)
