"""The voices of the ledgers, and what can be done with one: keep it, let it speak, settle a call."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from onetake.clones.observer import WarningCollector
from onetake.errors import UsageError
from onetake.render.voices import attempt_fields, speech_fields, voice_fields
from onetake.speech import keep, say
from onetake.studio.take import file_stem

if TYPE_CHECKING:
    from onetake.ledger import VoiceRecord
    from onetake.studio.services import Service, ServiceName, Services
    from onetake.studio.take import Take
    from onetake.studio.takes import Takes

_EXPIRING: Final = timedelta(hours=48)
_SHOWN: Final = (
    "voice_id",
    "name",
    "created_at",
    "expires_at",
    "kept_at",
    "consent",
    "take",
    "changes",
    "seconds_left",
)


class VoiceForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A voice, and for a paid call the confirmation that it may be charged.

    Attributes:
        service: The service that made it.
        voice: Its ``voice_id``.
        confirmed: Whether the user confirmed that the call may be charged.
    """

    service: Literal["rehearsal", "real"]
    voice: str
    confirmed: bool = False


class SayForm(VoiceForm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A text to read.

    Attributes:
        text: The text; ``<#0.5#>`` is a pause of half a second.
        model: The speech model.
        speed: Factor of the normal speed.
    """

    text: str
    model: str = "speech-2.8-turbo"
    speed: float | None = None


class SettleForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The outcome of a call whose answer was lost, looked up in the account with the service.

    Attributes:
        service: The service.
        attempt: Identifier of the call.
        outcome: ``voice`` or ``failed`` for a clone, ``kept`` or ``failed`` for a speech.
        voice_id: The voice that a clone made.
    """

    service: Literal["rehearsal", "real"]
    attempt: str
    outcome: Literal["voice", "kept", "failed"]
    voice_id: str | None = None


def voices_view(services: Services) -> dict[str, Any]:
    """Return the voices of all ledgers in use, and the calls whose outcome is unknown."""
    now = datetime.now(UTC)
    voices, unknown = [], []
    for service in services.opened():
        for voice in service.ledger.voices.all():
            fields = voice_fields(voice, now)
            shown = {name: fields[name] for name in _SHOWN}
            voices.append({**shown, "service": service.name, "state": _state(voice, now)})
        clones, speeches = service.ledger.attempts.unknown(), service.ledger.speeches.unknown()
        unknown += [{**attempt_fields(one), "service": service.name, "call": "clone"} for one in clones]
        unknown += [{**speech_fields(one), "service": service.name, "call": "speech"} for one in speeches]
    for call in unknown:
        call.pop("audio_url", None)  # a link of the service never reaches the page
    return {"voices": voices, "unknown": unknown}


def _state(voice: VoiceRecord, now: datetime) -> str:
    if voice.gone_at is not None:
        return "gone"
    if voice.kept_at is not None:
        return "kept"
    left = voice.expires_at - now
    return "expired" if left <= timedelta(0) else "expiring" if left < _EXPIRING else "temporary"


def keep_voice(services: Services, form: VoiceForm) -> list[str]:
    """Keep a voice by the cheapest speech call, and return warnings."""
    service, voice = _found(services, form)
    observer = WarningCollector()
    keep(service.settings.client(), service.ledger, voice, observer)
    return observer.warnings


def spoken_take(services: Services, takes: Takes, form: SayForm) -> Take:
    """Let a voice read a text; the audio is a new take, and stays in the folder of the ledger: it is paid for."""
    from client import SpeechRequest

    service, voice = _found(services, form)
    request = SpeechRequest(voice_id=voice.voice_id, text=form.text, model=form.model, speed=form.speed)
    folder = service.home / "speeches"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    out = folder / f"{file_stem(voice.name)}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}.mp3"
    say(service.settings.client(), service.ledger, voice, request, out, WarningCollector())
    return takes.open(out, origin="speech", name=f"{voice.name} speaks", text=form.text)


def settle(services: Services, form: SettleForm) -> None:
    """Store the outcome of a call, as `onetake voices settle` does."""
    ledger = services.get(form.service).ledger
    if form.outcome == "voice":
        if not (form.voice_id or "").strip():
            raise UsageError("the voice_id is missing", "copy it from your account with the service")
        ledger.voices.settle(form.attempt, (form.voice_id or "").strip())
    elif form.attempt in {speech.id for speech in ledger.speeches.unknown()}:
        ledger.speeches.settle(form.attempt, succeeded=form.outcome == "kept")
    elif form.outcome == "failed":
        ledger.voices.settle(form.attempt, None)
    else:
        raise UsageError("a clone returns a voice", "give its voice_id, or record that the call failed")


def _found(services: Services, form: VoiceForm) -> tuple[Service, VoiceRecord]:
    """Return service and voice of a paid call.

    Raises:
        UsageError: The call is not confirmed, or there is no such voice.
    """
    name: ServiceName = form.service
    if name == "real" and not form.confirmed:
        raise UsageError("the paid call is not confirmed", "confirm it")
    service = services.get(name)
    return service, service.ledger.voices.find(form.voice)
