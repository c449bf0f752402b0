"""`onetake join`."""

from __future__ import annotations

from typing import Any

import click

from onetake.cli.main import Command
from onetake.cli.options import (
    ANY_PATH,
    SPEAKER_MODEL,
    json_option,
    profile_from,
    profile_options,
    setting_options,
    with_chosen_speaker_model,
)
from onetake.cli.output.fix_output import named_output
from onetake.config.settings import load
from onetake.console.progress import AUDIO, show_progress
from onetake.console.streams import print_json, print_text, print_warning
from onetake.console.terminal import safe
from onetake.errors import UsageError
from onetake.io.inputs import require_files
from preflight.display.text import clock, describe_file


@click.command("join", cls=Command, epilog="Example: onetake join one.wav two.wav three.wav -o take.wav")
@click.argument("files", nargs=-1, required=True, type=ANY_PATH, metavar="FILE...")
@click.option("-o", "--out", type=ANY_PATH, required=True, metavar="OUT", help="File to write (.wav, .mp3, .m4a).")
@click.option("--force", is_flag=True, help="Replace OUT if it exists.")
@profile_options()
@setting_options(*SPEAKER_MODEL, advanced=True)
@json_option
def command(files: tuple[str, ...], out: str, *, force: bool, as_json: bool, **flags: Any) -> Any:
    """Join short takes of one voice into a recording that is long enough.

    One gain per take makes all equally loud, and silence between them is adjusted to a short pause.
    """
    import preflight

    if len(files) < 2:
        raise UsageError("join needs at least two takes", "name two or more files")
    require_files(files)
    profile = with_chosen_speaker_model(profile_from(flags), load(flags))
    with named_output(out), show_progress("joining", AUDIO) as update:
        joined = preflight.join(files, out, force=force, profile=profile, on_progress=update)
    if as_json:
        print_json({"schema_version": 1, "joined": joined})
        return
    for warning in joined.warnings:
        print_warning(warning)
    for part in joined.parts:
        kept = f"{clock(part.start_s)} to {clock(part.end_s)}"
        print_text(f"{clock(part.at_s)}  {safe(part.path)}, {kept}, {part.gain_db:+.1f} dB")
    print_text(f"{safe(preflight.display_name(joined.path))}: {describe_file(joined.after.file)}")
