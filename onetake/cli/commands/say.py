"""`onetake say`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from onetake.cli.commands.voices import opened_ledger
from onetake.cli.main import AdvancedOption, Command, exit_with
from onetake.cli.options import SERVICE, json_option, setting_options
from onetake.config.settings import load
from onetake.console.progress import BYTES, Steps, show_progress
from onetake.console.streams import print_json, print_text
from onetake.console.terminal import safe
from onetake.errors import UsageError
from onetake.exit_status import Status, stop_status

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
    help="Output file: .mp3, .wav, .flac or .pcm.",
)
@click.option("--force", is_flag=True, help="Replace OUT if it exists.")
@click.option("--again", is_flag=True, help="Call even if an earlier call may be charged.")
@click.option("--model", default="speech-2.8-turbo", metavar="MODEL", help="Model; default: speech-2.8-turbo.")
@click.option("--link", cls=AdvancedOption, is_flag=True, help="Request a link instead of the audio.")
@click.option("--speed", type=float, metavar="FACTOR", help="Speed of speech; 1 is normal.")
@click.option("--volume", type=float, metavar="FACTOR", help="Volume; 1 is normal.")
@click.option("--pitch", cls=AdvancedOption, type=int, metavar="N", help="Pitch shift; 0 is normal.")
@click.option("--emotion", cls=AdvancedOption, metavar="NAME", help="Emotion that the service supports.")
@click.option("--language", metavar="NAME", help="Language of the text.")
@click.option("--sample-rate", cls=AdvancedOption, type=int, metavar="HZ", help="Sample rate of the file.")
@click.option("--bitrate", cls=AdvancedOption, type=int, metavar="BPS", help="Bit rate of an MP3.")
@setting_options(*SERVICE, advanced=True)
@json_option
def command(voice: str, text: str, out: Path, *, force: bool, again: bool, as_json: bool, **options: Any) -> Any:
    """Read a text aloud with one of your voices. The call is charged per character, and keeps the voice permanently."""
    from onetake.speech import say

    _require_writable(out, force=force)
    with opened_ledger() as ledger:
        found = ledger.voices.find(voice)
        request = _request(found, text, out, options)
        client, steps = load(options).client(), Steps(quiet=as_json)
        with show_progress("waiting for the service to speak", BYTES):
            spoken = say(client, ledger, found, request, out, steps, again=again)
    if as_json:
        print_json({"schema_version": 1, **{name: getattr(spoken, name) for name in spoken.__struct_fields__}})
    else:
        print_text(f"{safe(spoken.out)}: {spoken.bytes} bytes; {safe(spoken.name)} is kept")
    return exit_with(stop_status() if spoken.interrupted else Status.DONE)


def _require_writable(out: Path, *, force: bool) -> None:
    """Raise `UsageError` before anything is paid if the output file cannot be written."""
    from onetake.io.received_audio import require_writable
    from preflight.input.source import display_name

    if out.suffix.lower() not in _FORMATS:
        shown = repr(display_name(out))
        raise UsageError(f"{shown} has no supported file extension", f"use {', '.join(_FORMATS)}")
    require_writable(out, replace=force)


def _request(voice: VoiceRecord, text: str, out: Path, options: dict[str, Any]) -> SpeechRequest:
    from client import SpeechRequest

    return SpeechRequest(
        voice_id=voice.voice_id,
        text=text,
        model=options["model"],
        speed=options["speed"],
        vol=options["volume"],
        pitch=options["pitch"],
        emotion=options["emotion"],
        format=_FORMATS[out.suffix.lower()],
        sample_rate=options["sample_rate"],
        bitrate=options["bitrate"],
        language_boost=options["language"],
        output_format="url" if options["link"] else "hex",
    )
