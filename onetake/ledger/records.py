"""What the ledger gives back."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

import msgspec

State = Literal["claimed", "called", "voice", "refused", "unknown", "given-up"]
"""Of an attempt: ``claimed`` nothing is sent yet; ``called`` the paid call was or is about to be sent; ``voice`` it
gave one; ``refused`` it surely gave none; ``unknown`` nobody knows; ``given-up`` it ended before anything was sent."""


SpeechState = Literal["called", "answered", "not-sent", "refused", "unknown"]
"""Of a speech call: ``called`` it was or is about to be sent; ``answered`` it succeeded; ``not-sent`` and ``refused``
it surely cost nothing; ``unknown`` nobody knows."""


class ServiceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the service answered to a paid call, as far as it says anything.

    Attributes:
        http_status: Status of the answer.
        code: The service's own number.
        reason: The gateway's reason, such as ``NEED_REAL_NAME_VERIFY``.
        service_message: The service's own words.
        trace_id: What the service's support asks for.
        answer: The beginning of the raw answer.
    """

    http_status: int | None = None
    code: int | None = None
    reason: str | None = None
    service_message: str | None = None
    trace_id: str | None = None
    answer: str | None = None


NO_ANSWER: Final = ServiceAnswer()


class VoiceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A voice that was paid for.

    Attributes:
        voice_id: Its name for speech calls.
        name: What people call it; unique among the voices that are not forgotten.
        base_url: The service that made it.
        created_at: When the service answered, UTC.
        expires_at: When it is deleted unless a speech call uses it, UTC.
        kept_at: When a speech call first used it; it then stays for good.
        gone_at: When the service said that it does not exist any more.
        consent: Who agreed, and when; None where none was asked for.
        take: Where the recording was, for people.
        sha256: Of the recording; None where it is not known.
        changes: What was done to the recording before it was sent.
        attempt: The attempt that made it.
        demo_url: The service's link to the trial recording, if it sent one; it expires after hours or a day.
        trace_id: Of the answer that gave the voice: what the service's support asks for.
        service_message: What the service said along with it.
        warnings: What was wrong with that answer.
    """

    voice_id: str
    name: str
    base_url: str
    created_at: datetime
    expires_at: datetime
    kept_at: datetime | None
    gone_at: datetime | None
    consent: str | None
    take: str
    sha256: str | None
    changes: tuple[str, ...]
    attempt: str | None
    demo_url: str | None = None
    trace_id: str | None = None
    service_message: str | None = None
    warnings: tuple[str, ...] = ()

    def lives(self, now: datetime) -> bool:
        """Whether it exists at a moment, as far as is known here."""
        return self.gone_at is None and (self.kept_at is not None or now < self.expires_at)


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A clone that was begun, with the time of each step, UTC.

    Attributes:
        id: Its name.
        take: Where the recording was, for people.
        sha256: Of the recording.
        base_url: The service that was to make the voice.
        state: How far it came, or how it ended.
        claimed_at: When the recording was checked and nobody else was at it.
        uploaded_at: When it was stored.
        called_at: When the paid call was about to be sent.
        ended_at: When its end was written down.
        kind: Of the error that ended it.
        message: Of that error.
        http_status: Of the answer, if one came.
        code: The service's own number, if the answer held one.
        reason: The gateway's reason, if the answer held one.
        service_message: The service's own words.
        trace_id: What the service's support asks for.
    """

    id: str
    take: str
    sha256: str
    base_url: str
    state: State
    claimed_at: datetime
    uploaded_at: datetime | None
    called_at: datetime | None
    ended_at: datetime | None
    kind: str | None
    message: str | None
    http_status: int | None = None
    code: int | None = None
    reason: str | None = None
    service_message: str | None = None
    trace_id: str | None = None


class SpeechRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A speech call, with the time of each step, UTC.

    Attributes:
        id: Its name.
        name: What the ledger calls the voice.
        voice_id: The voice.
        base_url: The service.
        purpose: Whether it was made to ``keep`` the voice or to ``say`` something.
        text: What was to be spoken.
        model: The model that was asked.
        state: How it ended.
        called_at: When it was about to be sent.
        ended_at: When its end was written down.
        kind: Of the error that ended it.
        message: Of that error.
        http_status: Of the answer, if one came.
        code: The service's own number, if the answer held one.
        reason: The gateway's reason, if the answer held one.
        service_message: The service's own words.
        trace_id: What the service's support asks for.
        audio_url: The service's link to the speech, if it sent one; it expires after hours or a day.
    """

    id: str
    name: str
    voice_id: str
    base_url: str
    purpose: Literal["keep", "say"]
    text: str
    model: str
    state: SpeechState
    called_at: datetime
    ended_at: datetime | None
    kind: str | None
    message: str | None
    http_status: int | None
    code: int | None
    reason: str | None
    service_message: str | None
    trace_id: str | None
    audio_url: str | None


class LeftUpload(msgspec.Struct, frozen=True, kw_only=True):
    """An object that may still be stored though nobody needs it.

    Attributes:
        key: Its name in the bucket.
        storage: Where the bucket is: endpoint and bucket.
        reserved_at: When it was about to be sent, UTC.
    """

    key: str
    storage: str
    reserved_at: datetime


class Claimed(msgspec.Struct, frozen=True):
    """Nobody else is at this recording: it may be sent under this attempt."""

    attempt: str


class Known(msgspec.Struct, frozen=True):
    """The recording was cloned before, and its voice lives."""

    voice: VoiceRecord


class Unsettled(msgspec.Struct, frozen=True):
    """The recording may have been cloned before: nobody knows how that call ended."""

    attempt: Attempt


class UnderWay(msgspec.Struct, frozen=True):
    """The recording is being cloned at this moment."""

    attempt: str


Standing = Claimed | Known | Unsettled | UnderWay
