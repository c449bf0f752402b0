"""`onetake fix`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from onetake.cli.main import Command
from onetake.cli.options import ANY_PATH, json_option, profile_from, profile_options, wishes_from, wishing_options
from onetake.cli.output.fix_output import named_problems, print_written
from onetake.console.progress import AUDIO, show_progress
from onetake.console.streams import print_json, print_text
from onetake.errors import UsageError
from onetake.render.text import safe

if TYPE_CHECKING:
    from preflight import Fixed


@click.command("fix", cls=Command, epilog="Example: onetake fix voice-message.ogg -o take.wav")
@click.argument("file", type=ANY_PATH, metavar="FILE")
@click.option("-o", "--out", type=ANY_PATH, metavar="OUT", help="File to write (.wav, .mp3, .m4a), or a folder.")
@click.option("--force", is_flag=True, help="Replace OUT when it exists.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and write nothing.")
@wishing_options
@profile_options()
@json_option
def command(file: str, out: str | None, *, force: bool, dry_run: bool, as_json: bool, **flags: Any) -> Any:
    """Write a version of a recording that is fit to be sent. One that is ready is copied byte for byte, and sound is
    coded anew only where it must be. What changes how it sounds is done by name, or with --unsafe.
    """  # noqa: D205 - as one paragraph the help fits a screen
    import preflight

    if out is None and not dry_run:
        raise UsageError("where to write is not said", "add -o OUT, or --dry-run to see what would be done")
    profile = profile_from(flags)
    options = wishes_from(flags)
    with named_problems(file), show_progress("fixing", AUDIO) as tell:
        if dry_run:
            fixed = preflight.plan(file, out, options=options, profile=profile, on_progress=tell)
        else:
            fixed = preflight.fix(file, out or "", options=options, force=force, profile=profile, on_progress=tell)
    if as_json:
        print_json({"schema_version": 1, **{name: getattr(fixed, name) for name in fixed.__struct_fields__}})
    else:
        _tell(fixed)


def _tell(fixed: Fixed) -> None:
    for edit in fixed.edits:
        print_text(f"{safe(edit.what)}{'' if edit.safe else ' (unsafe)'}")
    if not fixed.edits:
        print_text("it is ready as it is: copy it byte for byte")
    print_written(fixed)
