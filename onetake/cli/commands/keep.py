"""`onetake keep`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from onetake.cli import exit_with
from onetake.cli.command import Command
from onetake.cli.commands.voices import SPAN, opened_ledger
from onetake.cli.options.shared import SERVICE, json_option, setting_options
from onetake.config.settings import load
from onetake.console.json_output import print_json
from onetake.console.steps import Steps
from onetake.console.streams import can_ask, print_aside, print_text
from onetake.errors import Failure, Status, UsageError, failure_of, stop_status, stopped_before_turn, weightiest
from onetake.io.signals import finishing
from onetake.render.outcomes import error_fields
from onetake.render.text import safe

if TYPE_CHECKING:
    from onetake.ledger import Ledger, VoiceRecord

_STOPPING: Final = "the call that is under way comes to its end, no other is made (Ctrl-C again gives it up)"


@click.command("keep", cls=Command, epilog="Example: onetake keep --expiring 48h --yes")
@click.argument("voices", nargs=-1, metavar="VOICE...")
@click.option("--expiring", type=SPAN, metavar="TIME", help="Those that expire within 48h, 2d, …")
@click.option("--all", "every", is_flag=True, help="Every voice that is not kept yet.")
@click.option("--again", is_flag=True, help="Call although an earlier call may be charged.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@setting_options(*SERVICE)
@json_option
def command(
    voices: tuple[str, ...],
    expiring: timedelta | None,
    *,
    every: bool,
    again: bool,
    yes: bool,
    as_json: bool,
    **flags: Any,
) -> Any:
    """Keep voices for good, by the cheapest speech call: three characters each.

    Some services charge a voice's one-off fee at its first speech call: it may fall due now.
    """
    if sum((bool(voices), expiring is not None, every)) != 1:
        raise UsageError("which voices to keep is not said", "name them, or give --expiring TIME or --all")
    settings = load(flags)
    client = settings.client()
    steps = Steps(quiet=as_json)
    with opened_ledger() as ledger:
        chosen = _chosen(ledger, voices, expiring, client.base_url)
        count = sum(voice.kept_at is None for voice in chosen)
        if count and not (yes or settings.is_local):
            what = "1 voice is" if count == 1 else f"{count} voices are"
            print_aside(f"{what} kept by a call; a service may charge a voice's fee at this, its first call")
            if can_ask():
                click.confirm("Go on?", abort=True, err=True)
        ended: dict[str, Failure | None] = {}
        kept = partial(_kept, client, ledger, steps, again=again, as_json=as_json)
        with finishing(lambda: steps.warn(_STOPPING)) as patience:
            for voice in chosen:
                ended[voice.name] = stopped_before_turn() if patience.asked_to_stop else kept(voice)
    if as_json:
        print_json({"schema_version": 1, "voices": [_fields(voice, ended[voice.name]) for voice in chosen]})
    elif not chosen:
        print_text("there is no voice to keep")
    statuses = [failure.status for failure in ended.values() if failure]
    return exit_with(weightiest([*statuses, stop_status()] if patience.asked_to_stop else statuses))


def _chosen(ledger: Ledger, names: tuple[str, ...], expiring: timedelta | None, base_url: str) -> list[VoiceRecord]:
    """Those that are named; else those of this service that live, are not kept, and expire soon enough."""
    if names:
        return list({voice.voice_id: voice for voice in map(ledger.voices.find, names)}.values())
    now = datetime.now(UTC)
    return [
        voice
        for voice in ledger.voices.all()
        if voice.base_url == base_url
        and voice.is_alive(now)
        and voice.kept_at is None
        and (expiring is None or voice.expires_at - now <= expiring)
    ]


def _kept(
    client: Any, ledger: Ledger, steps: Steps, voice: VoiceRecord, *, again: bool, as_json: bool
) -> Failure | None:
    """None, or why it was not kept: one that is gone must not keep the others from being kept."""
    from onetake.speech import keep

    if voice.kept_at is not None:
        if not as_json:
            print_text(f"kept already  {safe(voice.name)}  {safe(voice.voice_id)}  (nothing was sent)")
        return None
    try:
        keep(client, ledger, voice, steps, again=again)
    except Exception as error:
        failure = failure_of(error)
        if failure.status == Status.BUG:
            raise
        doubt = "may not be kept" if failure.status == Status.UNKNOWN else "was not kept"
        trace_id = f" [trace id {failure.trace_id}]" if failure.trace_id else ""
        hint = f" ({failure.hint})" if failure.hint else ""
        steps.warn(f"{voice.name} {doubt}: {failure.message}{hint}{trace_id}")
        return failure
    if not as_json:
        print_text(f"kept  {safe(voice.name)}  {safe(voice.voice_id)}")
    return None


def _fields(voice: VoiceRecord, failure: Failure | None) -> dict[str, Any]:
    error = failure and error_fields(failure)
    return {"voice_id": voice.voice_id, "name": voice.name, "kept": failure is None, "error": error}
