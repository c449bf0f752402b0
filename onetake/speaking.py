"""Speech calls: they read a text with a voice, and by that keep it for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from onetake.errors import LedgerFailed, UsageError, failure_of
from onetake.interrupts import finishing
from onetake.io.atomic_write import atomic_write
from onetake.received_audio import require_recording

if TYPE_CHECKING:
    from pathlib import Path

    from client import CloneClient, Speech, SpeechRequest
    from onetake.cloning.order import Observer
    from onetake.ledger import Ledger, VoiceRecord

KEEPING_MODEL: Final = "speech-2.8-turbo"
KEEPING_TEXT: Final = "Hi."
"""Speech calls are charged by the character, two for a Chinese one; this is as few as make a word."""
_CHECKED: Final = {"mp3", "wav", "flac"}


class Spoken(msgspec.Struct, frozen=True):
    """A speech that was written.

    Attributes:
        voice_id: Whose it is.
        name: What the ledger calls the voice.
        out: The file.
        bytes: Its size.
        trace_id: What the service's support asks for, if the answer held one.
        interrupted: Whether somebody asked to stop meanwhile.
    """

    voice_id: str
    name: str
    out: str
    bytes: int
    trace_id: str | None
    interrupted: bool = False


def keep(client: CloneClient, ledger: Ledger, voice: VoiceRecord, observer: Observer) -> None:
    """Make the cheapest call that keeps a voice, and write it down.

    Raises:
        UsageError: It was made by another service.
        client.VoiceNotFound: It is gone; that is written down, too.
        client.ServiceError: The call failed, or its outcome is unknown: the voice is not marked as kept.
    """
    from client import SpeechRequest

    _require_same_service(client, voice)
    request = SpeechRequest(voice_id=voice.voice_id, text=KEEPING_TEXT, model=KEEPING_MODEL)
    _answered(client, ledger, voice, request)
    _note_kept(ledger, voice, observer)


def say(
    client: CloneClient, ledger: Ledger, voice: VoiceRecord, request: SpeechRequest, out: Path, observer: Observer
) -> Spoken:
    """Read a text with a voice into a file, which gets its name when it is whole.

    Raises:
        UsageError: The voice was made by another service.
        client.VoiceNotFound: The voice is gone; that is written down, too.
        client.OutcomeUnknown: It was interrupted a second time, or its answer was lost: it may be charged.
        client.ServiceError: The call failed, or what came is no recording.
        OSError: The file cannot be written.
    """
    from preflight.source import display_name

    _require_same_service(client, voice)
    note = "the call is under way and may be charged: waiting for its answer (Ctrl-C again gives it up)"
    with finishing(lambda: observer.warn(note)) as patience, atomic_write(out) as (file, temporary):
        speech = _answered(client, ledger, voice, request)
        _note_kept(ledger, voice, observer)
        if speech.audio is not None:
            file.write(speech.audio)
        else:
            client.download(speech.audio_url or "", file)
        file.flush()
        size = file.tell()
        if request.format in _CHECKED:
            require_recording(temporary)
    return Spoken(voice.voice_id, voice.name, display_name(out), size, speech.trace_id, patience.asked_to_stop)


def _answered(client: CloneClient, ledger: Ledger, voice: VoiceRecord, request: SpeechRequest) -> Speech:
    """What the service answers; a voice that is gone is written down as gone."""
    from client import OutcomeUnknown, VoiceNotFound

    try:
        return client.synthesize(request)
    except VoiceNotFound:
        ledger.voices.gone(voice)
        raise
    except KeyboardInterrupt:
        raise OutcomeUnknown(
            f"interrupted before the answer came: whether the speech was charged, and {voice.name} is kept by it, "
            "is not known",
            hint="look into your account with the service before you call again",
        ) from None


def _require_same_service(client: CloneClient, voice: VoiceRecord) -> None:
    if voice.base_url != client.base_url:
        raise UsageError(f"{voice.name} was made by {voice.base_url}, not by {client.base_url}", "give that --base-url")


def _note_kept(ledger: Ledger, voice: VoiceRecord, observer: Observer) -> None:
    """The voice is kept whether that can be written down or not."""
    try:
        ledger.voices.kept(voice)
    except LedgerFailed as error:
        observer.warn(f"{voice.name} is kept, but that could not be noted: {failure_of(error).message}")
