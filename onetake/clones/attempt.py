"""One paid clone, from the prepared files to the voice.

    claimed in the ledger ─ upload ─ wait for a slot ─ verify links ─┬─ called ─ POST ─┬─ voice ─ preview ─ clean up
                                                                     │                 ├─ refused
    Ctrl-C or failure: given-up, nothing paid <──────────────────────┘                 └─ unknown: the user settles it

Each step is in the ledger before the next one begins: a process that is killed leaves a row that shows how far it got.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from onetake.clones.downloads import save_preview
from onetake.clones.rate_limit import RateLimiter
from onetake.clones.request import Cloned, UploadedFile
from onetake.clones.uploads import UploadTracker, verified_link
from onetake.errors import LedgerFailed, OnetakeError, failure_of
from onetake.io.signals import finishing
from onetake.ledger.records import NO_ANSWER, ServiceAnswer
from onetake.render.text import local_time
from preflight.display.shell_arguments import quoted
from preflight.input.source import display_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from client import CloneClient, ClonedVoice
    from onetake.clones.observer import Observer
    from onetake.clones.prepare import Prepared, PreparedFile
    from onetake.clones.request import CloneRequest
    from onetake.ledger import Ledger
    from uploader import Storage, Upload

_LEDGER_STATES: Final = {"unknown": "unknown", "refused": "refused", "not-sent": "given-up"}
"""`client.ServiceError.state` and the state that the ledger stores."""


@dataclass(frozen=True)
class CloneContext:
    """What all clones of a run share; threads may use it at the same time.

    Attributes:
        storage: Where recordings are uploaded.
        client: Client of the clone service.
        ledger: Where each step is stored.
        rate_limiter: Limits the paid calls.
    """

    storage: Storage
    client: CloneClient
    ledger: Ledger
    rate_limiter: RateLimiter = field(default_factory=RateLimiter)


class CloneAttempt:
    """Upload, pay, fetch the preview and clean up.

    Args:
        context: Storage, client, ledger and rate limiter.
        request: The request.
        prepared: The files to send.
        attempt: Id of the attempt that was claimed in the ledger.
        observer: Receives steps, warnings and progress.
        stopping: Returns whether to stop before the paid call.
    """

    def __init__(
        self,
        context: CloneContext,
        request: CloneRequest,
        prepared: Prepared,
        attempt: str,
        observer: Observer,
        stopping: Callable[[], bool],
    ) -> None:
        self._context = context
        self._request = request
        self._prepared = prepared
        self._attempt = attempt
        self._observer = observer
        self._stopping = stopping
        self._warnings: list[str] = []
        self._uploads = UploadTracker(context.storage, context.ledger, self._warn)
        self._called = False
        self._voice: ClonedVoice | None = None
        self._name: str | None = None
        self._interrupted = False

    def run(self) -> Cloned:
        """Clone the voice.

        Raises:
            KeyboardInterrupt: Interrupted before anything was paid.
            uploader.StorageError: The storage failed; nothing was paid.
            client.ServiceError: The service refused or failed; `client.OutcomeUnknown` means it may have charged.
            LedgerFailed: The call could not be stored beforehand; nothing was paid.
        """
        demo = likeness = None
        try:
            voice = self._pay()
            demo = self._save_preview(voice)
            if demo is not None and (likeness := self._likeness()) is not None:
                self._store_likeness(likeness)
        except KeyboardInterrupt:
            if self._voice is None:
                raise
            voice, self._interrupted = self._voice, True
            self._warn("interrupted before everything was done; the voice is safe")
        finally:
            if not self._called:
                self._store_end("given-up", "not-sent")
            uploads = self._clean_up()
        return Cloned(
            voice_id=voice.voice_id,
            name=self._name,
            expires_at=voice.expires_at,
            demo=demo,
            likeness=likeness,
            take=self._prepared.take.report,
            changes=self._prepared.take.changes,
            uploads=uploads,
            warnings=tuple(self._warnings),
            interrupted=self._interrupted,
            trace_id=voice.trace_id,
        )

    def _pay(self) -> ClonedVoice:
        files = [self._prepared.take, *([self._prepared.prompt] if self._prepared.prompt else [])]
        stored = [self._upload(file) for file in files]
        uploaded_at = datetime.now(UTC)
        with self._context.rate_limiter.slot(self._stopping):
            # presigned only now, so that waiting for a slot does not use up the links' lifetime
            links = [verified_link(self._context.storage, upload, self._warn) for upload in stored]
            self._observer.step("verify", f"its link works until {local_time(links[0][1]):%H:%M %Z}")
            return self._call(uploaded_at, *(url for url, _ in links))

    def _upload(self, file: PreparedFile) -> Upload:
        if self._stopping():
            raise KeyboardInterrupt
        upload = self._uploads.store(file, partial(self._observer.progress, "upload"))
        self._observer.step("upload", f"{upload.bytes / 1e6:.1f} MB stored and verified as {upload.content_type}")
        return upload

    def _call(self, uploaded_at: datetime, *links: str) -> ClonedVoice:
        note = "the call is in progress and may be charged: waiting for its answer (Ctrl-C again stops waiting)"
        with finishing(lambda: self._warn(note)) as stop:
            self._context.ledger.attempts.called(self._attempt, uploaded_at)
            self._called = True
            self._observer.progress("clone", 0, None)
            self._voice = self._answer(links)
            self._store_voice(self._voice, links)
        self._interrupted = self._interrupted or stop.asked_to_stop
        self._observer.step("clone", self._voice.voice_id)
        return self._voice

    def _answer(self, links: tuple[str, ...]) -> ClonedVoice:
        """Make the paid call. A failure is in the ledger, with its state, before it is raised."""
        from client import OutcomeUnknown, ServiceError

        try:
            return self._context.client.clone(links[0], self._request.options, *links[1:])
        except KeyboardInterrupt:
            self._store_end("unknown", "interrupted")
            message = "interrupted before the answer came: whether the voice was made is unknown"
            raise OutcomeUnknown(message, hint=self._settle_hint) from None
        except ServiceError as error:
            answer = ServiceAnswer.of_error(self._context.client, error, *links)
            self._store_end(_LEDGER_STATES[error.state], error.kind, error.message, answer)
            if error.state == "unknown":
                error.hint = self._settle_hint
            raise
        except Exception as error:
            # an exception that is not the client's own does not say whether the request was sent
            failure = failure_of(error)
            self._store_end("unknown", failure.kind, failure.message)
            message = f"{failure.message}; whether the voice was made is unknown"
            raise OutcomeUnknown(message, hint=f"{self._settle_hint}; {failure.hint}") from error

    @property
    def _settle_hint(self) -> str:
        return (
            "look it up in your account with the service, then settle it: "
            f"onetake voices settle {self._attempt} --voice VOICE_ID (or --failed)"
        )

    def _store_voice(self, voice: ClonedVoice, links: tuple[str, ...]) -> None:
        """Store the voice and the service's answer; if the ledger fails, print the voice_id."""
        for warning in voice.warnings:
            self._warn(f"{voice.voice_id}: {warning}")
        try:
            try:
                self._write_voice(voice, links)
            except KeyboardInterrupt:  # the second Ctrl-C must not lose a voice that is paid for
                self._interrupted = True
                self._write_voice(voice, links)
        except Exception as error:  # noqa: BLE001 - the voice_id is printed for any failure
            self._warn(
                f"WRITE THIS DOWN: voice_id {voice.voice_id} is paid for and could not be stored in the ledger "
                f"({failure_of(error).message}); once that is fixed: "
                f"onetake voices settle {self._attempt} --voice {voice.voice_id}"
            )

    def _write_voice(self, voice: ClonedVoice, links: tuple[str, ...]) -> None:
        ledger = self._context.ledger
        self._name = ledger.attempts.gave_voice(
            self._attempt,
            voice.voice_id,
            voice.answered_at,
            voice.expires_at,
            demo_url=voice.demo_audio_url,
            answer=ServiceAnswer.of_voice(self._context.client, voice, *links),
            warnings=voice.warnings,
        )
        if self._request.name not in {None, self._name}:
            self._warn(f"another voice is named {self._request.name!r}: this one is {self._name!r}")
        stored = ledger.voices.find(self._name)
        if stored.attempt != self._attempt:
            self._warn(f"the service returned the voice that it made for {stored.take}: ask its support")

    def _store_end(self, state: str, kind: str, message: str = "", answer: ServiceAnswer = NO_ANSWER) -> None:
        """Store how the attempt ended. If the ledger fails, that is a warning, and a call counts as unknown."""
        try:
            self._context.ledger.attempts.ended(self._attempt, state, kind, message, answer)
        except LedgerFailed as error:
            self._warn(f"attempt {self._attempt} could not be stored as {state}: {error.message}")

    def _save_preview(self, voice: ClonedVoice) -> str | None:
        out = self._request.demo
        if out is None:
            return None
        shown = display_name(out)
        # without a name, the voice is not in the ledger, and neither is the link
        later = f"; fetch it later: onetake voices demo {quoted(self._name or '')} -o {quoted(shown, 'OUT')}"
        later = later if self._name is not None and voice.demo_audio_url is not None else ""
        if self._interrupted and voice.demo_audio is None:
            self._warn(f"interrupted: the preview was not fetched{later}")
            return None
        if problem := save_preview(self._context.client, voice, out, self._observer, later):
            self._warn(problem)
            return None
        self._observer.step("demo", shown)
        return shown

    def _likeness(self) -> float | None:
        """Compare the voice of the preview with that of the recording."""
        from preflight.analysis.analysis import Analysis
        from preflight.analysis.speakers.voices import likeness
        from preflight.checks import analyze
        from preflight.errors import PreflightError
        from preflight.profile import DEFAULT

        take = self._prepared.take.voices
        if take is None or self._request.demo is None:
            return None
        model = self._request.profile.speaker_model
        try:
            analysis = analyze(self._request.demo, profile=DEFAULT.with_speakers().with_speaker_model(model))
            problem = analysis.problem
        except PreflightError as error:  # the speaker model was replaced meanwhile: the voice is there and paid for
            analysis, problem = Analysis(), error
        if problem is not None:
            self._warn(f"the preview could not be compared with the recording: {problem.message}")
        return likeness(take, analysis.voices) if analysis.voices is not None else None

    def _store_likeness(self, likeness: float) -> None:
        if self._name is None:
            return  # the voice is not in the ledger
        voices = self._context.ledger.voices
        try:
            stored = voices.find(self._name)
            if stored.attempt == self._attempt:
                voices.set_likeness(stored, likeness)
        except OnetakeError as error:
            self._warn(f"the likeness could not be stored in the ledger: {error.message}")

    def _clean_up(self) -> tuple[UploadedFile, ...]:
        keep = self._request.keep_upload and self._voice is not None
        note = "the uploads are being deleted (Ctrl-C again leaves them)"
        with finishing(lambda: self._warn(note)) as stop:
            removed: dict[str, bool] = {}
            if keep:
                self._uploads.keep()
            else:
                removed = self._uploads.delete()
        self._interrupted = self._interrupted or stop.asked_to_stop
        if keep or (removed and all(removed.values())):
            self._observer.step("clean up", "uploaded copies kept" if keep else "uploaded copies deleted")
        return tuple(
            UploadedFile(upload.key, upload.content_type, upload.bytes, deleted=removed.get(upload.key, False))
            for upload in self._uploads.uploads
        )

    def _warn(self, message: str) -> None:
        self._warnings.append(message)
        self._observer.warn(message)
