"""One recording's way from this disk to a voice, once it is checked, mended and claimed."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from onetake.clones.request import Cloned, Sent
from onetake.clones.service_answer import answer_of_error, answer_of_voice
from onetake.clones.uploads import UploadTracker, verified_link
from onetake.errors import LedgerFailed, failure_of
from onetake.io.received_audio import save_audio
from onetake.io.signals import finishing
from onetake.ledger.records import NO_ANSWER
from onetake.render.times import local_time
from preflight.input.source import display_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from client import CloneClient, ClonedVoice
    from onetake.clones.prepare import Prepared, Sendable
    from onetake.clones.rate_limit import RateLimiter
    from onetake.clones.request import Observer, Order
    from onetake.ledger import Ledger, ServiceAnswer
    from uploader import Storage, Upload

_STATES: Final = {"unknown": "unknown", "refused": "refused", "not-sent": "given-up"}
"""What the ledger calls the state that `client.ServiceError.state` reports."""


class Parts(Protocol):
    """What a passage needs of those who send it on its way."""

    @property
    def storage(self) -> Storage:
        """Where recordings go."""

    @property
    def client(self) -> CloneClient:
        """Of the clone service."""

    @property
    def ledger(self) -> Ledger:
        """Where each step is written down."""

    @property
    def pace(self) -> RateLimiter:
        """Of the paid calls."""


class CloneAttempt:
    """Uploads, pays, fetches the demo, cleans up, and writes each of these down before it does the next.

    Args:
        parts: Storage, client, ledger and pace.
        order: What is to be cloned.
        prepared: What is sent for it.
        attempt: Under which it was claimed.
        observer: Is told how far it came.
        stopping: Whether to stop before the paid call.
    """

    def __init__(
        self,
        parts: Parts,
        order: Order,
        prepared: Prepared,
        attempt: str,
        observer: Observer,
        stopping: Callable[[], bool],
    ) -> None:
        self._parts = parts
        self._order = order
        self._prepared = prepared
        self._attempt = attempt
        self._observer = observer
        self._stopping = stopping
        self._warnings: list[str] = []
        self._deposits = UploadTracker(parts.storage, parts.ledger, self._warn)
        self._called = False
        self._voice: ClonedVoice | None = None
        self._name: str | None = None
        self._interrupted = False

    def go(self) -> Cloned:
        """Clone the voice. The only step that costs money comes when all before it was verified.

        Raises:
            KeyboardInterrupt: Somebody asked to stop before anything was paid.
            uploader.StorageError: The storage failed; nothing was paid.
            client.ServiceError: The service refused or failed; with `client.OutcomeUnknown` it may have charged.
            LedgerFailed: The call could not be written down beforehand; nothing was paid.
        """
        demo = None
        try:
            voice = self._pay()
            demo = self._fetch_demo(voice)
        except KeyboardInterrupt:
            if self._voice is None:
                raise
            voice, self._interrupted = self._voice, True
            self._warn("interrupted before everything was done; the voice is safe")
        finally:
            if not self._called:
                self._note_end("given-up", "not-sent")
            sent = self._clean_up()
        return Cloned(
            voice_id=voice.voice_id,
            name=self._name,
            expires_at=voice.expires_at,
            demo=demo,
            take=self._prepared.take.report,
            changes=self._prepared.take.changes,
            uploads=sent,
            warnings=tuple(self._warnings),
            interrupted=self._interrupted,
            trace_id=voice.trace_id,
        )

    def _pay(self) -> ClonedVoice:
        sendables = [self._prepared.take, *([self._prepared.prompt] if self._prepared.prompt else [])]
        stored = [self._upload(sendable) for sendable in sendables]
        uploaded_at = datetime.now(UTC)
        with self._parts.pace.turn(self._stopping):
            # only now, so that waiting for a turn does not eat into the links' time
            links = [verified_link(self._parts.storage, upload, self._warn) for upload in stored]
            self._observer.step("verify", f"its link works until {local_time(links[0][1]):%H:%M %Z}")
            return self._call(uploaded_at, *(url for url, _ in links))

    def _upload(self, sendable: Sendable) -> Upload:
        if self._stopping():
            raise KeyboardInterrupt
        upload = self._deposits.store(sendable, partial(self._observer.progress, "upload"))
        self._observer.step("upload", f"{upload.bytes / 1e6:.1f} MB stored and verified as {upload.content_type}")
        return upload

    def _call(self, uploaded_at: datetime, *links: str) -> ClonedVoice:
        note = "the call is under way and may be charged: waiting for its answer (Ctrl-C again gives it up)"
        with finishing(lambda: self._warn(note)) as patience:
            self._parts.ledger.attempts.called(self._attempt, uploaded_at)
            self._called = True
            self._observer.progress("clone", 0, None)
            self._voice = self._answered(links)
            self._note_voice(self._voice, links)
        self._interrupted = self._interrupted or patience.asked_to_stop
        self._observer.step("clone", self._voice.voice_id)
        return self._voice

    def _answered(self, links: tuple[str, ...]) -> ClonedVoice:
        """The paid call. Its failure is in the ledger before it is raised, with the state that the client found."""
        from client import OutcomeUnknown, ServiceError

        try:
            return self._parts.client.clone(links[0], self._order.options, *links[1:])
        except KeyboardInterrupt:
            self._note_end("unknown", "interrupted")
            message = "interrupted before the answer came: whether the voice was made is not known"
            raise OutcomeUnknown(message, hint=self._settle) from None
        except ServiceError as error:
            answer = answer_of_error(self._parts.client, error, *links)
            self._note_end(_STATES[error.state], error.kind, error.message, answer)
            if error.state == "unknown":
                error.hint = self._settle
            raise
        except Exception as error:
            # what is not of the client's own tree says nothing about how far the call came
            failure = failure_of(error)
            self._note_end("unknown", failure.kind, failure.message)
            message = f"{failure.message}; whether the voice was made is not known"
            raise OutcomeUnknown(message, hint=f"{self._settle}; {failure.hint}") from error

    @property
    def _settle(self) -> str:
        return (
            "look into your account with the service, then settle it: "
            f"onetake voices settle {self._attempt} --voice VOICE_ID (or --failed)"
        )

    def _note_voice(self, voice: ClonedVoice, links: tuple[str, ...]) -> None:
        """Store the voice with the answer that gave it; a failing ledger must not hide it."""
        for warning in voice.warnings:
            self._warn(f"{voice.voice_id}: {warning}")
        try:
            try:
                self._store(voice, links)
            except KeyboardInterrupt:  # the second one: whoever is in such a hurry still wants the voice
                self._interrupted = True
                self._store(voice, links)
        except Exception as error:  # noqa: BLE001 - whatever it is, the voice goes first
            self._warn(
                f"WRITE THIS DOWN: voice_id {voice.voice_id} is paid for and could not be stored in the ledger "
                f"({failure_of(error).message}); once that is fixed: "
                f"onetake voices settle {self._attempt} --voice {voice.voice_id}"
            )

    def _store(self, voice: ClonedVoice, links: tuple[str, ...]) -> None:
        ledger = self._parts.ledger
        self._name = ledger.attempts.gave_voice(
            self._attempt,
            voice.voice_id,
            voice.answered_at,
            voice.expires_at,
            demo_url=voice.demo_audio_url,
            answer=answer_of_voice(self._parts.client, voice, *links),
            warnings=voice.warnings,
        )
        noted = ledger.voices.find(self._name)
        if noted.attempt != self._attempt:
            self._warn(f"the service gave a voice that it had given before, for {noted.take}: ask its support")

    def _note_end(self, state: str, kind: str, message: str = "", answer: ServiceAnswer = NO_ANSWER) -> None:
        """A failing ledger must not hide why the attempt ended; not stored, it counts as unknown if it was called."""
        try:
            self._parts.ledger.attempts.ended(self._attempt, state, kind, message, answer)
        except LedgerFailed as error:
            self._warn(f"attempt {self._attempt} could not be stored as {state}: {error.message}")

    def _fetch_demo(self, voice: ClonedVoice) -> str | None:
        if self._order.demo is None:
            return None
        if voice.demo_audio_url is None:
            self._warn("the service sent no link to a trial recording")
            return None
        shown = display_name(self._order.demo)
        later = (
            f"fetch it later: onetake voices demo {shlex.quote(self._name or voice.voice_id)} -o {shlex.quote(shown)}"
        )
        if self._interrupted:
            self._warn(f"interrupted: the trial recording was not fetched; {later}")
            return None
        try:
            download = partial(self._parts.client.download, voice.demo_audio_url)
            save_audio(self._order.demo, partial(download, progress=partial(self._observer.progress, "demo")))
        except Exception as error:  # noqa: BLE001 - the voice is paid for: nothing here may lose it
            self._warn(f"the trial recording could not be fetched: {failure_of(error).message}; {later}")
            return None
        self._observer.step("demo", shown)
        return shown

    def _clean_up(self) -> tuple[Sent, ...]:
        keep = self._order.keep_upload and self._voice is not None
        note = "the uploads are being deleted (Ctrl-C again gives that up)"
        with finishing(lambda: self._warn(note)) as patience:
            gone: dict[str, bool] = {}
            if keep:
                self._deposits.keep()
            else:
                gone = self._deposits.delete()
        self._interrupted = self._interrupted or patience.asked_to_stop
        if keep or (gone and all(gone.values())):
            self._observer.step("clean up", "uploads kept" if keep else "uploads deleted")
        return tuple(
            Sent(upload.key, upload.content_type, upload.bytes, deleted=gone.get(upload.key, False))
            for upload in self._deposits.uploads
        )

    def _warn(self, message: str) -> None:
        self._warnings.append(message)
        self._observer.warn(message)
