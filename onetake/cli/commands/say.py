"""`onetake say`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from onetake.cli import exit_with
from onetake.cli.command import Command, FurtherOption
from onetake.cli.commands.voices import opened_ledger
from onetake.cli.options.shared import SERVICE, json_option, setting_options
from onetake.config.settings import load
from onetake.console.json_output import print_json
from onetake.console.progress import BYTES, watched
from onetake.console.steps import Steps
from onetake.console.streams import print_text
from onetake.errors import Status, UsageError, stop_status
from onetake.render.text import safe

if TYPE_CHECKING:
    from client import SpeechRequest
    from onetake.ledger import VoiceRecord

_FORMATS = {".mp3": "mp3", ".wav": "wav", ".flac": "flac", ".pcm": "pcm"}


@click.command("say", cls=Command, epilog="Example: onetake say anna 'It rained all night.' -o rain.mp3")
@click.argument("voice")
@click.argument("text")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, readable=False),
    required=True,
    metavar="OUT",
    help="To .mp3, .wav, .flac, .pcm.",
)
@click.option("--force", is_flag=True, help="Replace OUT when it exists.")
@click.option("--again", is_flag=True, help="Call although an earlier call may be charged.")
@click.option("--model", default="speech-2.8-turbo", metavar="MODEL", help="speech-2.8-turbo by default.")
@click.option("--link", cls=FurtherOption, is_flag=True, help="Have the service send a link, not the audio.")
@click.option("--speed", type=float, help="Relative to normal.")
@click.option("--volume", type=float, help="Relative to normal.")
@click.option("--pitch", cls=FurtherOption, type=int, help="Steps up or down.")
@click.option("--emotion", cls=FurtherOption, metavar="WORD", help="The service's word for a mood.")
@click.option("--language", metavar="WORD", help="The service's word for a language.")
@click.option("--sample-rate", cls=FurtherOption, type=int, metavar="HZ", help="Of the file.")
@click.option("--bitrate", cls=FurtherOption, type=int, metavar="BPS", help="Of an MP3.")
@setting_options(*SERVICE, further=True)
@json_option
def command(voice: str, text: str, out: Path, *, force: bool, again: bool, as_json: bool, **flags: Any) -> Any:
    """Read a text with a voice of the ledger; that also keeps the voice for good. Charged by the character."""
    from onetake.speech import say

    _require_place(out, force=force)
    with opened_ledger() as ledger:
        found = ledger.voices.find(voice)
        request = _request(found, text, out, flags)
        client, steps = load(flags).client(), Steps(quiet=as_json)
        with watched("waiting for the service to speak", BYTES):
            spoken = say(client, ledger, found, request, out, steps, again=again)
    if as_json:
        print_json({"schema_version": 1, **{name: getattr(spoken, name) for name in spoken.__struct_fields__}})
    else:
        print_text(f"{safe(spoken.out)}: {spoken.bytes} bytes; {safe(spoken.name)} is kept")
    return exit_with(stop_status() if spoken.interrupted else Status.DONE)


def _require_place(out: Path, *, force: bool) -> None:
    """Refuse, before anything is paid, a file that cannot be written."""
    from onetake.io.received_audio import require_place
    from preflight.input.source import display_name

    if out.suffix.lower() not in _FORMATS:
        shown = repr(display_name(out))
        raise UsageError(f"{shown} has no ending that says how to write it", f"use one of {', '.join(_FORMATS)}")
    require_place(out, replace=force)


def _request(voice: VoiceRecord, text: str, out: Path, flags: dict[str, Any]) -> SpeechRequest:
    from client import SpeechRequest

    return SpeechRequest(
        voice_id=voice.voice_id,
        text=text,
        model=flags["model"],
        speed=flags["speed"],
        vol=flags["volume"],
        pitch=flags["pitch"],
        emotion=flags["emotion"],
        format=_FORMATS[out.suffix.lower()],
        sample_rate=flags["sample_rate"],
        bitrate=flags["bitrate"],
        language_boost=flags["language"],
        output_format="url" if flags["link"] else "hex",
    )
