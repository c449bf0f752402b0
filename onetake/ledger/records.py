"""Records that the ledger returns."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from client import CloneClient, ClonedVoice, ServiceError, Speech

State = Literal["claimed", "called", "voice", "refused", "unknown", "given-up"]
"""State of an attempt: ``claimed`` nothing is sent yet; ``called`` the paid call was or is about to be sent; ``voice``
it made a voice; ``refused`` it made none; ``unknown`` its outcome is unknown; ``given-up`` it ended before the call."""


SpeechState = Literal["called", "answered", "not-sent", "refused", "unknown"]
"""State of a speech call: ``called`` it was or is about to be sent; ``answered`` it succeeded; ``not-sent`` and
``refused`` it cost nothing; ``unknown`` its outcome is unknown."""
_MAX_ANSWER_CHARACTERS: Final = 20_000
"""A stored answer is cut to this length: it may contain minutes of audio."""


class ServiceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The service's answer to a paid call.

    Attributes:
        http_status: HTTP status.
        code: The service's error code.
        reason: The gateway's reason, such as ``NEED_REAL_NAME_VERIFY``.
        service_message: The service's own message.
        trace_id: Trace id for the service's support.
        answer: The beginning of the raw answer, without secrets; in base64 after ``base64:`` if it is not text.
    """

    http_status: int | None = None
    code: int | None = None
    reason: str | None = None
    service_message: str | None = None
    trace_id: str | None = None
    answer: str | None = None

    @classmethod
    def of_error(cls, client: CloneClient, error: ServiceError, *links: str | None) -> ServiceAnswer:
        """Return what an error contains of the service's answer.

        Args:
            client: The client that made the call; it knows the secrets to remove.
            error: The error that it raised.
            links: The presigned links that were sent; the answer may repeat them, and they are not stored.
        """
        text = error.answer_text(_MAX_ANSWER_CHARACTERS, lambda text: client.without_secrets(text, *links))
        return cls(
            http_status=error.http_status,
            code=error.code,
            reason=error.reason,
            service_message=error.service_message or None,
            trace_id=error.trace_id,
            answer=text or None,
        )

    @classmethod
    def of_voice(cls, client: CloneClient, voice: ClonedVoice, *links: str | None) -> ServiceAnswer:
        """Return the answer that contained a voice; arguments as for `of_error`."""
        text = msgspec.json.encode(voice.raw).decode()
        return cls(trace_id=voice.trace_id, answer=_redacted(client, text, links))

    @classmethod
    def of_speech(cls, client: CloneClient, speech: Speech) -> ServiceAnswer:
        """Return the answer to a speech call, without its audio."""
        text = msgspec.json.encode(speech.raw).decode()
        return cls(trace_id=speech.trace_id, answer=_redacted(client, text, ()))


def _redacted(client: CloneClient, text: str, links: tuple[str | None, ...]) -> str | None:
    return client.without_secrets(text, *links)[:_MAX_ANSWER_CHARACTERS] or None


NO_ANSWER: Final = ServiceAnswer()


class VoiceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A voice that was paid for.

    Attributes:
        voice_id: The service's identifier, for speech calls.
        name: Unique name in the ledger.
        base_url: The service that made it.
        created_at: When the service answered, UTC.
        expires_at: When the service deletes it unless a speech call uses it, UTC.
        kept_at: When a speech call first used it: it no longer expires.
        gone_at: When the service reported that it does not exist.
        consent: Who agreed, and when; None if consent was not required.
        take: Path of the recording, for display.
        sha256: Digest of the recording; None if it is unknown.
        changes: Fixes applied to the recording before it was sent.
        attempt: Id of the attempt that made it.
        demo_url: The service's link to the preview, if it sent one; it expires after hours or a day.
        trace_id: Trace id for the service's support.
        service_message: The service's message in the answer.
        warnings: What was wrong with the answer.
        likeness: Estimate of how close the preview is to the recording, from 0 to 1; None if they were not compared.
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
    likeness: float | None = None

    def is_alive(self, now: datetime) -> bool:
        """Whether it exists at a time, as far as the ledger knows."""
        return self.gone_at is None and (self.kept_at is not None or now < self.expires_at)


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A clone that was started, with the time of each step, UTC.

    Attributes:
        id: Identifier of the attempt.
        take: Path of the recording, for display.
        sha256: Digest of the recording.
        base_url: The service.
        state: Current or final state.
        claimed_at: When the recording was claimed, after its check.
        uploaded_at: When it was uploaded.
        called_at: When the paid call was about to be sent.
        ended_at: When the final state was stored.
        kind: Kind of the error that ended it.
        message: Message of that error.
        http_status: HTTP status of the answer, if one came.
        code: The service's error code, if the answer had one.
        reason: The gateway's reason, if the answer had one.
        service_message: The service's own message.
        trace_id: Trace id for the service's support.
        answer: As in `ServiceAnswer`.
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
    answer: str | None = None


class SpeechRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A speech call, with the time of each step, UTC.

    Attributes:
        id: Identifier of the call.
        name: Name of the voice in the ledger.
        voice_id: The service's identifier of the voice.
        base_url: The service.
        purpose: Whether it was made to ``keep`` the voice or to ``say`` a text.
        text: The text to speak.
        model: The speech model.
        state: Current or final state.
        called_at: When it was about to be sent.
        ended_at: When the final state was stored.
        kind: Kind of the error that ended it.
        message: Message of that error.
        http_status: HTTP status of the answer, if one came.
        code: The service's error code, if the answer had one.
        reason: The gateway's reason, if the answer had one.
        service_message: The service's own message.
        trace_id: Trace id for the service's support.
        audio_url: The service's link to the speech, if it sent one; it expires after hours or a day.
        answer: As in `ServiceAnswer`.
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
    answer: str | None = None


class AbandonedUpload(msgspec.Struct, frozen=True, kw_only=True):
    """An object that a run may have left in the storage.

    Attributes:
        key: Key in the bucket.
        storage: Endpoint and bucket.
        reserved_at: When the upload was about to begin, UTC.
    """

    key: str
    storage: str
    reserved_at: datetime


class Claimed(msgspec.Struct, frozen=True):
    """The recording was claimed: it may be sent under this attempt."""

    attempt: str


class Known(msgspec.Struct, frozen=True):
    """The recording has a voice that exists."""

    voice: VoiceRecord


class Unsettled(msgspec.Struct, frozen=True):
    """The outcome of an earlier paid call for the recording is unknown."""

    attempt: Attempt


class InProgress(msgspec.Struct, frozen=True):
    """Another thread or process is cloning the recording."""

    attempt: str


class CloneKey(msgspec.Struct, frozen=True, kw_only=True):
    """Identifies a clone: requests with the same recording and the same options share one voice.

    Attributes:
        sha256: Digest of the recording as it is on disk.
        request: Digest of everything else that shapes the voice.
        bytes: Size of the recording.
        path: Path of the recording, for display; not part of the identity.
    """

    sha256: str
    request: str
    bytes: int
    path: str


ClaimResult = Claimed | Known | Unsettled | InProgress
