"""Fetch a trial recording or a speech from the link that the service sent, and that the ledger stores."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from onetake.errors import OnetakeError, Status
from onetake.io.received_audio import save_audio
from preflight.input.source import display_name

if TYPE_CHECKING:
    from pathlib import Path

    from onetake.ledger import Ledger, VoiceRecord

_GONE: Final = frozenset({401, 403, 404, 410})
"""What a storage answers to a link that expired, or to an object that was deleted."""
_YOUNG: Final = timedelta(minutes=10)
"""A link of that age may not be there yet; an older one that is refused has expired."""
_WAIT_S: Final = 20.0
"""For a young link: links that answer 404 for some seconds are known."""


class LinkMissing(OnetakeError):
    """The service sent no link for a voice."""

    kind = "link-missing"


class LinkExpired(OnetakeError):
    """A link does not work any more."""

    kind = "link-expired"
    status = Status.SERVICE


class Fetched(msgspec.Struct, frozen=True):
    """Audio that was fetched.

    Attributes:
        voice_id: The voice that speaks.
        name: What the ledger calls it.
        out: The file.
        bytes: Its size.
    """

    voice_id: str
    name: str
    out: str
    bytes: int


def fetch_demo(voice: VoiceRecord, out: Path) -> Fetched:
    """Fetch the trial recording of a voice, which is free.

    Raises:
        LinkMissing: The service sent no link to one.
        LinkExpired: The link does not work any more.
        UnrecognizedAudio: What came is not a recording; it is saved as ``OUT.answer``.
        client.ServiceError: It could not be fetched.
        OSError: `out` cannot be written.
    """
    if voice.demo_url is None:
        what = f"the ledger has no link to a trial recording of {voice.name}: none was asked for, or none came"
        raise LinkMissing(what, _charged(voice))
    return _fetch(voice, voice.demo_url, voice.created_at, out)


def fetch_speech(ledger: Ledger, voice: VoiceRecord, out: Path) -> Fetched:
    """Fetch the latest speech of a voice that the service answered with a link; free, and raises as `fetch_demo`."""
    speech = ledger.speeches.last_link(voice)
    if speech is None or speech.audio_url is None:
        what = f"the ledger has no link to a speech of {voice.name}: `say --link` asks for one"
        raise LinkMissing(what, _charged(voice))
    return _fetch(voice, speech.audio_url, speech.ended_at or speech.called_at, out)


def _fetch(voice: VoiceRecord, link: str, sent_at: datetime, out: Path) -> Fetched:
    from client import CloneClient, ServiceError

    client = CloneClient("a-link-needs-no-key", voice.base_url)
    is_young = datetime.now(UTC) - sent_at < _YOUNG
    wait_s = _WAIT_S if is_young else 0.0
    try:
        size = save_audio(out, lambda file: client.download(link, file, wait_s=wait_s))
    except ServiceError as error:
        if error.http_status in _GONE and not is_young:
            what = f"the link of {sent_at.astimezone():%Y-%m-%d %H:%M %Z} has expired (HTTP {error.http_status})"
            raise LinkExpired(f"{voice.name}: {what}", _charged(voice)) from error
        raise
    return Fetched(voice.voice_id, voice.name, display_name(out), size)


def _charged(voice: VoiceRecord) -> str:
    return f'have it speak, which is charged: onetake say {shlex.quote(voice.name)} "…" -o OUT'
