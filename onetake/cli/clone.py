"""`onetake clone`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from onetake.cli import exit_with
from onetake.cli.judging import judging_options, profile_from
from onetake.cli.options import SERVICE, STORAGE, json_option, sandbox_option, services, setting_options
from onetake.cli.output import Steps, print_json
from onetake.cli.streams import print_line
from onetake.errors import OutputLost, SettingError, Status
from onetake.render.text import safe

if TYPE_CHECKING:
    from onetake.order import Cloned, Order
    from onetake.settings import Settings


@click.command("clone", epilog="Example: onetake clone take.m4a --text 'Hello.' --model speech-2.8-hd --demo demo.mp3")
@click.argument("file", type=click.Path(), metavar="FILE")
@click.option("--prompt", type=click.Path(), metavar="CLIP", help="A clip under 8 s that makes the voice closer.")
@click.option("--auto-prompt", type=click.IntRange(1, 50), metavar="N", help="Use clip N of `onetake prompt FILE`.")
@click.option("--prompt-text", metavar="TEXT", help="Exactly what is said in it, with its punctuation.")
@click.option("--text", metavar="TEXT", help="Trial listening: read this with the new voice (charged).")
@click.option("--model", metavar="MODEL", help="The model that reads it, e.g. speech-2.8-hd.")
@click.option("--allow-unknown-model", is_flag=True, help="Send a model name that is not listed.")
@click.option("--demo", type=click.Path(), metavar="OUT", help="Where to write the trial recording.")
@click.option("--accuracy", type=float, metavar="0..1", help="Threshold of the service's text verification.")
@click.option("--noise-reduction", is_flag=True, help="Have the service reduce noise.")
@click.option("--volume-normalization", is_flag=True, help="Have the service normalise loudness.")
@click.option("--keep-upload", is_flag=True, help="Leave the recording in the storage.")
@click.option("--dry-run", is_flag=True, help="Show the plan and send nothing.")
@judging_options()
@setting_options(*STORAGE, *SERVICE)
@sandbox_option
@json_option
def command(file: str, *, sandbox: bool, as_json: bool, dry_run: bool, **flags: Any) -> Any:
    """Clone the voice of a recording: check, mend if needed, upload, verify, clone, clean up.

    A clone costs money. Nothing is sent that the service would refuse.
    """
    order = _order(file, flags)
    if dry_run:
        return _show_plan(order, flags, sandbox=sandbox, as_json=as_json)
    from onetake.journal import Journal
    from onetake.order import check_order
    from onetake.pipeline import Pipeline

    check_order(order)
    steps = Steps(quiet=as_json)
    with services(flags, sandbox=sandbox) as (settings, home):
        on_retry = lambda wait_s, error: steps.warn(f"{error.message}; again in {wait_s:.0f} s")  # noqa: E731
        cloned = Pipeline(settings.storage(), settings.client(on_retry), Journal(home), steps).clone(order)
    try:
        _show(cloned, as_json=as_json)
    except OutputLost:
        steps.warn(f"standard output is lost; WRITE THIS DOWN: voice_id {cloned.voice_id}")
        raise
    return exit_with(Status.INTERRUPTED if cloned.interrupted else Status.DONE)


def _order(file: str, flags: dict[str, Any]) -> Order:
    from client import CloneOptions
    from onetake.order import Order

    options = CloneOptions(
        text=flags.pop("text"),
        model=flags.pop("model"),
        accuracy=flags.pop("accuracy"),
        need_noise_reduction=flags.pop("noise_reduction"),
        need_volume_normalization=flags.pop("volume_normalization"),
        prompt_text=flags.pop("prompt_text"),
        allow_unknown_model=flags.pop("allow_unknown_model"),
    )
    demo = flags.pop("demo")
    return Order(
        file,
        options,
        flags.pop("prompt"),
        Path(demo) if demo else None,
        flags.pop("keep_upload"),
        profile_from(flags),
        flags.pop("auto_prompt"),
    )


def _show(cloned: Cloned, *, as_json: bool) -> None:
    if as_json:
        print_json({"schema_version": 1, **{name: getattr(cloned, name) for name in cloned.__struct_fields__}})
        return
    print_line(f"voice_id  {safe(cloned.voice_id)}")
    print_line(
        f"expires   {cloned.expires_at.astimezone():%Y-%m-%d %H:%M %Z}, unless a speech call uses it before then"
    )
    if cloned.demo:
        print_line(f"demo      {safe(cloned.demo)}")


def _show_plan(order: Order, flags: dict[str, Any], *, sandbox: bool, as_json: bool) -> None:
    from onetake.order import check_order
    from onetake.preparation import plan_order
    from onetake.settings import load

    check_order(order)
    steps = Steps(quiet=as_json)
    with tempfile.TemporaryDirectory(prefix="onetake-", ignore_cleanup_errors=True) as folder:
        plan = plan_order(order, Path(folder), steps)
    where: Any = "sandbox" if sandbox else _destination(load(flags))
    if as_json:
        print_json({"schema_version": 1, "dry_run": True, **plan, "storage": where})
        return
    print_line(f"would upload to {safe(str(where))} and send")
    print_json(plan["request"])


def _destination(settings: Settings) -> dict[str, Any]:
    if settings.text("api_key") is None:
        raise SettingError("api_key is not set", "set ONETAKE_API_KEY, or rehearse with --sandbox")
    return settings.storage().describe()
