"""From a recording on disk to a voice: check, mend if needed, upload, verify, clone, clean up."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from onetake.errors import failure_of
from onetake.interrupts import finishing
from onetake.order import Cloned, Order, Sent, check_order
from onetake.preparation import Sendable, prepare_order
from preflight.source import display_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from client import CloneClient, ClonedVoice
    from onetake.journal import Journal
    from onetake.order import Observer
    from uploader import Storage, Upload

CONTENT_TYPES = {"mp3": "audio/mpeg", "m4a": "audio/mp4", "wav": "audio/wav"}


@dataclass
class Pipeline:
    """The parts that clone a voice.

    Attributes:
        storage: Where recordings go.
        client: Of the clone service.
        journal: Where paid calls are written down.
        observer: Is told how far the work has come.
    """

    storage: Storage
    client: CloneClient
    journal: Journal
    observer: Observer
    _warnings: list[str] = field(default_factory=list)
    _uploads: list[Upload] = field(default_factory=list)
    _voice: ClonedVoice | None = None
    _interrupted: bool = False

    def clone(self, order: Order) -> Cloned:
        """Clone one voice. The only step that costs money comes last, when all before it was verified.

        Raises:
            UsageError: The order contradicts itself.
            TakeRefused: A recording cannot be sent.
            uploader.StorageError: The storage failed; nothing was paid.
            client.ServiceError: The service refused or failed; with `client.OutcomeUnknown` it may have charged.
            JournalFailed: The call could not be written down beforehand; nothing was paid.
        """
        check_order(order)
        self._warnings, self._uploads, self._voice, self._interrupted = [], [], None, False
        self.storage.require_public()
        self.journal.require_writable()
        with tempfile.TemporaryDirectory(prefix="onetake-", ignore_cleanup_errors=True) as folder:
            take, prompt = prepare_order(order, Path(folder), self.observer)
            demo = None
            try:
                audio_url = self._upload(take)
                prompt_url = self._upload(prompt) if prompt else None
                voice = self._call(order, take, audio_url, prompt_url)
                demo = self._fetch_demo(order, voice)
            except KeyboardInterrupt:
                if self._voice is None:
                    raise
                voice, self._interrupted = self._voice, True
                self._warn("interrupted before everything was done; the voice is safe")
            finally:
                stored = self._clean_up(keep=order.keep_upload)
        return Cloned(
            voice_id=voice.voice_id,
            expires_at=voice.expires_at,
            demo=demo,
            take=take.report,
            changes=take.changes,
            uploads=stored,
            warnings=tuple(self._warnings),
            interrupted=self._interrupted,
        )

    def _upload(self, sendable: Sendable) -> str:
        upload, link_url, expires_at = upload_take(self.storage, sendable, self._uploads.append)
        self.observer.step("upload", f"{upload.bytes / 1e6:.1f} MB stored and verified as {upload.content_type}")
        self.observer.step("verify", f"a stranger can fetch it until {expires_at.astimezone():%H:%M}")
        return link_url

    def _call(self, order: Order, take: Sendable, audio_url: str, prompt_url: str | None) -> ClonedVoice:
        from client import OutcomeUnknown

        attempt = self.journal.attempt(
            take=take.report.path,
            sha256=take.report.file.sha256,
            options=msgspec.to_builtins(order.options),
            base_url=self.client.base_url,
        )
        note = "the call is under way and may be charged: waiting for its answer (Ctrl-C again gives it up)"
        with finishing(lambda: self._warn(note)) as patience:
            try:
                voice = self.client.clone(audio_url, order.options, prompt_url)
            except KeyboardInterrupt:
                lost = OutcomeUnknown(
                    "interrupted before the answer came: whether the voice was made is not known",
                    hint=f"look into your account with the service before you try again (attempt {attempt})",
                )
                self._note_end(attempt, "unknown", kind="interrupted")
                raise lost from None
            except Exception as error:
                failure = failure_of(error)
                self._note_end(
                    attempt, "unknown" if isinstance(error, OutcomeUnknown) else "refused", kind=failure.kind
                )
                raise
            self._voice = voice
            self._note_end(attempt, "voice", voice_id=voice.voice_id, expires_at=voice.expires_at)
        self._interrupted = patience.asked_to_stop
        self.observer.step("clone", voice.voice_id)
        return voice

    def _note_end(self, attempt: str, event: str, **facts: Any) -> None:
        """A failing journal must not hide the answer that it was to hold."""
        try:
            self.journal.outcome(attempt, event, **facts)
        except Exception as error:  # noqa: BLE001 - whatever it is, the voice goes first
            self._warn(f"WRITE THIS DOWN: {event} {facts.get('voice_id', '')}: {failure_of(error).message}")

    def _fetch_demo(self, order: Order, voice: ClonedVoice) -> str | None:
        if order.demo is None:
            return None
        if self._interrupted:
            self._warn("interrupted: the trial recording was not fetched")
            return None
        if voice.demo_audio_url is None:
            self._warn("the service sent no trial recording")
            return None
        try:
            with replacing(order.demo) as (file, temporary):
                self.client.download(voice.demo_audio_url, file)
                file.flush()
                _require_sound(temporary)
        except Exception as error:  # noqa: BLE001 - the voice is paid for: nothing here may lose it
            self._warn(f"the trial recording could not be fetched: {failure_of(error).message}")
            return None
        self.observer.step("demo", display_name(order.demo))
        return display_name(order.demo)

    def _clean_up(self, *, keep: bool) -> tuple[Sent, ...]:
        note = "the uploads are being deleted (Ctrl-C again gives that up)"
        with finishing(lambda: self._warn(note)) as patience:
            sent = tuple(
                Sent(upload.key, upload.content_type, upload.bytes, deleted=not keep and self._delete(upload))
                for upload in self._uploads
            )
        self._interrupted = self._interrupted or patience.asked_to_stop
        if sent and (keep or all(upload.deleted for upload in sent)):
            self.observer.step("clean up", "uploads kept" if keep else "uploads deleted")
        return sent

    def _delete(self, upload: Upload) -> bool:
        try:
            self.storage.delete(upload)
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - a voice may be paid for: it must not be lost
            self._warn(f"{upload.key} may still be stored: {failure_of(error).message}")
            return False
        return True

    def _warn(self, message: str) -> None:
        self._warnings.append(message)
        self.observer.warn(message)


def upload_take(
    storage: Storage, sendable: Sendable, on_stored: Callable[[Upload], None]
) -> tuple[Upload, str, datetime]:
    """Upload, presign, and fetch as a stranger would.

    Args:
        storage: Where it goes.
        sendable: What was checked; a file that changed since is not sent.
        on_stored: Called as soon as there is something to delete again.

    Returns:
        The upload, its URL, and when the URL expires.

    Raises:
        uploader.StorageError: The storage failed.
    """
    from preflight.limits import ACCEPTED

    container = sendable.report.file.container
    upload = storage.upload(
        sendable.path,
        content_type=CONTENT_TYPES[container],
        suffix=ACCEPTED[container],
        sha256=sendable.report.file.sha256,
    )
    on_stored(upload)
    link = storage.presign(upload)
    storage.verify_link(link, upload)
    return upload, link.url, link.expires_at


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A temporary file, open and by name, that takes the name `path` if the block ends well and is gone if not."""
    handle, name = tempfile.mkstemp(prefix=".onetake-", dir=path.parent)
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file, Path(name)
        shutil.copymode(path, name) if path.exists() else Path(name).chmod(0o644)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def _require_sound(path: Path) -> None:
    import preflight
    from client import NonsenseAnswer

    report = preflight.check(path)
    if not report.file.duration_s:
        raise NonsenseAnswer("what came is not a recording", hint="ask for the demo again")
