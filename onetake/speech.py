"""Speech calls: they read a text with a voice, and by that keep it for good.

Each is in the ledger before it is sent, and none whose outcome is unknown is repeated unless the user says so.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import msgspec

from onetake.clones.service_answer import answer_of_error, answer_of_speech
from onetake.errors import LedgerFailed, NotSettled, OnetakeError, Status, UsageError, failure_of
from onetake.io.atomic_write import atomic_write
from onetake.io.received_audio import save_answer, save_speech
from onetake.io.signals import finishing
from onetake.ledger.records import NO_ANSWER
from preflight.input.source import display_name

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal

    from client import CloneClient, ServiceError, Speech, SpeechRequest
    from onetake.clones.request import Observer
    from onetake.ledger import Ledger, ServiceAnswer, SpeechRecord, VoiceRecord

KEEPING_MODEL: Final = "speech-2.8-turbo"
KEEPING_TEXT: Final = "Hi."
"""Speech calls are charged by the character, two for a Chinese one; this is as few as make a word."""


class NoAudio(OnetakeError):
    """The service reports success, but sent no audio that can be read."""

    kind = "no-audio"
    status = Status.SERVICE


class Spoken(msgspec.Struct, frozen=True):
    """A speech that was written.

    Attributes:
        voice_id: Whose it is.
        name: What the ledger calls the voice.
        out: The file.
        bytes: Its size.
        trace_id: What the service's support asks for, if the answer held one.
        interrupted: Whether somebody asked to stop meanwhile.
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
    """Make the cheapest call that keeps a voice, and store its outcome. Its audio is of no use, and not needed.

    Args:
        client: Of the service that made the voice.
        ledger: Where the voice and the call are stored.
        voice: To be kept.
        observer: Is told of warnings.
        again: Call although the outcome of an earlier speech call for this voice is unknown.

    Raises:
        UsageError: It was made by another service.
        NotSettled: The outcome of an earlier call is unknown.
        LedgerFailed: The call could not be stored; it was not sent.
        client.VoiceNotFound: It is gone; that is stored, too.
        client.ServiceError: The call failed, or its outcome is unknown: the voice is not marked as kept.
    """
    from client import ServiceError, SpeechRequest

    call = _Call(client, ledger, voice, observer)
    call.require_settled(None, again=again)
    try:
        call.send(SpeechRequest(voice_id=voice.voice_id, text=KEEPING_TEXT, model=KEEPING_MODEL), "keep")
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
    """Read a text with a voice into a file, which gets its name when it is complete.

    Args:
        client: Of the service that made the voice.
        ledger: Where the voice and the call are stored.
        voice: Whose voice it is.
        request: What is to be spoken, and how.
        out: The file.
        observer: Is told of warnings.
        again: Call although the outcome of an earlier call with the same text is unknown.

    Raises:
        UsageError: The voice was made by another service.
        NotSettled: The outcome of an earlier call is unknown.
        LedgerFailed: The call could not be stored; it was not sent.
        client.VoiceNotFound: The voice is gone; that is stored, too.
        client.OutcomeUnknown: It was interrupted a second time, or its answer was lost: it may be charged.
        client.ServiceError: The call failed; what came instead of a speech is saved as ``OUT.answer``.
        client.DownloadFailed: The link gave no audio; it stays in the ledger.
        NoAudio: The service reports success without audio; what came is saved as ``OUT.answer``.
        UnrecognizedAudio: What came is not a recording; it is saved as ``OUT.answer``.
        SavedElsewhere: `out` cannot be written; the audio is saved in another place.
        OSError: `out` cannot be written; nothing was sent.
    """
    from client import ServiceError

    call = _Call(client, ledger, voice, observer)
    call.require_settled(request.text, again=again)
    _require_writable(out)
    note = "the call is under way and may be charged: waiting for its answer (Ctrl-C again gives it up)"
    with finishing(lambda: observer.warn(note)) as patience:
        try:
            speech = call.send(request, "say")
        except ServiceError as error:
            if error.state == "unknown" and error.answer_body:
                save_answer(error, out)
            if reports_success(error):
                what = f"{error.message}; the service reports success, so {voice.name} is kept"
                raise NoAudio(what, "look into what came, or ask the service's support") from error
            raise
        size = save_speech(client, voice, speech, out)
    return Spoken(
        voice_id=voice.voice_id,
        name=voice.name,
        out=display_name(out),
        bytes=size,
        trace_id=speech.trace_id,
        interrupted=patience.asked_to_stop,
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
            raise UsageError(what, "give that --base-url")

    def require_settled(self, text: str | None, *, again: bool) -> None:
        """Refuse to call where an earlier call may be charged; for `text` only one with the same text counts."""
        earlier = self._ledger.speeches.unsettled(self._voice, text)
        if earlier is not None and not again:
            raise speech_not_settled(earlier)

    def send(self, request: SpeechRequest, purpose: Literal["keep", "say"]) -> Speech:
        """Make the paid call; its outcome is in the ledger before this returns or raises."""
        from client import OutcomeUnknown, ServiceError

        self._id = self._ledger.speeches.begin(self._voice, purpose, request.text, request.model)
        try:
            speech = self._client.synthesize(request)
        except KeyboardInterrupt:
            self._note_end("unknown", "interrupted")
            what = (
                "interrupted before the answer came: whether the speech was charged, and "
                f"{self._voice.name} is kept by it, is not known"
            )
            raise OutcomeUnknown(what, hint=self._settle) from None
        except ServiceError as error:
            self._note_failure(error)
            raise
        except Exception as error:
            # what is not of the client's own tree says nothing about how far the call came
            failure = failure_of(error)
            self._note_end("unknown", failure.kind, failure.message)
            what = f"{failure.message}; whether the speech was charged is not known"
            raise OutcomeUnknown(what, hint=f"{self._settle}; {failure.hint}") from error
        self._note_success(answer_of_speech(self._client, speech), speech.audio_url, speech.warnings)
        return speech

    @property
    def _settle(self) -> str:
        return (
            "look into your account with the service, then settle it: "
            f"onetake voices settle {self._id} --kept (or --failed)"
        )

    def _note_end(self, state: str, kind: str, message: str = "", answer: ServiceAnswer = NO_ANSWER) -> None:
        """A failing ledger must not hide why the call failed; not stored, its outcome counts as unknown."""
        try:
            self._ledger.speeches.ended(self._id, state, kind, message, answer)
        except LedgerFailed as error:
            self._observer.warn(f"speech call {self._id} could not be stored as {state}: {error.message}")

    def _note_failure(self, error: ServiceError) -> None:
        from client import VoiceNotFound

        answer = answer_of_error(self._client, error)
        if reports_success(error):
            self._note_success(answer)
            return
        self._note_end(error.state, error.kind, error.message, answer)
        if error.state == "unknown":
            error.hint = self._settle
        if isinstance(error, VoiceNotFound):
            try:
                self._ledger.voices.gone(self._voice)
            except LedgerFailed as failed:
                self._observer.warn(f"{self._voice.name} is gone, but that could not be stored: {failed.message}")

    def _note_success(
        self, answer: ServiceAnswer, audio_url: str | None = None, warnings: tuple[str, ...] = ()
    ) -> None:
        """The voice is kept and its speech paid for, whether that can be stored or not."""
        for warning in warnings:
            self._observer.warn(f"{self._voice.name}: {warning}")
        try:
            self._ledger.speeches.answered(self._id, audio_url, answer, warnings)
            self._ledger.voices.kept(self._voice)
        except LedgerFailed as error:
            self._observer.warn(f"{self._voice.name} is kept, but that could not be stored: {error.message}")


def reports_success(error: ServiceError) -> bool:
    """Whether the call succeeded although its answer has no audio that can be read: the voice is kept."""
    from client import NonsenseAnswer

    return isinstance(error, NonsenseAnswer) and error.reports_success


def speech_not_settled(speech: SpeechRecord) -> NotSettled:
    """The error for a voice for which a speech call may have been charged already."""
    return NotSettled(
        f"{speech.name}: whether an earlier speech call was charged, and keeps the voice, is not known "
        f"(call {speech.id})",
        f"look into your account with the service, then: onetake voices settle {speech.id} --kept (or --failed); "
        "--again pays for another call",
    )


class _Abandoned(Exception):
    """A file was opened only to see whether it can be."""


def _require_writable(out: Path) -> None:
    """Refuse what cannot be written before anything is paid; raises OSError."""
    with contextlib.suppress(_Abandoned), atomic_write(out):
        raise _Abandoned  # which removes the temporary file
