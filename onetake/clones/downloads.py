"""Save the preview of a new voice; download a preview or a speech later, from the link that the ledger stores.

Downloads are free. The preview is paid for, and the voice comes first.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from onetake.errors import OnetakeError, failure_of
from onetake.exit_status import Status
from onetake.io.received_audio import save_audio, save_given
from onetake.io.signals import finishing
from preflight.display.shell_arguments import quoted
from preflight.input.source import display_name

if TYPE_CHECKING:
    from pathlib import Path

    from client import CloneClient, ClonedVoice
    from onetake.clones.observer import Observer
    from onetake.ledger import Ledger, VoiceRecord

_GONE: Final = frozenset({401, 403, 404, 410})
"""HTTP status of a storage for an expired link or a deleted object."""
_RECENT: Final = timedelta(minutes=10)
"""A link younger than this may not work yet; an older one that is refused has expired."""
_WAIT_S: Final = 20.0
"""How long a recent link is retried: some answer 404 for the first seconds."""


class LinkMissing(OnetakeError):
    """The service sent no link."""

    kind = "link-missing"


class LinkExpired(OnetakeError):
    """A link has expired."""

    kind = "link-expired"
    status = Status.SERVICE


class Downloaded(msgspec.Struct, frozen=True):
    """Audio that was downloaded.

    Attributes:
        voice_id: The voice that speaks.
        name: Name of the voice in the ledger.
        out: The file that was written.
        bytes: Size of the file.
    """

    voice_id: str
    name: str
    out: str
    bytes: int


def save_preview(client: CloneClient, voice: ClonedVoice, out: Path, observer: Observer, later: str) -> str | None:
    """Save the preview of a voice.

    Args:
        client: The client that made the voice.
        voice: The voice.
        out: The file to write.
        observer: Receives warnings and progress.
        later: How to fetch the preview later, as the end of a sentence; empty if that is impossible.

    Returns:
        Why it could not be saved, and what to do; None if it was saved.
    """
    try:
        if voice.demo_audio is not None:  # exists nowhere else: an interruption must not lose it
            with finishing(lambda: observer.warn("the preview is being saved (Ctrl-C again stops)")):
                save_given(out, voice.demo_audio)
        elif voice.demo_audio_url is not None:
            download = partial(client.download, voice.demo_audio_url)
            save_audio(out, partial(download, progress=partial(observer.progress, "demo")))
        else:
            return "the service sent no preview that can be fetched"
    except Exception as error:  # noqa: BLE001 - the voice is paid for and must not be lost
        failure = failure_of(error)
        # a link that must not be followed, such as one to a private address, must not be followed later either
        ending = later if later and failure.kind != "invalid-argument" else f": {failure.hint}" if failure.hint else ""
        return f"the preview could not be saved: {failure.message}{ending}"
    return None


def fetch_demo(voice: VoiceRecord, out: Path) -> Downloaded:
    """Download the preview of a voice.

    Raises:
        LinkMissing: The service sent no link.
        LinkExpired: The link has expired.
        UnrecognizedAudio: The answer is not audio; it is saved as ``OUT.answer``.
        client.ServiceError: The download failed.
        UsageError, OSError: `out` cannot be written.
    """
    if voice.demo_url is None:
        what = f"the ledger has no link to a preview of {voice.name}: none was requested, or the service sent none"
        raise LinkMissing(what, _charged(voice))
    return _fetch(voice, voice.demo_url, voice.created_at, out)


def fetch_speech(ledger: Ledger, voice: VoiceRecord, out: Path) -> Downloaded:
    """Download the latest speech of a voice that the service answered with a link; raises as `fetch_demo`."""
    speech = ledger.speeches.last_link(voice)
    if speech is None or speech.audio_url is None:
        what = f"the ledger has no link to a speech of {voice.name}: `say --link` requests one"
        raise LinkMissing(what, _charged(voice))
    fetched = _fetch(voice, speech.audio_url, speech.ended_at or speech.called_at, out)
    ledger.speeches.mark_saved(speech.id)
    return fetched


def _fetch(voice: VoiceRecord, link: str, sent_at: datetime, out: Path) -> Downloaded:
    from client import CloneClient, ServiceError

    client = CloneClient("a-link-needs-no-key", voice.base_url)
    is_recent = datetime.now(UTC) - sent_at < _RECENT
    wait_s = _WAIT_S if is_recent else 0.0
    try:
        size = save_audio(out, lambda file: client.download(link, file, wait_s=wait_s))
    except ServiceError as error:
        if error.http_status in _GONE and not is_recent:
            what = f"the link of {sent_at.astimezone():%Y-%m-%d %H:%M %Z} has expired (HTTP {error.http_status})"
            raise LinkExpired(f"{voice.name}: {what}", _charged(voice)) from error
        raise
    return Downloaded(voice.voice_id, voice.name, display_name(out), size)


def _charged(voice: VoiceRecord) -> str:
    return f'let it speak, which is charged: onetake say {quoted(voice.name)} "…" -o OUT'
