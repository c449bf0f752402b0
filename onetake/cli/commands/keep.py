"""`onetake keep`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from onetake.cli.commands.voices import DURATION, opened_ledger
from onetake.cli.main import Command, exit_with
from onetake.cli.options import SERVICE, json_option, setting_options
from onetake.config.settings import load
from onetake.console.progress import Steps
from onetake.console.streams import print_json, print_stderr, print_text
from onetake.console.terminal import can_prompt, safe
from onetake.errors import Failure, UsageError, failure_of, stopped_before_turn
from onetake.exit_status import Status, most_severe, stop_status
from onetake.io.signals import finishing
from onetake.render.outcomes import error_fields

if TYPE_CHECKING:
    from onetake.ledger import Ledger, VoiceRecord

_STOPPING: Final = "waiting for the call in progress; no further calls are made (Ctrl-C again stops waiting)"


@click.command("keep", cls=Command, epilog="Example: onetake keep --expiring 48h --yes")
@click.argument("voices", nargs=-1, metavar="VOICE...")
@click.option("--expiring", type=DURATION, metavar="TIME", help="Voices that expire within 48h, 2d, …")
@click.option("--all", "every", is_flag=True, help="All voices that are not kept yet.")
@click.option("--again", is_flag=True, help="Call even if an earlier call may be charged.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
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
    **options: Any,
) -> Any:
    """Keep voices permanently, by a speech call of three characters each.

    Some services charge a one-time fee for a voice at its first speech call.
    """
    if sum((bool(voices), expiring is not None, every)) != 1:
        raise UsageError("exactly one of VOICE, --expiring and --all is needed", "name voices, or give an option")
    settings = load(options)
    client = settings.client()
    steps = Steps(quiet=as_json)
    with opened_ledger() as ledger:
        chosen = _chosen(ledger, voices, expiring, client.base_url)
        count = sum(voice.kept_at is None for voice in chosen)
        if count and not (yes or settings.is_local):
            what = "1 voice is" if count == 1 else f"{count} voices are"
            print_stderr(f"{what} kept by a speech call; the service may charge a fee for the first one")
            if can_prompt():
                click.confirm("Continue?", abort=True, err=True)
        failures: dict[str, Failure | None] = {}
        kept = partial(_kept, client, ledger, steps, again=again, as_json=as_json)
        with finishing(lambda: steps.warn(_STOPPING)) as stop:
            for voice in chosen:
                failures[voice.name] = stopped_before_turn() if stop.asked_to_stop else kept(voice)
    if as_json:
        print_json({"schema_version": 1, "voices": [_fields(voice, failures[voice.name]) for voice in chosen]})
    elif not chosen:
        print_text("no voices to keep")
    statuses = [failure.status for failure in failures.values() if failure]
    return exit_with(most_severe([*statuses, stop_status()] if stop.asked_to_stop else statuses))


def _chosen(ledger: Ledger, names: tuple[str, ...], expiring: timedelta | None, base_url: str) -> list[VoiceRecord]:
    """The named voices, else all voices of this service that exist, are not kept, and expire within `expiring`."""
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
    """Keep one voice; return None, or the failure, so that the other voices are still kept."""
    from onetake.speech import keep

    if voice.kept_at is not None:
        if not as_json:
            print_text(f"already kept  {safe(voice.name)}  {safe(voice.voice_id)}  (nothing was sent)")
        return None
    try:
        keep(client, ledger, voice, steps, again=again)
    except Exception as error:
        failure = failure_of(error)
        if failure.status == Status.BUG:
            raise
        state = "may not be kept" if failure.status == Status.UNKNOWN else "was not kept"
        trace_id = f" [trace id {failure.trace_id}]" if failure.trace_id else ""
        hint = f" ({failure.hint})" if failure.hint else ""
        steps.warn(f"{voice.name} {state}: {failure.message}{hint}{trace_id}")
        return failure
    if not as_json:
        print_text(f"kept  {safe(voice.name)}  {safe(voice.voice_id)}")
    return None


def _fields(voice: VoiceRecord, failure: Failure | None) -> dict[str, Any]:
    error = failure and error_fields(failure)
    return {"voice_id": voice.voice_id, "name": voice.name, "kept": failure is None, "error": error}
