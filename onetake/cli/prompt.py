"""`onetake prompt`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from onetake.cli.judging import judging_options, profile_from
from onetake.cli.options import json_option
from onetake.cli.output import named_problems, print_json, print_written
from onetake.cli.streams import print_aside, print_line
from onetake.errors import UsageError
from preflight.wording import clock

if TYPE_CHECKING:
    from preflight import PromptClip


@click.command("prompt", epilog="Example: onetake prompt take.m4a --pick 1 --text 'A small brown dog.' -o clip.wav")
@click.argument("file", type=click.Path(), metavar="FILE")
@click.option("--count", type=click.IntRange(1, 50), default=5, metavar="N", help="How many to show; 5 by default.")
@click.option("--pick", type=click.IntRange(1, 50), metavar="N", help="Write this one; 1 is the best.")
@click.option("--text", metavar="TEXT", help="Exactly what is said in it, with its punctuation.")
@click.option("-o", "--out", type=click.Path(), metavar="OUT", help="File to write (.wav, .mp3, .m4a), or a folder.")
@click.option("--force", is_flag=True, help="Replace OUT when it exists.")
@judging_options()
@json_option
def command(
    file: str,
    count: int,
    pick: int | None,
    text: str | None,
    out: str | None,
    *,
    force: bool,
    as_json: bool,
    **flags: Any,
) -> Any:
    """Find the best stretches of a recording for a prompt clip: one clean sentence of less than 8 seconds.

    Listen to one, write down what is said in it, and have it written with --pick.
    """
    import preflight

    if (pick is None) != (out is None):
        raise UsageError("--pick and -o belong together", "say which clip to write, and where")
    if pick is not None and text is None:
        raise UsageError("a prompt clip needs the text that is spoken in it", 'add --text "…"')
    profile = profile_from(flags)
    if pick is None or out is None or text is None:
        with named_problems(file):
            clips = preflight.prompt_clips(file, count=count, profile=profile)
        _show(file, clips, as_json=as_json)
        return
    from client import CloneOptions

    CloneOptions(prompt_text=text)  # what the service would refuse is refused before anything is written
    with named_problems(file):
        clip, fixed = preflight.cut_prompt(file, out, number=pick, prompt_text=text, force=force, profile=profile)
    if as_json:
        print_json({"schema_version": 1, "clip": clip, "fixed": fixed})
    else:
        print_written(fixed)


def _show(file: str, clips: tuple[PromptClip, ...], *, as_json: bool) -> None:
    from preflight import display_name

    if as_json:
        print_json({"schema_version": 1, "path": display_name(file), "clips": clips})
        return
    for number, clip in enumerate(clips, 1):
        flaw = f", {clip.clipped_percent:.2g} % clipped" if clip.clipped_percent else ""
        print_line(
            f"{number:2}  {clock(clip.start_s)} to {clock(clip.end_s)}  {clip.seconds:.1f} s  "
            f"SNR {clip.snr_db:.0f} dB, {clip.loudness_lufs:.1f} LUFS{flaw}"
        )
    print_aside('write one with: onetake prompt FILE --pick 1 --text "what is said in it." -o clip.wav')
