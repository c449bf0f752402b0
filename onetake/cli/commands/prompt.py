"""`onetake prompt`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from onetake.cli.main import Command, exit_with
from onetake.cli.options import ANY_PATH, SPEECH_MODEL, json_option, profile_from, profile_options, setting_options
from onetake.cli.output.fix_output import named_problems, print_written
from onetake.config.settings import load
from onetake.console.progress import AUDIO, Steps, show_progress
from onetake.console.streams import print_json, print_stderr, print_text
from onetake.console.terminal import is_quiet, safe
from onetake.errors import UsageError
from onetake.exit_status import Status
from onetake.io.inputs import require_files
from onetake.speech_model import chosen_model
from preflight.display.text import clock

if TYPE_CHECKING:
    from preflight import Fixed, Profile, PromptClip, SpeechModel


@click.command(
    "prompt", cls=Command, epilog="Example: onetake prompt take.m4a --pick 1 --text 'A small brown dog.' -o clip.wav"
)
@click.argument("file", type=ANY_PATH, metavar="FILE")
@click.option("--count", type=click.IntRange(1, 50), default=5, metavar="N", help="Clips to show; default: 5.")
@click.option("--pick", type=click.IntRange(1, 50), metavar="N", help="Write this clip; 1 is the best.")
@click.option("--text", metavar="TEXT", help="Exact text spoken in the clip, with punctuation.")
@click.option("-o", "--out", type=ANY_PATH, metavar="OUT", help="File to write (.wav, .mp3, .m4a), or a folder.")
@click.option("--force", is_flag=True, help="Replace OUT if it exists.")
@profile_options()
@setting_options(SPEECH_MODEL)
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
    """Find the best prompt clips in a recording: clean sentences of less than 8 seconds.

    Write one with --pick, listen to it, and type what is said. With a speech model, transcripts are shown.
    """
    import preflight

    if (pick is None) != (out is None):
        raise UsageError("--pick and -o belong together", "choose the clip with --pick, and the file with -o")
    require_files([file])
    profile = profile_from(flags)
    model = chosen_model(load(flags))
    if pick is None or out is None:
        with named_problems(file), show_progress("finding clips", AUDIO) as update:
            clips = preflight.prompt_clips(file, count=count, profile=profile, on_progress=update)
            spans = [(clip.start_s, clip.end_s) for clip in clips]
            texts = preflight.transcribe(file, spans, model) if model else None
        _show(file, clips, texts, as_json=as_json)
        return exit_with(Status.DONE)
    if text is not None:
        from client import CloneOptions

        CloneOptions(prompt_text=text)  # raises what the service would refuse, before anything is written
    with named_problems(file, out), show_progress("cutting", AUDIO) as update:
        clip, fixed = preflight.cut_prompt(
            file, out, number=pick, prompt_text=text, force=force, profile=profile, on_progress=update
        )
    comparison, is_fit = _compared(fixed, text, model, profile)
    if as_json:
        print_json({"schema_version": 1, "clip": clip, "fixed": fixed, **comparison})
    else:
        print_written(fixed)
    if text is None and not is_quiet():
        print_stderr("listen to it, and type exactly what is said: clone needs it as --prompt-text")
    return exit_with(Status.DONE if is_fit else Status.NOT_FIT)


def _compared(
    fixed: Fixed, text: str | None, model: SpeechModel | None, profile: Profile
) -> tuple[dict[str, Any], bool]:
    """Compare the text with the clip and print warnings; return the JSON members and whether the clip is fit."""
    if model is None or text is None or fixed.path is None or profile.severity("prompt-text-differs") == "off":
        return {}, True
    from onetake.clones.prepare import comparison_fields
    from preflight import compare_text, display_name, text_findings

    comparison = compare_text(fixed.path, text, model)
    findings = text_findings(comparison, profile)
    for finding in findings:
        if finding.severity != "info":
            Steps(quiet=True).warn(f"{display_name(fixed.path)}: {finding.message}")
    is_fit = all(finding.severity != "error" for finding in findings)
    return {"comparison": comparison_fields(comparison, findings)}, is_fit


def _show(file: str, clips: tuple[PromptClip, ...], texts: tuple[str, ...] | None, *, as_json: bool) -> None:
    import msgspec

    from preflight import display_name
    from preflight.display.shell_arguments import argument

    if as_json:
        shown: Any = clips
        if texts is not None:
            shown = [{**msgspec.to_builtins(clip), "heard": text} for clip, text in zip(clips, texts, strict=True)]
        print_json({"schema_version": 1, "path": display_name(file), "clips": shown})
        return
    for number, clip in enumerate(clips, 1):
        flaw = f", {clip.clipped_percent:.2g} % clipped" if clip.clipped_percent else ""
        print_text(
            f"{number:2}  {clock(clip.start_s)} to {clock(clip.end_s)}  {clip.seconds:.1f} s  "
            f"SNR {clip.snr_db:.0f} dB, {clip.loudness_lufs:.1f} LUFS{flaw}"
        )
        if texts is not None:
            print_text(f"    {safe(texts[number - 1]) or '(no speech recognized)'}")
    path = argument(display_name(file))
    print_stderr(f'write one with: onetake prompt {path} --pick 1 --text "what is said in it." -o clip.wav')
