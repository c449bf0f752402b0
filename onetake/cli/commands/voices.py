"""`onetake voices`: the voices of the ledger, when they expire, and paid calls with an unknown outcome."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from onetake.cli.main import Group, exit_with
from onetake.cli.options import chosen_format, json_option
from onetake.config.ledger_location import ledger_location
from onetake.config.settings import load
from onetake.console.streams import print_json, print_line, print_text, print_warning
from onetake.console.terminal import can_prompt, safe
from onetake.errors import UsageError
from onetake.exit_status import Status
from onetake.render.voices import (
    attempt_fields,
    attempt_lines,
    speech_fields,
    speech_lines,
    voice_fields,
    voice_line,
    voices_csv,
)
from preflight.input.source import display_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onetake.clones.downloads import Downloaded
    from onetake.ledger import Ledger, SpeechRecord

_UNITS = {"m": 60, "h": 3600, "d": 86_400}


class _Duration(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """A duration such as 48h, 90m or 2d."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        if (found := re.fullmatch(r"(\d{1,6})([mhd])", str(value))) is None:
            self.fail(f"{value!r} is not a valid duration: write it like 48h, 90m or 2d", param, ctx)
        return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


DURATION = _Duration()


@contextmanager
def opened_ledger() -> Iterator[Ledger]:
    """Open the user's ledger for the block."""
    from onetake.ledger import Ledger

    with Ledger(ledger_location(load({})), warn=print_warning) as ledger:
        yield ledger


@click.group(
    "voices",
    cls=Group,
    invoke_without_command=True,
    subcommand_metavar="[COMMAND] [ARGS]...",  # click before 8.5 shows COMMAND as required
    epilog="Example: onetake voices --warn 48h",
)
@click.option("--warn", type=DURATION, metavar="TIME", help="Exit with 1 if a voice expires within 48h, 2d, …")
@click.option("--unknown", is_flag=True, help="Show paid calls with an unknown outcome.")
@json_option
@click.pass_context
def command(ctx: click.Context, warn: timedelta | None, *, unknown: bool, as_json: bool) -> Any:
    """List cloned voices; those that expire first come first.

    A voice expires 168 hours after it was cloned, unless it is kept: see `onetake keep`.
    """
    if ctx.invoked_subcommand is not None:
        return None
    with opened_ledger() as ledger:
        return _show_unknown(ledger, as_json=as_json) if unknown else _show(ledger, warn, as_json=as_json)


def _show(ledger: Ledger, warn: timedelta | None, *, as_json: bool) -> Any:
    now = ledger.now()
    voices = ledger.voices.all()
    unknown, speeches = ledger.attempts.unknown(), ledger.speeches.unknown()
    if as_json:
        fields = [voice_fields(voice, now) for voice in voices]
        counts = {"unknown": len(unknown), "unknown_speeches": len(speeches)}
        print_json({"schema_version": 1, "voices": fields, **counts})
    else:
        for voice in voices:
            print_text(voice_line(voice, now))
        if not voices:
            print_text("no voices yet")
        if unknown or speeches:
            count = len(unknown) + len(speeches)
            print_text(f"paid calls with an unknown outcome: {count}; see onetake voices --unknown")
    expiring = [voice for voice in voices if voice.is_alive(now) and voice.kept_at is None]
    is_urgent = warn is not None and any(voice.expires_at - now <= warn for voice in expiring)
    return exit_with(Status.NOT_FIT if is_urgent else Status.DONE)


def _show_unknown(ledger: Ledger, *, as_json: bool) -> Any:
    unknown, speeches = ledger.attempts.unknown(), ledger.speeches.unknown()
    if as_json:
        calls = {"unknown": map(attempt_fields, unknown), "unknown_speeches": map(speech_fields, speeches)}
        print_json({"schema_version": 1, **{name: list(fields) for name, fields in calls.items()}})
    elif not (unknown or speeches):
        print_text("the outcome of every paid call is known")
    else:
        for line in chain(*map(attempt_lines, unknown), *map(speech_lines, speeches)):
            print_text(line)
    return exit_with(Status.UNKNOWN if unknown or speeches else Status.DONE)


@command.command(
    "settle", short_help="record the outcome of a paid call", epilog="Example: onetake voices settle 5f0c… --failed"
)
@click.argument("attempt", metavar="ID")
@click.option("--voice", metavar="VOICE_ID", help="The voice_id that the call returned.")
@click.option("--kept", is_flag=True, help="A speech call that succeeded; the voice is kept.")
@click.option("--failed", is_flag=True, help="The call failed and may be repeated.")
@json_option
def settle(attempt: str, voice: str | None, *, kept: bool, failed: bool, as_json: bool) -> None:
    """Record the outcome of a paid call whose answer was lost (look it up in your account)."""
    if (voice is not None) + kept + failed != 1:
        raise UsageError("the outcome is missing", "give --voice VOICE_ID, --kept or --failed")
    with opened_ledger() as ledger:
        is_speech = attempt in {speech.id for speech in ledger.speeches.unknown()}
        if is_speech and voice is not None:
            raise UsageError(f"{attempt!r} is a speech call, which returns no voice", "give --kept or --failed")
        if kept and not is_speech:
            what = f"{attempt!r} is not a speech call whose outcome is unknown"
            raise UsageError(what, "give --voice VOICE_ID or --failed")
        if is_speech:
            spoken = ledger.speeches.settle(attempt, succeeded=kept)
            _show_settled_speech(spoken, as_json=as_json)
            return
        settled = ledger.voices.settle(attempt, voice)
    now = datetime.now(UTC)
    if as_json:
        print_json({"schema_version": 1, "attempt": attempt, "voice": settled and voice_fields(settled, now)})
    else:
        print_text("recorded: the call made no voice" if settled is None else voice_line(settled, now))


def _show_settled_speech(speech: SpeechRecord, *, as_json: bool) -> None:
    is_kept = speech.state == "answered"
    if as_json:
        fields = {"attempt": speech.id, "voice_id": speech.voice_id, "name": speech.name, "kept": is_kept}
        print_json({"schema_version": 1, **fields})
    else:
        print_text(f"recorded: {safe(speech.name)} is kept" if is_kept else "recorded: the speech call failed")


def _download_options(function: Any) -> Any:
    """Add the options of the commands that download audio."""
    for option in (
        json_option,
        click.option("--force", is_flag=True, help="Replace OUT if it exists."),
        click.option("-o", "--out", type=click.Path(path_type=Path), required=True, metavar="OUT", help="Output file."),
        click.argument("voice"),
    ):
        function = option(function)
    return function


@command.command(
    "demo", short_help="download the preview of a voice", epilog="Example: onetake voices demo anna -o demo.mp3"
)
@_download_options
def demo(voice: str, out: Path, *, force: bool, as_json: bool) -> None:
    """Download the preview of a voice from its stored link, which is free while the link is valid."""
    from onetake.clones.downloads import fetch_demo
    from onetake.io.received_audio import require_writable

    require_writable(out, replace=force)
    with opened_ledger() as ledger:
        fetched = fetch_demo(ledger.voices.find(voice), out)
    _show_fetched(fetched, as_json=as_json)


@command.command(
    "speech",
    short_help="download the latest speech of a voice",
    epilog="Example: onetake voices speech anna -o speech.mp3",
)
@_download_options
def speech(voice: str, out: Path, *, force: bool, as_json: bool) -> None:
    """Download the latest speech of a voice from its stored link, which is free while the link is valid."""
    from onetake.clones.downloads import fetch_speech
    from onetake.io.received_audio import require_writable

    require_writable(out, replace=force)
    with opened_ledger() as ledger:
        fetched = fetch_speech(ledger, ledger.voices.find(voice), out)
    _show_fetched(fetched, as_json=as_json)


def _show_fetched(fetched: Downloaded, *, as_json: bool) -> None:
    if as_json:
        print_json({"schema_version": 1, **msgspec.to_builtins(fetched)})
    else:
        print_text(f"{safe(fetched.out)}: {fetched.bytes} bytes")


@command.command(
    "export", short_help="print all data about all voices", epilog="Example: onetake voices export > voices.csv"
)
@click.option("--format", "form", type=click.Choice(["csv", "json"]), help="Format; default: csv.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def export(form: str | None, *, as_json: bool) -> None:
    """Print every voice with everything the ledger knows, including consent."""
    now = datetime.now(UTC)
    with opened_ledger() as ledger:
        voices = [voice_fields(voice, now) for voice in ledger.voices.all()]
    if chosen_format(form, as_json=as_json) == "json":
        print_json({"schema_version": 1, "voices": voices})
    else:
        for line in voices_csv(voices):
            print_line(line)


@command.command("rename", short_help="rename a voice in the ledger", epilog="Example: onetake voices rename take anna")
@click.argument("voice")
@click.argument("name")
@json_option
def rename(voice: str, name: str, *, as_json: bool) -> None:
    """Rename a voice in the ledger; the service is not contacted."""
    with opened_ledger() as ledger:
        found = ledger.voices.find(voice)
        ledger.voices.rename(found, name)
    if as_json:
        print_json({"schema_version": 1, "voice_id": found.voice_id, "name": name, "previous_name": found.name})
    else:
        print_text(f"{safe(found.voice_id)} is now named {safe(name)}")


@command.command(
    "forget", short_help="delete a voice from the ledger", epilog="Example: onetake voices forget anna --yes"
)
@click.argument("voice", metavar="VOICE|FILE")
@click.option("--unknown", is_flag=True, help="Also forget its calls with an unknown outcome.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option
def forget(voice: str, *, unknown: bool, yes: bool, as_json: bool) -> None:
    """Delete a voice and the data of its recordings (paths, digests, texts, options, consent, answers of the service)
    from the ledger, except data that another voice needs. FILE is a recording without a voice.

    The service is not contacted. The recordings count as new: cloning them again is charged again.
    """  # noqa: D205 - as one paragraph the help fits a screen
    with opened_ledger() as ledger:
        if not ledger.voices.is_known(voice) and Path(voice).suffix:
            path = display_name(Path(voice).absolute())
            forgotten = {"recording": path}
            if ledger.voices.knows_recording(path):
                _confirm_forget(f"everything about the recording {path}", agreed=yes)
            is_overwritten = ledger.voices.forget_recording(path, with_unknown=unknown)
        else:
            found = ledger.voices.find(voice)
            forgotten = {"voice_id": found.voice_id, "name": found.name}
            _confirm_forget(f"the voice {found.name} ({found.voice_id}) and its recordings", agreed=yes)
            is_overwritten = ledger.voices.forget(found, with_unknown=unknown)
        left = ledger.leftovers
    if not is_overwritten:
        print_warning(left)
    if as_json:
        print_json({"schema_version": 1, "forgotten": forgotten})
    else:
        print_text(f"forgotten: {safe(' '.join(forgotten.values()))}")


def _confirm_forget(what: str, *, agreed: bool) -> None:
    """Ask at a terminal before data is deleted that cannot be restored; without a terminal, --yes is needed."""
    if agreed:
        return
    if not can_prompt():
        raise UsageError(f"this deletes {what} from the ledger, and cannot be undone", "add --yes")
    click.confirm(f"Delete {safe(what)} from the ledger? This cannot be undone.", abort=True, err=True)
