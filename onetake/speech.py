"""Speech calls: the service reads a text with a voice, after which the voice no longer expires.

Each call is in the ledger before it is sent. A call whose outcome is unknown is repeated only if the user asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from onetake.errors import LedgerFailed, NotSettled, OnetakeError, UsageError, failure_of
from onetake.exit_status import Status
from onetake.io.received_audio import require_creatable, save_answer, save_speech
from onetake.io.signals import finishing
from onetake.ledger.records import NO_ANSWER, ServiceAnswer
from preflight.display.shell_arguments import quoted
from preflight.input.source import display_name

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal

    from client import CloneClient, ServiceError, Speech, SpeechRequest
    from onetake.clones.observer import Observer
    from onetake.ledger import Ledger, SpeechRecord, VoiceRecord

KEEP_MODEL: Final = "speech-2.8-turbo"
KEEP_TEXT: Final = "Hi."
"""Speech calls are charged per character (a Chinese one counts twice): the shortest English text with an end mark."""


class NoAudio(OnetakeError):
    """The service reports success, but sent no readable audio."""

    kind = "no-audio"
    status = Status.SERVICE


class SpeechNotSaved(OnetakeError):
    """An earlier call with the same text is paid for, and its audio was not saved."""

    kind = "speech-not-saved"
    status = Status.SERVICE


class Spoken(msgspec.Struct, frozen=True):
    """A speech that was written to a file.

    Attributes:
        voice_id: The service's identifier of the voice.
        name: Name of the voice in the ledger.
        out: The file.
        bytes: Size of the file.
        trace_id: Trace id for the service's support, if the answer had one.
        interrupted: Whether a signal asked to stop during the call.
        warnings: What was unusual about the answer.
    """

    voice_id: str
    name: str
    out: str
    bytes: int
    trace_id: str | None
    interrupted: bool = False
    warnings: tuple[str, ...] = ()


def keep(client: CloneClient, ledger: Ledger, voice: VoiceRecord, observer: Observer, *, again: bool = False) -> None:
    """Make the cheapest call that keeps a voice, and store its outcome. Its audio is discarded.

    Args:
        client: Client of the service that made the voice.
        ledger: Stores the voice and the call.
        voice: The voice to keep.
        observer: Receives warnings.
        again: Call although the outcome of an earlier speech call for this voice is unknown.

    Raises:
        UsageError: Another service made the voice.
        NotSettled: The outcome of an earlier call is unknown.
        LedgerFailed: The call could not be stored; it was not sent.
        client.VoiceNotFound: The voice no longer exists; the ledger stores that.
        client.ServiceError: The call failed, or its outcome is unknown: the voice is not marked as kept.
    """
    from client import ServiceError, SpeechRequest

    call = _Call(client, ledger, voice, observer)
    call.require_settled(None, again=again)
    try:
        call.send(SpeechRequest(voice_id=voice.voice_id, text=KEEP_TEXT, model=KEEP_MODEL), "keep")
    except ServiceError as error:
        if not reports_success(error):
            raise


def say(
    client: CloneClient,
    ledger: Ledger,
    voice: VoiceRecord,
    request: SpeechRequest,
    out: Path,
    observer: Observer,
    *,
    again: bool = False,
) -> Spoken:
    """Have a voice read a text, and write the audio to a file atomically.

    Args:
        client: Client of the service that made the voice.
        ledger: Stores the voice and the call.
        voice: The voice.
        request: The text and its options.
        out: The file.
        observer: Receives warnings.
        again: Call although the outcome of an earlier call with the same text is unknown, or its audio was not saved.

    Raises:
        UsageError: Another service made the voice.
        NotSettled: The outcome of an earlier call is unknown.
        SpeechNotSaved: An earlier call succeeded, and its audio was not saved.
        LedgerFailed: The call could not be stored; it was not sent.
        client.VoiceNotFound: The voice no longer exists; the ledger stores that.
        client.OutcomeUnknown: A second Ctrl-C, or the answer was lost: the call may be charged.
        client.ServiceError: The call failed; what came instead of a speech is saved as ``OUT.answer``.
        client.DownloadFailed: The link did not return audio; it stays in the ledger.
        NoAudio: The service reports success without audio; the answer is saved as ``OUT.answer``.
        UnrecognizedAudio: The answer is not audio; it is saved as ``OUT.answer``.
        SavedElsewhere: `out` cannot be written; the audio is saved in another folder.
        UsageError, OSError: `out` cannot be written; nothing was sent.
    """
    from client import ServiceError

    call = _Call(client, ledger, voice, observer)
    call.require_settled(request.text, again=again)
    require_creatable(out)
    note = "the call is in progress and may be charged: waiting for its answer (Ctrl-C again stops waiting)"
    with finishing(lambda: observer.warn(note)) as stop:
        try:
            speech = call.send(request, "say")
        except ServiceError as error:
            if error.state == "unknown" and error.answer_body:
                save_answer(error, out)
            if reports_success(error):
                what = f"{error.message}; the service reports success, so {voice.name} is kept"
                missing = NoAudio(what, "inspect the saved answer, or ask the service's support")
                call.mark_unsaved(missing)
                raise missing from error
            raise
        try:
            size = save_speech(client, voice, speech, out)
        except BaseException as error:
            call.mark_unsaved(error)
            raise
    return Spoken(
        voice_id=voice.voice_id,
        name=voice.name,
        out=display_name(out),
        bytes=size,
        trace_id=speech.trace_id,
        interrupted=stop.asked_to_stop,
        warnings=speech.warnings,
    )


class _Call:
    """One speech call, from the ledger to its answer."""

    def __init__(self, client: CloneClient, ledger: Ledger, voice: VoiceRecord, observer: Observer) -> None:
        self._client = client
        self._ledger = ledger
        self._voice = voice
        self._observer = observer
        self._id = ""
        if voice.base_url != client.base_url:
            what = f"{voice.name} was made by {voice.base_url}, not by {client.base_url}"
            raise UsageError(what, f"add --base-url {voice.base_url}")

    def require_settled(self, text: str | None, *, again: bool) -> None:
        """Refuse to call where an earlier call may be charged; for `text` only one with the same text counts."""
        earlier = self._ledger.speeches.unsettled(self._voice, text)
        if earlier is not None and not again:
            raise speech_not_settled(earlier)
        unsaved = None if text is None or again else self._ledger.speeches.unsaved(self._voice, text)
        if unsaved is not None:
            raise _speech_not_saved(unsaved)

    def send(self, request: SpeechRequest, purpose: Literal["keep", "say"]) -> Speech:
        """Make the paid call; its outcome is in the ledger before this returns or raises."""
        from client import OutcomeUnknown, ServiceError

        self._id = self._ledger.speeches.begin(self._voice, purpose, request.text, request.model)
        try:
            speech = self._client.synthesize(request)
        except KeyboardInterrupt:
            self._store_end("unknown", "interrupted")
            what = (
                "interrupted before the answer came: whether the speech was charged, and keeps "
                f"{self._voice.name}, is unknown"
            )
            raise OutcomeUnknown(what, hint=self._settle_hint) from None
        except ServiceError as error:
            self._store_failure(error)
            raise
        except Exception as error:
            # an exception that is not the client's own does not say whether the request was sent
            failure = failure_of(error)
            self._store_end("unknown", failure.kind, failure.message)
            what = f"{failure.message}; whether the speech was charged is unknown"
            raise OutcomeUnknown(what, hint=f"{self._settle_hint}; {failure.hint}") from error
        self._store_success(ServiceAnswer.of_speech(self._client, speech), speech.audio_url, speech.warnings)
        return speech

    @property
    def _settle_hint(self) -> str:
        return (
            "look it up in your account with the service, then settle it: "
            f"onetake voices settle {self._id} --kept (or --failed)"
        )

    def _store_end(self, state: str, kind: str, message: str = "", answer: ServiceAnswer = NO_ANSWER) -> None:
        """Store how the call ended. If the ledger fails, that is a warning, and the outcome counts as unknown."""
        try:
            self._ledger.speeches.ended(self._id, state, kind, message, answer)
        except LedgerFailed as error:
            self._observer.warn(f"speech call {self._id} could not be stored as {state}: {error.message}")

    def mark_unsaved(self, error: BaseException) -> None:
        """Store that the audio was not saved: the same command must not pay for it again."""
        kind, reason = getattr(error, "kind", "not-saved"), str(error) or "interrupted"
        try:
            self._ledger.speeches.mark_unsaved(self._id, kind, reason)
        except LedgerFailed as failed:
            self._observer.warn(f"that the audio was not saved could not be stored: {failed.message}")

    def _store_failure(self, error: ServiceError) -> None:
        from client import VoiceNotFound

        answer = ServiceAnswer.of_error(self._client, error)
        if reports_success(error):
            self._store_success(answer)
            return
        self._store_end(error.state, error.kind, error.message, answer)
        if error.state == "unknown":
            error.hint = self._settle_hint
        if isinstance(error, VoiceNotFound):
            try:
                self._ledger.voices.mark_gone(self._voice)
            except LedgerFailed as failed:
                self._observer.warn(
                    f"{self._voice.name} no longer exists, but that could not be stored: {failed.message}"
                )

    def _store_success(
        self, answer: ServiceAnswer, audio_url: str | None = None, warnings: tuple[str, ...] = ()
    ) -> None:
        """Store that the call succeeded. If the ledger fails, that is a warning: the voice is kept all the same."""
        for warning in warnings:
            self._observer.warn(f"{self._voice.name}: {warning}")
        try:
            self._ledger.speeches.answered(self._id, audio_url, answer, warnings)
            self._ledger.voices.mark_kept(self._voice)
        except LedgerFailed as error:
            self._observer.warn(f"{self._voice.name} is kept, but that could not be stored: {error.message}")


def reports_success(error: ServiceError) -> bool:
    """Whether the call succeeded although its answer has no readable audio: the voice is kept."""
    from client import NonsenseAnswer

    return isinstance(error, NonsenseAnswer) and error.reports_success


def speech_not_settled(speech: SpeechRecord) -> NotSettled:
    """Return the error for a voice with a speech call that may have been charged already."""
    return NotSettled(
        f"{speech.name}: whether an earlier speech call was charged, and keeps the voice, is unknown "
        f"(call {speech.id})",
        f"look it up in your account with the service, then: onetake voices settle {speech.id} --kept (or --failed); "
        "--again pays for another call",
    )


def _speech_not_saved(speech: SpeechRecord) -> SpeechNotSaved:
    what = f"{speech.name}: an earlier call with this text is paid for, but its audio was not saved: {speech.message}"
    hint = "--again pays for another call"
    if speech.audio_url is not None:
        hint = f"fetch it: onetake voices speech {quoted(speech.name)} -o OUT; {hint}"
    return SpeechNotSaved(what, hint)
